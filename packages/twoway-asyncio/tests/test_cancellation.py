"""Calls that are cancelled lose nothing, leak nothing, and leave a connection that tells the truth."""

from __future__ import annotations

import asyncio

import pytest

from twoway.asyncio import ConnectionClosedError, State, connect, serve

PLAIN = {"compression": None}


async def cancel(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def started(coroutine):
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(0)
    assert not task.done()
    return task


@pytest.mark.feature("cancel any call without loss")
async def test_recv_loses_nothing(connected):
    async with connected() as (client, server):
        await cancel(await started(server.recv()))
        await client.send("one")
        assert await server.recv() == "one"


@pytest.mark.feature("cancel any call without loss")
async def test_recv_loses_nothing_when_the_message_has_just_come(connected):
    async with connected() as (client, server):
        receiving = await started(server.recv())
        await client.send("one")
        while not len(server._inbox) and not receiving.done():
            await asyncio.sleep(0)
        if receiving.done():  # the compiled data path lets the task go on at once
            assert await receiving == "one"
        else:
            await cancel(receiving)
            assert await server.recv() == "one"


@pytest.mark.feature("cancel any call without loss")
async def test_recv_with_a_timeout_can_be_repeated(connected):
    async with connected() as (client, server):
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(server.recv(), 0.01)
        await client.send("one")
        assert await server.recv() == "one"


@pytest.mark.feature("cancel any call without loss")
async def test_recv_streaming_can_be_followed_by_the_next_message(connected):
    async with connected() as (client, server):
        go_on = asyncio.Event()

        async def slow():
            yield "a"
            await go_on.wait()
            yield "b"

        sending = asyncio.create_task(client.send(slow()))
        parts = server.recv_streaming()
        assert await anext(parts) == "a"
        await cancel(await started(anext(parts)))
        with pytest.raises(StopAsyncIteration):
            await anext(parts)
        go_on.set()
        await sending
        await client.send("next")
        assert await server.recv() == "next"


@pytest.mark.feature("cancel any call without loss")
async def test_send_that_waits_for_room_has_sent(connected):
    async with connected(PLAIN, PLAIN) as (client, server):
        count = 0
        while True:
            count += 1
            sending = asyncio.create_task(client.send(count.to_bytes(65536)))
            if not (await asyncio.wait({sending}, timeout=0.05))[0]:
                break
        await cancel(sending)
        assert client.state is State.OPEN
        for number in range(1, count + 1):
            assert await server.recv() == number.to_bytes(65536)


@pytest.mark.feature("cancel any call without loss")
async def test_a_fragmented_send_fails_the_connection_and_says_so(connected):
    async with connected() as (client, server):

        async def endless():
            yield "a"
            await asyncio.Event().wait()

        await cancel(await started(client.send(endless())))
        assert client.state is State.CLOSING
        for end in (client, server):
            with pytest.raises(ConnectionClosedError, match="fragmented message was not finished"):
                await end.recv()


async def test_a_fragmented_send_before_its_first_part_does_no_harm(connected):
    async with connected() as (client, server):

        async def endless():
            await asyncio.Event().wait()
            yield "a"

        await cancel(await started(client.send(endless())))
        await client.send("fine")
        assert await server.recv() == "fine"


@pytest.mark.feature("cancel any call without loss")
async def test_a_send_that_waits_for_a_fragmented_one_is_not_sent(connected):
    async with connected() as (client, server):
        go_on = asyncio.Event()

        async def slow():
            yield "a"
            await go_on.wait()

        fragmented = await started(client.send(slow()))
        await cancel(await started(client.send("never")))
        go_on.set()
        await fragmented
        await client.send("next")
        assert [await server.recv(), await server.recv()] == ["a", "next"]


@pytest.mark.feature("cancel any call without loss")
async def test_waiting_for_a_pong_can_be_given_up(connected):
    async with connected() as (client, server):
        server.transport.pause_reading()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(await client.ping(), 0.01)
        server.transport.resume_reading()
        await (await client.ping())


@pytest.mark.feature("cancel any call without loss")
async def test_close_goes_on_by_itself(wire):
    may_answer = asyncio.Event()

    async def behave(reader, writer):
        await wire.accept(reader, writer)
        await may_answer.wait()
        writer.write(wire.close())
        await reader.read(100)

    async with wire.server(behave) as uri:
        client = await connect(uri)
        await cancel(await started(client.close()))
        assert client.state is State.CLOSING
        await cancel(await started(client.wait_closed()))
        await cancel(await started(client.send("too late")))
        may_answer.set()
        await client.wait_closed()
        assert client.close_code == 1000


@pytest.mark.feature("cancel any call without loss")
@pytest.mark.parametrize("steps", range(12))
async def test_connect_leaves_nothing_behind_wherever_it_is_cancelled(serving, steps):
    async with serving() as (server, uri):
        connecting = asyncio.create_task(connect(uri)._connect())
        for _ in range(steps):
            await asyncio.sleep(0)
        connecting.cancel()
        try:
            client = await connecting
        except asyncio.CancelledError:
            pass
        else:
            await client.close()
        async with connect(uri) as after:  # accepted after the other one, if that came so far
            await after.send("x")
            assert await after.recv() == "x"
        while server._connections:
            await asyncio.sleep(0.01)


async def test_connect_can_be_given_up_while_the_server_is_silent(wire, never):
    async with wire.server(never) as uri:
        connecting = asyncio.create_task(connect(uri)._connect())
        await asyncio.sleep(0.05)
        await cancel(connecting)


async def test_a_cancelled_context_ends_its_connection(serving):
    async with serving() as (_, uri):
        inside = asyncio.Event()
        clients = []

        async def use():
            async with connect(uri) as client:
                clients.append(client)
                inside.set()
                await client.recv()

        task = asyncio.create_task(use())
        await inside.wait()
        await cancel(task)
        assert clients[0].close_code == 1000


async def test_a_handler_that_is_cancelled_with_its_loop_drops_its_connection(serving):
    """As at the end of `asyncio.run`, when nobody has closed the server."""
    handling = asyncio.Event()

    async def handler(connection):
        handling.set()
        await connection.recv()

    async with serving(handler) as (server, uri), connect(uri) as client:
        await handling.wait()
        (task,) = server._tasks
        await cancel(task)
        with pytest.raises(ConnectionClosedError):
            await client.recv()


async def test_a_callback_that_is_cancelled_with_its_loop_drops_its_connection(serving, wire):
    thinking = asyncio.Event()

    async def process_request(connection, request):
        thinking.set()
        await asyncio.Event().wait()

    async with serving(process_request=process_request) as (server, uri), wire.client(uri) as (reader, _):
        await thinking.wait()
        (task,) = server._tasks
        await cancel(task)
        assert await reader.read() == b""


async def test_a_callback_is_stopped_when_its_client_leaves(serving, wire):
    thinking, stopped = asyncio.Event(), asyncio.Event()

    async def process_request(connection, request):
        thinking.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with serving(process_request=process_request) as (_, uri), wire.client(uri) as (_, writer):
        await thinking.wait()
        writer.transport.abort()
        await stopped.wait()


async def test_waiting_for_the_server_can_be_given_up(serving):
    go_on = asyncio.Event()

    async def handler(connection):
        await go_on.wait()

    server = await serve(handler, "127.0.0.1", 0)
    async with connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"):
        server.close()
        await cancel(await started(server.wait_closed()))
        go_on.set()
        await server.wait_closed()
