"""Nobody's memory grows because somebody else is slow."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from twoway.threading import ConnectionClosedError, ConnectionClosedOK, State, connect

PLAIN = {"compression": None}
CHUNK = bytes(65536)


class Filling:
    """Send in a thread, until the other side takes no more, and then until told to stop."""

    def __init__(self, connection, spawn):
        self.sent = 0
        self.stop = threading.Event()
        self._connection = connection
        self.task = spawn(self._send).blocked()

    def _send(self):
        while not self.stop.is_set():
            self._connection.send(CHUNK)
            self.sent += 1


@pytest.fixture
def fill(spawn):
    return lambda connection: Filling(connection, spawn)


@pytest.mark.feature("backpressure in both directions")
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("way", ["client to server", "server to client"])
def test_send_waits_for_a_slow_application_and_goes_on(connected, fill, secure, way):
    with connected(PLAIN, PLAIN, secure) as ends:
        sender, receiver = ends if way == "client to server" else reversed(ends)
        filling = fill(sender)
        stuck_at = filling.sent
        filling.stop.set()
        # One is on its way, for which it waits.
        for _ in range(stuck_at + 1):
            assert len(receiver.recv()) == 65536
        filling.task.result()
        assert filling.sent == stuck_at + 1


@pytest.mark.feature("backpressure in both directions")
def test_what_waits_to_be_received_is_bounded(connected, fill, until):
    """The application of the receiver does nothing; the sender must come to rest long before its data end."""
    with connected(PLAIN, {**PLAIN, "max_queue": (4, 2)}) as (client, server):
        filling = fill(client)
        assert len(server.recv_batch()) <= 4 + 4  # those that came with the one that was too much
        filling.stop.set()
        client.abort()
        filling.task.error()


def test_without_max_queue_everything_is_taken(connected):
    with connected(PLAIN, {**PLAIN, "max_queue": None}) as (client, server):
        for number in range(1000):
            client.send(str(number))
        client.ping().wait()
        assert [server.recv(timeout=0) for _ in range(1000)] == [str(number) for number in range(1000)]


@pytest.mark.feature("backpressure in both directions")
@pytest.mark.parametrize("max_queue", [0, 1, (2, 0)])
def test_small_queues_work(connected, max_queue):
    options = {**PLAIN, "max_queue": max_queue}
    with connected(options, options) as (client, server):
        for number in range(20):
            client.send(str(number))
        assert [server.recv() for _ in range(20)] == [str(number) for number in range(20)]
        client.send(["a", "b"] * 10)
        assert server.recv() == "ab" * 10
        client.send(["a", "b"] * 10)
        assert "".join(server.recv_streaming()) == "ab" * 10


def test_a_refusal_ends_in_spite_of_a_queue_of_zero(serving, wire):
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(max_queue=0) as (_, uri), wire.client(uri, request) as stream:
        assert stream.read().startswith(b"HTTP/1.1 426")


@pytest.mark.feature("backpressure in both directions")
def test_what_waits_to_be_written_is_bounded(silent, fill):
    with silent() as uri:
        client = connect(uri, write_limit=100_000, close_timeout=0.1, **PLAIN).connect()
        filling = fill(client)
        assert 0 < client.buffered_amount <= 100_000 + 2 * 65536
        client.close()  # in spite of the full buffer
        assert isinstance(filling.task.error(), ConnectionClosedError)


@pytest.mark.feature("answer pings")
def test_a_slow_application_still_answers_pings_when_it_reads_on(connected, fill):
    with connected(PLAIN, PLAIN) as (client, server):
        filling = fill(client)
        filling.stop.set()
        for _ in range(filling.sent + 1):
            server.recv()
        filling.task.result()
        client.ping().wait(20)


@pytest.mark.feature("heartbeat: a dead peer is noticed")
def test_a_slow_application_does_not_make_the_peer_look_dead(connected, fill):
    options = {**PLAIN, "ping_interval": 0.05, "ping_timeout": 0.05}
    with connected({**PLAIN, "ping_interval": None}, options) as (client, server):
        filling = fill(client)
        with pytest.raises(TimeoutError):
            server.wait_closed(0.3)  # several times both
        assert server.state is State.OPEN
        client.abort()
        filling.task.error()


def test_close_works_while_messages_wait(connected):
    with connected(PLAIN, PLAIN) as (client, server):
        for _ in range(100):
            client.send("x")
        server.close()
        assert client.close_code == 1000
        assert server.recv() == "x"  # what was taken before can be received


def test_what_comes_together_with_a_close_frame_is_all_received(serving, wire):
    received = Future()

    def handler(connection):
        connection.wait_closed()
        received.set_result(list(connection))

    sent = [str(number) for number in range(50)]
    with serving(handler, max_queue=4) as (_, uri), wire.opened(uri) as stream:
        frames = [wire.frame(0x81, message.encode(), masked=True) for message in sent]
        stream.write(b"".join([*frames, wire.close(masked=True)]))
        assert received.result(20) == sent


def test_who_closes_gets_what_had_come_without_a_hole(connected):
    """While a connection closes nobody may be receiving: what does not fit is dropped, and all that follows it."""
    with connected(PLAIN, {**PLAIN, "max_queue": (3, 2)}) as (client, server):
        for number in range(200):
            client.send(str(number))
        server.close()
        received = []
        with pytest.raises(ConnectionClosedOK):
            while True:
                received.append(server.recv())
        assert received == [str(number) for number in range(len(received))]
        assert len(received) >= 3


def test_fragments_of_a_wanted_message_are_not_too_many(connected, spawn):
    with connected(PLAIN, {**PLAIN, "max_queue": 4}) as (client, server):
        receiving = spawn(server.recv).blocked()
        client.send([b"x"] * 500)
        assert receiving.result() == b"x" * 500
        client.send([b"x"] * 500)
        client.send("next")
        assert server.recv() == b"x" * 500
        assert server.recv() == "next"


def test_reading_goes_on_for_the_rest_of_a_message_that_somebody_wants(connected, spawn):
    go_on = threading.Event()

    def slow():
        for _ in range(10):
            yield "x"
        assert go_on.wait(20)
        yield "y"

    with connected(PLAIN, {**PLAIN, "max_queue": (4, 1)}) as (client, server):
        sending = spawn(client.send, slow()).blocked()
        go_on.set()
        assert server.recv() == "x" * 10 + "y"
        sending.result()


@pytest.mark.feature("limits against hostile peers")
def test_a_ping_flood_from_a_peer_that_does_not_read_costs_no_memory(serving, wire, until):
    accepted = []

    def handler(connection):
        accepted.append(connection)
        connection.wait_closed()

    with serving(handler, close_timeout=0.1) as (_, uri), wire.opened(uri) as stream:
        until(lambda: accepted)
        stream.sock.settimeout(1)
        try:
            for _ in range(300):
                stream.write(wire.frame(0x89, b"x" * 125, masked=True) * 100)
        except TimeoutError:
            pass  # it is not even read
        assert accepted[0].buffered_amount < 1_000_000


def test_both_sides_send_at_the_same_moment(connected, spawn):
    """More than fits anywhere, with nobody receiving before all is sent: neither side may wait for the other."""
    options = {**PLAIN, "max_size": None, "max_queue": None}
    with connected(options, options) as ends:
        message = bytes(8_000_000)
        sending = [spawn(end.send, message) for end in ends]
        for task in sending:
            assert task.result() is True
        for end in ends:
            assert len(end.recv()) == len(message)
