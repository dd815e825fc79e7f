"""Nobody's memory grows because somebody else is slow."""

from __future__ import annotations

import asyncio
import socket

import pytest

from twoway.asyncio import ConnectionClosedError, State, connect

PLAIN = {"compression": None}


async def fill(connection, size=65536):
    """Send until the other side takes no more; give the task that waits, and a counter."""
    sent = []

    async def send():
        while True:
            await connection.send(bytes(size))
            sent.append(size)

    sending = asyncio.create_task(send())
    before = -1
    while before != len(sent):
        before = len(sent)
        await asyncio.sleep(0.05)
    return sending, sent


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.feature("backpressure in both directions")
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("way", ["client to server", "server to client"])
async def test_send_waits_for_a_slow_application_and_goes_on(connected, secure, way):
    async with connected(PLAIN, PLAIN, secure) as ends:
        sender, receiver = ends if way == "client to server" else reversed(ends)
        sending, sent = await fill(sender)
        stuck_at = len(sent)
        for _ in range(stuck_at + 1):
            assert len(await receiver.recv()) == 65536
        assert len(sent) > stuck_at
        await cancelled(sending)


@pytest.mark.feature("backpressure in both directions")
async def test_what_waits_to_be_received_is_bounded(connected):
    options = {**PLAIN, "max_queue": (4, 2)}
    async with connected(PLAIN, options) as (client, server):
        sending, _ = await fill(client)
        assert 4 <= len(server._inbox) <= 4 + 4  # those that came with the one that was too much
        await cancelled(sending)


async def test_without_max_queue_everything_is_taken(connected):
    async with connected(PLAIN, {**PLAIN, "max_queue": None}) as (client, server):
        for number in range(1000):
            await client.send(str(number))
        await (await client.ping())
        assert [await server.recv() for _ in range(1000)] == [str(number) for number in range(1000)]


@pytest.mark.feature("backpressure in both directions")
@pytest.mark.parametrize("max_queue", [0, 1, (2, 0)])
async def test_small_queues_work(connected, max_queue):
    options = {**PLAIN, "max_queue": max_queue}
    async with connected(options, options) as (client, server):
        for number in range(20):
            await client.send(str(number))
        assert [await server.recv() for _ in range(20)] == [str(number) for number in range(20)]
        await client.send(["a", "b"] * 10)
        assert await server.recv() == "ab" * 10
        await client.send(["a", "b"] * 10)
        assert "".join([part async for part in server.recv_streaming()]) == "ab" * 10


async def test_a_refusal_ends_in_spite_of_a_queue_of_zero(serving, wire):
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serving(max_queue=0) as (_, uri), wire.client(uri, request) as (reader, writer):
        assert (await reader.read()).startswith(b"HTTP/1.1 426")
        writer.close()


@pytest.mark.feature("backpressure in both directions")
async def test_what_waits_to_be_written_is_bounded(wire, never):
    async def behave(reader, writer):
        await wire.accept(reader, writer)
        await never(reader, writer)

    async with wire.server(behave) as uri:
        client = await connect(uri, write_limit=100_000, close_timeout=0.1, **PLAIN)
        sending, _ = await fill(client)
        assert client.transport.get_write_buffer_size() <= 100_000 + 2 * 65536
        closing = asyncio.create_task(client.close())  # in spite of the full buffer
        with pytest.raises(ConnectionClosedError):
            await sending
        await closing


@pytest.mark.feature("answer pings")
async def test_a_slow_application_still_answers_pings_when_it_reads_on(connected):
    async with connected(PLAIN, PLAIN) as (client, server):
        sending, sent = await fill(client)
        await cancelled(sending)
        pinging = asyncio.create_task(client.ping())
        for _ in range(len(sent) + 1):
            await server.recv()
        await (await pinging)


@pytest.mark.feature("heartbeat: a dead peer is noticed")
async def test_a_slow_application_does_not_make_the_peer_look_dead(connected):
    options = {**PLAIN, "ping_interval": 0.05, "ping_timeout": 0.05}
    async with connected(PLAIN, options) as (client, server):
        sending, _ = await fill(client)
        await asyncio.sleep(0.3)  # several times both
        assert server.state is State.OPEN
        await cancelled(sending)


async def test_close_works_while_messages_wait(connected):
    async with connected(PLAIN, PLAIN) as (client, server):
        for _ in range(100):
            await client.send("x")
        await client.send(b"y" * 10)
        while not server._inbox.full:
            await asyncio.sleep(0)
        await server.close()
        assert client.close_code == 1000
        assert await server.recv() == "x"  # what was taken before can be received


