"""When frames leave: single ones at once, a burst together, always in order; on a transport without a network."""

from __future__ import annotations

import asyncio
import math

import pytest

from twoway.asyncio import ClientConnection, ConnectionClosedError, State
from twoway.protocol import ClientOptions, ClientProtocol


class Transport:
    """Keep what is written, and do nothing else. No asyncio.Transport, as those of uvloop are none."""

    def __init__(self):
        self.writes = []
        self.limits = None
        self.closing = False

    def write(self, data):
        self.writes.append(bytes(data))

    def set_write_buffer_limits(self, high=None, low=None):
        self.limits = (high, low)

    def is_closing(self):
        return self.closing

    def get_extra_info(self, name, default=None):
        return default

    def can_write_eof(self):
        return True

    def write_eof(self):
        self.writes.append("EOF")

    def abort(self):
        self.closing = True

    close = abort

    def pause_reading(self):
        pass

    resume_reading = pause_reading


class Logger:
    def isEnabledFor(self, level):
        return False


@pytest.fixture
def opened(wire):
    """Open a connection on a transport of our own."""

    async def opened(**settings):
        protocol = ClientProtocol("ws://localhost/", ClientOptions(fragments=True), asyncio.get_running_loop().time())
        connection = ClientConnection(protocol, logger=Logger(), **settings)
        transport = Transport()
        connection.connection_made(transport)
        handshake = asyncio.create_task(connection.handshake())
        await asyncio.sleep(0)
        connection.data_received(wire.answer(transport.writes.pop()))
        await handshake
        assert connection.state is State.OPEN
        return connection, transport

    return opened


@pytest.fixture
def ended():
    """Let the transport tell that the connection is lost."""

    def ended(connection):
        connection.connection_lost(None)

    return ended


def run_at_once(coroutine):
    """Run a coroutine that must not wait."""
    with pytest.raises(StopIteration) as caught:
        coroutine.send(None)
    return caught.value.value


def no_time_passes(connection):
    """Have what follows be taken for a part of the same burst, however busy the machine is."""
    connection._wrote_at = math.inf


def payloads(wire, data):
    """Read short masked text frames."""
    found = []
    while data:
        size = data[1] & 0x7F
        key, payload = data[2:6], data[6 : 6 + size]
        found.append(bytes(byte ^ key[index % 4] for index, byte in enumerate(payload)).decode("latin-1"))
        data = data[6 + size :]
    return found


async def test_a_single_message_is_written_at_once(opened, ended, wire):
    connection, transport = await opened()
    run_at_once(connection.send("now"))
    assert payloads(wire, b"".join(transport.writes)) == ["now"]
    ended(connection)


async def test_a_single_message_after_a_quiet_while_is_written_at_once(opened, ended, wire):
    connection, transport = await opened()
    for number in range(3):
        run_at_once(connection.send(str(number)))
        assert len(transport.writes) == number + 1
        await asyncio.sleep(0.005)
    assert payloads(wire, b"".join(transport.writes)) == ["0", "1", "2"]
    ended(connection)


async def test_pipelined_messages_are_answered_in_one_write(opened, ended, wire):
    connection, transport = await opened()

    async def echo():
        async for message in connection:
            await connection.send(message)

    task = asyncio.create_task(echo())
    await asyncio.sleep(0)
    numbers = [str(number) for number in range(32)]
    connection.data_received(b"".join(wire.frame(0x81, number.encode()) for number in numbers))
    for _ in range(3):
        await asyncio.sleep(0)
    (data,) = transport.writes
    assert payloads(wire, data) == numbers
    task.cancel()
    ended(connection)


async def test_answers_leave_when_the_application_waits_in_the_middle_of_a_batch(opened, ended, wire):
    connection, transport = await opened()
    go_on = asyncio.Event()

    async def answer():
        async for message in connection:
            await connection.send(message)
            if message == "1":
                await go_on.wait()

    task = asyncio.create_task(answer())
    await asyncio.sleep(0)
    connection.data_received(b"".join(wire.frame(0x81, number) for number in (b"0", b"1", b"2")))
    for _ in range(3):
        await asyncio.sleep(0)
    assert payloads(wire, b"".join(transport.writes)) == ["0", "1"]
    go_on.set()
    for _ in range(3):
        await asyncio.sleep(0)
    assert payloads(wire, b"".join(transport.writes)) == ["0", "1", "2"]
    task.cancel()
    ended(connection)


async def test_who_keeps_up_with_a_full_queue_gets_everything_in_order(opened, ended, wire):
    connection, _ = await opened(max_queue=2)
    received = []

    async def collect():
        async for message in connection:
            received.append(message)

    task = asyncio.create_task(collect())
    await asyncio.sleep(0)
    for start in range(0, 100, 10):
        connection.data_received(b"".join(wire.frame(0x81, b"%d" % number) for number in range(start, start + 10)))
        for _ in range(3):
            await asyncio.sleep(0)
    assert received == [str(number) for number in range(100)]
    task.cancel()
    ended(connection)


