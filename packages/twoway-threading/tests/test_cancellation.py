"""
Calls that are given up lose nothing, leak nothing, and leave a connection that tells the truth.

A call is given up by its timeout, by the end of its connection in another thread, or by an exception from a signal
handler, as of Ctrl-C; the last is tested in processes of their own, in the tests of whole scenarios.
"""

from __future__ import annotations

import threading

import pytest

from twoway.threading import Cause, ConnectionClosedError, InvalidStatus, State, connect, serve

PLAIN = {"compression": None}


@pytest.mark.feature("cancel any call without loss")
@pytest.mark.parametrize("timeout", [0, 0.01])
def test_recv_with_a_timeout_can_be_repeated(ends, timeout):
    with ends() as (sender, receiver):
        for _ in range(3):
            with pytest.raises(TimeoutError):
                receiver.recv(timeout=timeout)
        sender.send("one")
        assert receiver.recv() == "one"


@pytest.mark.feature("cancel any call without loss")
def test_recv_with_short_timeouts_loses_nothing_of_what_comes_meanwhile(ends, spawn):
    def send():
        for number in range(300):
            sender.send(str(number))

    with ends() as (sender, receiver):
        sending, received = spawn(send), []
        while len(received) < 300:
            try:
                received.append(receiver.recv(timeout=0.0002))
            except TimeoutError:
                continue
        sending.result()
        assert received == [str(number) for number in range(300)]


@pytest.mark.feature("cancel any call without loss")
def test_recv_of_a_message_whose_fragments_come_slowly(ends, spawn):
    """A timeout in the middle of a message loses no part of it."""
    go_on = threading.Event()

    def slow():
        yield "a"
        assert go_on.wait(20)
        yield "b"

    with ends() as (sender, receiver):
        sending = spawn(sender.send, slow()).blocked()
        with pytest.raises(TimeoutError):
            receiver.recv(timeout=0.02)
        go_on.set()
        assert receiver.recv() == "ab"
        sending.result()


@pytest.mark.feature("cancel any call without loss")
def test_send_that_did_not_get_room_in_time_has_sent(connected):
    """Unless the error says otherwise, the message is on its way."""
    with connected(PLAIN, PLAIN) as (client, server):
        count = 0
        with pytest.raises(TimeoutError):
            while True:
                count += 1
                client.send(count.to_bytes(65536), timeout=0.05)
        assert client.state is State.OPEN
        for number in range(1, count + 1):
            assert server.recv() == number.to_bytes(65536)
        client.send("next", timeout=20)
        assert server.recv() == "next"


@pytest.mark.feature("cancel any call without loss")
def test_a_fragmented_send_that_times_out_fails_the_connection_and_says_so(silent):
    with silent() as uri:
        client = connect(uri, close_timeout=0.1, **PLAIN).connect()
        with pytest.raises(TimeoutError):
            client.send((bytes(65536) for _ in range(10_000)), timeout=0.1)
        client.wait_closed(timeout=20)
        with pytest.raises(ConnectionClosedError, match="fragmented message was not finished"):
            client.recv()


@pytest.mark.feature("cancel any call without loss")
def test_a_send_that_waits_for_a_fragmented_one_in_vain_is_not_sent(connected, spawn):
    go_on = threading.Event()

    def slow():
        yield "a"
        assert go_on.wait(20)

    with connected() as (client, server):
        fragmented = spawn(client.send, slow()).blocked()
        for message in ("never", ["never"]):
            with pytest.raises(TimeoutError, match="not sent|nothing was sent"):
                client.send(message, timeout=0.02)
        go_on.set()
        fragmented.result()
        client.send("next")
        assert [server.recv(), server.recv()] == ["a", "next"]


@pytest.mark.feature("cancel any call without loss")
def test_waiting_for_a_pong_can_be_given_up(silent):
    with silent() as uri:
        client = connect(uri, close_timeout=0).connect()
        pong = client.ping()
        for timeout in (0, 0.01):
            with pytest.raises(TimeoutError):
                pong.wait(timeout)
        assert not pong.done()
        assert client.state is State.OPEN
        client.abort()


@pytest.mark.feature("cancel any call without loss")
def test_waiting_for_the_end_can_be_given_up(connected):
    with connected() as (client, _):
        for timeout in (0, 0.01):
            with pytest.raises(TimeoutError):
                client.wait_closed(timeout)
        client.close()
        client.wait_closed(timeout=0)


@pytest.mark.parametrize("timeout", [-1, "1", float("nan")])
@pytest.mark.parametrize("name", ["recv", "recv_batch", "send", "wait_closed", "wait for a pong"])
def test_timeouts_are_checked_by_name(connected, name, timeout):
    with connected() as (client, _):
        calls = {
            "recv": client.recv,
            "recv_batch": client.recv_batch,
            "send": lambda timeout: client.send("x", timeout=timeout),
            "wait_closed": client.wait_closed,
            "wait for a pong": client.ping().wait,
        }
        with pytest.raises((TypeError, ValueError), match="timeout"):
            calls[name](timeout=timeout)
        assert client.state is State.OPEN


# The end of the connection, in another thread

CALLS = [
    "recv",
    "recv_batch",
    "recv_streaming",
    "iterate",
    "send",
    "send fragments",
    "ping",
    "wait_closed",
    "close",
]