async def test_what_comes_together_with_a_close_frame_is_all_received(serving, wire):
    received = asyncio.get_running_loop().create_future()

    async def handler(connection):
        await connection.wait_closed()
        received.set_result([message async for message in connection])

    sent = [str(number) for number in range(50)]
    async with serving(handler, max_queue=4) as (_, uri), wire.opened(uri) as (_, writer):
        frames = [wire.frame(0x81, message.encode(), masked=True) for message in sent]
        writer.write(b"".join([*frames, wire.close(masked=True)]))
        writer.write_eof()
        assert await received == sent


async def test_a_message_that_does_not_fit_while_closing_leaves_no_hole(serving, wire):
    received = asyncio.get_running_loop().create_future()

    async def handler(connection):
        while len(connection._inbox) < 2:
            await asyncio.sleep(0)
        closing = asyncio.create_task(connection.close())
        await asyncio.sleep(0)
        writer.write(wire.frame(0x00, b"2", masked=True))
        writer.write(wire.frame(0x00, b"3", masked=True))
        while not connection._dropping:
            await asyncio.sleep(0)
        messages = [await connection.recv()]  # there is room again
        writer.write(wire.frame(0x80, b"4", masked=True) + wire.frame(0x81, b"next", masked=True))
        writer.write(wire.close(masked=True))
        writer.write_eof()
        await closing
        with pytest.raises(Exception, match="closed"):
            while True:
                messages.append(await connection.recv())
        received.set_result(messages)

    async with serving(handler, max_queue=(3, 2)) as (_, uri), wire.opened(uri) as (_, writer):
        writer.write(wire.frame(0x81, b"first", masked=True) + wire.frame(0x01, b"1", masked=True))
        assert await received == ["first"]


async def test_fragments_of_a_wanted_message_are_not_too_many(connected):
    async with connected(PLAIN, {**PLAIN, "max_queue": 4}) as (client, server):
        receiving = asyncio.create_task(server.recv())
        await client.send([b"x"] * 500)
        assert await receiving == b"x" * 500
        await client.send([b"x"] * 500)
        await client.send("next")
        assert await server.recv() == b"x" * 500
        assert await server.recv() == "next"


async def test_reading_goes_on_for_the_rest_of_a_message_that_somebody_wants(connected):
    async with connected(PLAIN, {**PLAIN, "max_queue": (4, 1)}) as (client, server):
        go_on = asyncio.Event()

        async def slow():
            for _ in range(10):
                yield "x"
            await go_on.wait()
            yield "y"

        sending = asyncio.create_task(client.send(slow()))
        while server._reading:
            await asyncio.sleep(0)
        go_on.set()
        assert await server.recv() == "x" * 10 + "y"
        await sending


@pytest.mark.feature("limits against hostile peers")
async def test_a_ping_flood_from_a_peer_that_does_not_read_costs_no_memory(serving, wire):
    accepted = asyncio.get_running_loop().create_future()

    async def handler(connection):
        accepted.set_result(connection)
        await connection.wait_closed()

    async with serving(handler, close_timeout=0.1) as (_, uri), wire.opened(uri) as (_, writer):
        writer.transport.pause_reading()
        connection = await accepted
        for _ in range(300):
            writer.write(wire.frame(0x89, b"x" * 125, masked=True) * 100)
            await asyncio.sleep(0)
        assert connection.transport.get_write_buffer_size() < 1_000_000


class Fragile(socket.socket):
    """A socket that takes nothing at first, then one piece of data, and breaks."""

    takes = 0

    def send(self, data, flags=0):
        if self.takes == 0:
            raise BlockingIOError
        self.takes -= 1
        if self.takes == 0:
            raise BrokenPipeError
        return super().send(data, flags)

    def sendmsg(self, buffers, *args):  # Python 3.12 and newer send what has waited so
        return self.send(b"".join(buffers))


async def test_a_write_that_fails_when_there_is_room_again_is_told_once(serving):
    loop = asyncio.get_running_loop()
    if type(loop).__module__.startswith("uvloop"):
        pytest.skip("NOT TESTED HERE: uvloop writes without asking the socket")
    problems, served = [], []
    loop.set_exception_handler(lambda loop, context: problems.append(context))

    async def handler(connection):
        served.append(await connection.recv())
        await connection.ping(b"are you there?")
        await connection.send("go on")
        await connection.wait_closed()

    async with serving(handler) as (server, _):
        with Fragile() as sock:
            sock.takes = 1000
            sock.connect(server.sockets[0].getsockname())
            sock.setblocking(False)
            async with connect("ws://localhost/", sock=sock, write_limit=100, **PLAIN) as client:
                await client.send("first")
                sock.takes = 0
                sending = asyncio.create_task(client.send(bytes(1000)))
                assert await client.recv() == "go on"  # and the pong waits
                sock.takes = 2
                await sending
                await client.wait_closed()
                assert isinstance(client.protocol.close_exc.__cause__, BrokenPipeError)
    assert (served, problems) == (["first"], [])