async def test_a_burst_leaves_in_two_writes_and_in_order(opened, ended, wire):
    connection, transport = await opened()
    for number in range(10):
        run_at_once(connection.send(str(number)))
        no_time_passes(connection)
    assert len(transport.writes) == 1
    await asyncio.sleep(0)
    first, rest = transport.writes
    assert payloads(wire, first) == ["0"]
    assert payloads(wire, rest) == [str(number) for number in range(1, 10)]
    ended(connection)


async def test_what_waits_is_bounded(opened, ended):
    connection, transport = await opened()
    for _ in range(10):
        run_at_once(connection.send(bytes(40_000)))
    assert sum(map(len, transport.writes)) > 300_000
    await asyncio.sleep(0)
    assert sum(map(len, transport.writes)) > 400_000
    ended(connection)


async def test_an_answer_to_a_ping_keeps_its_place(opened, ended, wire):
    connection, transport = await opened()
    run_at_once(connection.send("0"))
    no_time_passes(connection)
    run_at_once(connection.send("1"))
    connection.data_received(wire.frame(0x89, b"ping"))
    assert payloads(wire, b"".join(transport.writes)) == ["0", "1", "ping"]
    await asyncio.sleep(0)
    assert len(transport.writes) == 2
    ended(connection)


async def test_nothing_is_written_after_the_transport_is_gone(opened, ended):
    connection, transport = await opened()
    run_at_once(connection.send("0"))
    no_time_passes(connection)
    run_at_once(connection.send("1"))
    transport.closing = True
    ended(connection)
    await asyncio.sleep(0)
    assert len(transport.writes) == 1


async def test_send_waits_while_the_transport_is_full(opened, ended, wire):
    connection, transport = await opened(write_limit=(1000, 10))
    assert transport.limits == (1000, 10)
    connection.pause_writing()
    sending = [asyncio.create_task(call) for call in (connection.send("0"), connection.send(["1"]), connection.ping())]
    sending.append(asyncio.create_task(connection.pong()))
    await asyncio.sleep(0)
    assert not any(task.done() for task in sending)
    connection.resume_writing()
    connection.pause_writing()  # full again before anybody could look
    await asyncio.sleep(0)
    assert not any(task.done() for task in sending)
    sending.pop().cancel()
    await asyncio.sleep(0)
    connection.resume_writing()
    await asyncio.gather(*sending)
    assert "0" in payloads(wire, b"".join(transport.writes))
    ended(connection)


async def test_only_the_newest_ping_is_answered_while_the_transport_is_full(opened, ended, wire):
    connection, transport = await opened()
    connection.pause_writing()
    for number in range(1000):
        connection.data_received(wire.frame(0x89, str(number).encode()))
    assert transport.writes == []
    connection.resume_writing()
    await asyncio.sleep(0)
    assert payloads(wire, b"".join(transport.writes)) == ["999"]
    ended(connection)


async def test_a_low_mark_is_made_from_a_high_one(opened, ended):
    connection, transport = await opened(write_limit=1000)
    assert transport.limits == (1000, 250)
    ended(connection)


async def test_a_reset_that_the_transport_did_not_notice_ends_the_connection(opened, ended, wire):
    connection, transport = await opened()

    def write_eof():
        raise OSError(107, "Transport endpoint is not connected")

    transport.write_eof = write_eof
    connection.data_received(wire.frame(0x83))
    assert transport.closing
    ended(connection)
    await connection.wait_closed()


async def test_an_answer_before_the_request_fails_the_handshake(wire):
    protocol = ClientProtocol("ws://localhost/", ClientOptions(), asyncio.get_running_loop().time())
    connection = ClientConnection(protocol, logger=Logger())
    connection.connection_made(Transport())
    connection.data_received(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(Exception, match="before the request"):
        await connection.handshake()
    connection.connection_lost(None)


async def test_a_loop_of_sends_lets_the_event_loop_tell_of_a_failed_write(opened, ended):
    connection, transport = await opened()

    async def send_for_ever():
        while True:
            await connection.send("x")

    transport.closing = True
    sending = asyncio.create_task(send_for_ever())
    await asyncio.sleep(0)
    ended(connection)
    with pytest.raises(ConnectionClosedError):
        await sending


async def test_what_was_received_before_the_transport_failed_can_be_taken(opened, ended, wire):
    connection, transport = await opened(max_queue=(2, 1))
    connection.data_received(wire.frame(0x81, b"x") * 3)
    transport.closing = True
    assert [await connection.recv() for _ in range(3)] == ["x"] * 3
    ended(connection)


async def test_a_connection_that_was_never_made_can_be_aborted():
    connection = ClientConnection(ClientProtocol("ws://localhost/"), logger=Logger())
    connection.abort()
    assert connection.state is State.CLOSED


async def test_a_transport_that_is_over_is_not_aborted(opened):
    connection, transport = await opened()
    transport.close()
    connection.connection_lost(None)
    transport.abort = lambda: pytest.fail("those of asyncio raise AttributeError when they have flushed what they held")
    connection.abort()
    assert connection.state is State.CLOSED