def blocking_calls(connection):
    """Give calls that wait with a peer who neither reads nor writes."""

    def send():
        while True:
            connection.send(bytes(65536))

    def send_fragments():
        connection.send(bytes(65536) for _ in range(1_000_000))

    return {
        "recv": connection.recv,
        "recv_batch": connection.recv_batch,
        "recv_streaming": lambda: next(connection.recv_streaming()),
        "iterate": lambda: list(connection),
        "send": send,
        "send fragments": send_fragments,
        "ping": lambda: connection.ping().wait(),
        "wait_closed": connection.wait_closed,
        "close": connection.close,
    }


@pytest.mark.feature("cancel any call without loss")
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("call", CALLS)
def test_abort_ends_what_waits_in_another_thread(silent, tls, spawn, call, secure):
    with silent(ssl=tls.server if secure else None) as uri:
        options = {"ping_interval": None, "close_timeout": None, **PLAIN}
        client = connect(uri, ssl=tls.client if secure else None, **options).connect()
        waiting = spawn(blocking_calls(client)[call]).blocked()
        client.abort()
        if call in ("wait_closed", "close"):
            assert waiting.error() is None
        else:
            assert isinstance(waiting.error(), ConnectionClosedError)
        if call != "close":
            assert client.cause is Cause.ABORTED


@pytest.mark.parametrize("call", CALLS)
def test_close_ends_what_waits_in_another_thread(silent, spawn, call):
    seconds = 1 if call == "close" else 0.1  # that call has to be seen to wait
    with silent() as uri:
        client = connect(uri, close_timeout=seconds, ping_interval=None, **PLAIN).connect()
        waiting = spawn(blocking_calls(client)[call]).blocked()
        client.close()
        if call in ("wait_closed", "close"):
            assert waiting.error() is None
        else:
            assert isinstance(waiting.error(), ConnectionClosedError)


def test_close_goes_on_by_itself(wire, spawn):
    may_answer = threading.Event()

    def behave(stream):
        wire.accept(stream)
        assert may_answer.wait(20)
        stream.write(wire.close())
        stream.read(100)

    with wire.server(behave) as uri:
        client = connect(uri).connect()
        closing = spawn(client.close).blocked()
        assert client.state is State.CLOSING
        with pytest.raises(TimeoutError):
            client.wait_closed(timeout=0.01)
        may_answer.set()
        client.wait_closed()
        closing.result()
        assert client.close_code == 1000


def test_who_sends_while_the_connection_closes_learns_how_it_ended(wire, spawn):
    may_answer = threading.Event()

    def behave(stream):
        wire.accept(stream)
        assert may_answer.wait(20)
        stream.write(wire.close())
        stream.read(100)

    with wire.server(behave) as uri:
        client = connect(uri).connect()
        closing = spawn(client.close).blocked()
        late = [spawn(client.send, "late").blocked(), spawn(client.ping).blocked(), spawn(client.recv).blocked()]
        with pytest.raises(TimeoutError, match="not sent|nothing was sent"):
            client.send("too late", timeout=0.01)
        may_answer.set()
        closing.result()
        assert [type(task.error()).__name__ for task in late] == ["ConnectionClosedOK"] * 3


# Connecting


def test_connect_can_be_tried_again_after_a_timeout(wire):
    answer = []

    def behave(stream):
        request = stream.readuntil(b"\r\n\r\n")
        if answer:
            stream.write(wire.answer(request) + wire.frame(0x81, b"hello") + wire.close())
        stream.read()

    with wire.server(behave) as uri:
        connector = connect(uri, open_timeout=0.1)
        with pytest.raises(TimeoutError):
            connector.connect()
        answer.append(True)
        with connect(uri) as client:
            assert client.recv() == "hello"


def test_a_context_whose_body_raises_ends_its_connection(serving):
    with serving() as (_, uri):
        with pytest.raises(KeyboardInterrupt), connect(uri) as client:
            raise KeyboardInterrupt
        assert client.close_code == 1000


# Servers


def test_a_callback_is_not_waited_for_when_its_client_leaves(serving, wire, until):
    """It cannot be stopped; but its answer goes nowhere, and nothing breaks."""
    thinking, go_on = threading.Event(), threading.Event()

    def process_request(connection, request):
        if request.path == "/slow":
            thinking.set()
            assert go_on.wait(20)

    request = wire.REQUEST.replace(b"GET /", b"GET /slow")
    with serving(process_request=process_request, max_connections=1) as (_, uri):
        with wire.client(uri, request) as stream:
            assert thinking.wait(20)
            stream.reset()
        go_on.set()

        def echoed():
            with connect(uri) as client:
                client.send("x")
                return client.recv()

        until(lambda: attempt(echoed) == "x")


def attempt(call):
    """Give what a call returns; None while it is refused."""
    try:
        return call()
    except InvalidStatus:
        return None


def test_waiting_for_the_server_can_be_given_up():
    go_on = threading.Event()
    server = serve(lambda connection: go_on.wait(20), "127.0.0.1", 0)
    with connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"):
        server.close()
        with pytest.raises(TimeoutError):
            server.wait_closed(0.01)
        go_on.set()
        server.wait_closed(20)
