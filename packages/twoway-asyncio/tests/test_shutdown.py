"""`Server.shutdown`: gentle at first, and over when it says."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest

from twoway.asyncio import ConnectionClosed, ConnectionClosedError, InvalidStatus, State, connect
from twoway.asyncio import _shutdown as module


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Have the constants small: who waits for them waits in vain here."""
    monkeypatch.setattr(module, "_LAST_WORDS", 0.05)
    monkeypatch.setattr(module, "_PATIENCE", 0.2)


def facts(report):
    return {name: getattr(report, name) for name in report.__slots__ if getattr(report, name)}


async def forever(connection):
    await asyncio.Event().wait()


@pytest.mark.feature("graceful shutdown")
async def test_connections_are_closed_and_told_why(serving):
    async with serving() as (server, uri), connect(uri) as first, connect(uri) as second:
        report = await server.shutdown(code=1012, reason="back soon")
        assert facts(report) == {"closed": 2}
        assert [(one.close_code, one.close_reason) for one in (first, second)] == [(1012, "back soon")] * 2
        assert not server.is_serving()
        await server.wait_closed()
        with pytest.raises(OSError, match="refused|Connect call failed"):
            await connect(uri)


async def test_the_default_is_going_away(serving):
    async with serving() as (server, uri), connect(uri) as client:
        await server.shutdown()
        assert (client.close_code, client.close_reason) == (1001, "")


async def test_without_connections(serving):
    async with serving() as (server, _):
        assert facts(await server.shutdown()) == {}


@pytest.mark.feature("graceful shutdown")
async def test_handlers_may_finish_their_work(serving):
    finished = []

    async def handler(connection):
        async for _ in connection:
            pass
        await asyncio.sleep(0.05)
        finished.append(connection)

    async with serving(handler) as (server, uri), connect(uri):
        assert facts(await server.shutdown()) == {"closed": 1}
        assert len(finished) == 1


@pytest.mark.feature("graceful shutdown")
async def test_handlers_that_do_not_end_are_cancelled(serving):
    cleaned = []

    async def handler(connection):
        try:
            await forever(connection)
        finally:
            await asyncio.sleep(0)
            cleaned.append(connection)

    async with serving(handler) as (server, uri), connect(uri) as client:
        assert facts(await server.shutdown(grace=0.5)) == {"closed": 1, "cancelled": 1}
        assert len(cleaned) == 1
        assert client.close_code == 1001


@pytest.mark.feature("graceful shutdown")
async def test_connections_that_do_not_end_are_aborted(serving, wire):
    async with serving() as (server, uri), wire.opened(uri) as (reader, _):
        while not server.connections:
            await asyncio.sleep(0)
        assert facts(await server.shutdown(grace=0.05)) == {"aborted": 1, "cancelled": 1}
        with suppress(ConnectionResetError):
            assert await reader.read() == wire.close(1001)


async def test_a_handler_that_ignores_cancellation_cannot_hold_it(serving, caplog):
    let_go = asyncio.Event()

    async def handler(connection):
        while not let_go.is_set():
            with suppress(asyncio.CancelledError):
                await let_go.wait()

    async with serving(handler) as (server, uri):
        async with connect(uri):
            assert facts(await server.shutdown(grace=0.5)) == {"closed": 1, "cancelled": 1, "abandoned": 1}
            await server.wait_closed()
        (record,) = caplog.records
        assert "1 tasks of connections were cancelled, but ignore it" in record.getMessage()
        let_go.set()
        while server._tasks:
            await asyncio.sleep(0)


async def test_without_grace_all_is_cut_off(serving):
    async with serving(forever) as (server, uri), connect(uri) as client:
        report = await server.shutdown(grace=0)
        assert report.cancelled == 1
        assert report.closed + report.aborted == 1
        await client.wait_closed()


@pytest.mark.feature("graceful shutdown")
async def test_it_takes_no_longer_than_its_grace_though_close_timeout_is_longer(serving, never, wire):
    """The peer neither reads nor writes, and the handler waits for room in the write buffer."""

    async def handler(connection):
        while True:
            await connection.send(b"x" * 100_000)

    async with (
        serving(handler, close_timeout=None, ping_interval=None, compression=None) as (server, uri),
        wire.client(uri) as (_, writer),
    ):
        writer.transport.pause_reading()
        while not server.connections or next(iter(server.connections))._writable:
            await asyncio.sleep(0)
        report = await server.shutdown(grace=0.1)
        assert facts(report) == {"aborted": 1, "cancelled": 1}


# Spreading


@pytest.mark.feature("graceful shutdown")
async def test_close_frames_are_spread(serving):
    order = []

    async def wait(client):
        await client.wait_closed()
        order.append(asyncio.get_running_loop().time())

    async with serving() as (server, uri), AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(uri)) for _ in range(4)]
        waits = [asyncio.create_task(wait(client)) for client in clients]
        begun = asyncio.get_running_loop().time()
        report = await server.shutdown(spread=0.4)
        await asyncio.gather(*waits)
        assert facts(report) == {"closed": 4}
        # Not before its turn; how long after it, nobody knows.
        assert all(time - begun >= 0.09 * number for number, time in enumerate(order))


async def test_connections_are_served_until_it_is_their_turn(serving):
    async with serving() as (server, uri), connect(uri) as first, connect(uri) as second:
        closing = asyncio.create_task(server.shutdown(spread=5))
        done, _ = await asyncio.wait(
            [asyncio.create_task(one.wait_closed()) for one in (first, second)], return_when=asyncio.FIRST_COMPLETED
        )
        assert len(done) == 1
        (last,) = (one for one in (first, second) if one.state is State.OPEN)
        await last.send("still there?")
        assert await last.recv() == "still there?"
        await last.close()
        assert facts(await closing) == {"closed": 2}


async def test_who_leaves_before_its_turn_needs_no_close_frame(serving):
    async with serving() as (server, uri), AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(uri)) for _ in range(5)]
        closing = asyncio.create_task(server.shutdown(grace=60, spread=60))
        await asyncio.sleep(0)
        for client in clients:
            client.abort()
        report = await closing
        assert report.closed + report.aborted == 5
        assert report.aborted >= 4


# Opening handshakes


@pytest.mark.feature("graceful shutdown")
async def test_a_handshake_under_way_gets_503(serving):
    thinking = asyncio.Event()

    async def process_request(connection, request):
        thinking.set()
        await forever(connection)

    async with serving(process_request=process_request) as (server, uri):
        client = asyncio.create_task(connect(uri).__aenter__())
        await thinking.wait()
        assert facts(await server.shutdown()) == {"refused": 1}
        with pytest.raises(InvalidStatus, match="503"):
            await client


@pytest.mark.feature("graceful shutdown")
async def test_a_request_that_comes_later_gets_503(serving, wire):
    async with serving() as (server, uri), connect(uri), wire.client(uri, b"") as (reader, writer):
        while len(server._connections) < 2:
            await asyncio.sleep(0)
        closing = asyncio.create_task(server.shutdown())
        await asyncio.sleep(0)
        writer.write(wire.REQUEST)
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        assert facts(await closing) == {"closed": 1, "refused": 1}


@pytest.mark.parametrize("grace", [0.05, 10])
async def test_who_sends_no_request_is_not_waited_for(serving, wire, grace):
    async with serving(open_timeout=None) as (server, uri), wire.client(uri, b"GET /") as (reader, _):
        while not server._connections:
            await asyncio.sleep(0)
        assert facts(await server.shutdown(grace=grace)) == {}
        with suppress(ConnectionResetError):
            assert await reader.read() == b""


async def test_a_callback_that_ignores_cancellation_cannot_hold_it(serving, wire, caplog):
    let_go, thinking = asyncio.Event(), asyncio.Event()

    async def process_request(connection, request):
        while not let_go.is_set():
            thinking.set()
            with suppress(asyncio.CancelledError):
                await let_go.wait()

    async with serving(process_request=process_request) as (server, uri), wire.client(uri):
        await thinking.wait()
        assert facts(await server.shutdown(grace=0.05)) == {"refused": 1, "abandoned": 1}
        let_go.set()
        while server._tasks:
            await asyncio.sleep(0)
    assert len(caplog.records) == 1


async def test_who_was_refused_and_does_not_hang_up_is_not_waited_for(serving, wire):
    async with serving(close_timeout=None) as (server, uri), wire.client(uri, b"nonsense\r\n\r\n") as (reader, _):
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        assert len(server._connections) == 1
        assert facts(await server.shutdown()) == {}
        assert not server._connections


async def test_who_was_refused_may_be_gone_while_others_are_waited_for(serving, wire, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.02)
    thinking = asyncio.Event()

    async def process_request(connection, request):
        if request.path == "/slow":
            thinking.set()
            await forever(connection)

    async with serving(forever, process_request=process_request) as (server, uri), connect(uri):
        client = asyncio.create_task(connect(uri + "slow").__aenter__())
        await thinking.wait()
        closing = asyncio.create_task(server.shutdown(grace=0.5))
        with pytest.raises(InvalidStatus, match="503"):
            await client
        assert facts(await closing) == {"closed": 1, "refused": 1, "cancelled": 1}


# Calls


async def test_further_calls_wait_for_the_first_one(serving):
    async with serving() as (server, uri), connect(uri) as client:
        reports = await asyncio.gather(server.shutdown(code=4000), server.shutdown(code=4001))
        assert reports[0] is reports[1]
        assert await server.shutdown() is reports[0]
        assert client.close_code == 4000
        server.close()


async def test_cancelling_the_call_does_not_stop_it(serving):
    async with serving(forever) as (server, uri), connect(uri) as client:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await server.shutdown(grace=0.1)
        await server.wait_closed()
        assert client.close_code == 1001


async def test_it_bounds_a_close_that_waits(serving):
    async with serving(forever) as (server, uri), connect(uri):
        server.close()
        waiting = asyncio.create_task(server.wait_closed())
        await asyncio.sleep(0)
        assert facts(await server.shutdown(grace=0.05))["cancelled"] == 1
        await waiting


async def test_it_can_be_called_when_all_is_over(serving):
    async with serving() as (server, _):
        pass
    assert facts(await server.shutdown()) == {}


async def test_a_handler_that_waits_for_it_is_cancelled(serving):
    async def handler(connection):
        await connection.server.shutdown(grace=0.05)

    async with serving(handler) as (server, uri), connect(uri) as client:
        with pytest.raises(ConnectionClosed):
            await client.recv()
        await server.wait_closed()


async def test_serve_forever_ends_with_it(serving):
    async with serving() as (server, _):
        forever = asyncio.create_task(server.serve_forever())
        await server.shutdown()
        await forever


def test_the_end_of_the_event_loop_ends_it():
    from twoway.asyncio import serve

    async def main():
        server = await serve(forever, "127.0.0.1", 0)
        client = await connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        task = asyncio.create_task(server.shutdown(grace=1000))
        await client.wait_closed()
        assert not task.done()
        return task

    assert asyncio.run(main()).cancelled()


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        ({"grace": -1}, ValueError, "grace"),
        ({"grace": float("inf")}, ValueError, "grace"),
        ({"grace": None}, TypeError, "grace"),
        ({"grace": True}, TypeError, "grace"),
        ({"spread": 11}, ValueError, "spread must be 0 to 10 seconds"),
        ({"spread": "1"}, TypeError, "spread"),
        ({"code": 999}, ValueError, "code"),
        ({"reason": "x" * 124}, ValueError, "reason"),
    ],
)
async def test_wrong_arguments_do_no_harm(serving, arguments, error, name):
    async with serving() as (server, _):
        with pytest.raises(error, match=name):
            await server.shutdown(**arguments)
        assert server.is_serving()


async def test_close_as_in_websockets(serving):
    async with serving() as (server, uri), connect(uri) as client:
        server.close(close_connections=True, code=1001, reason="")
        with pytest.raises(ConnectionClosed):
            await client.recv()
        await server.wait_closed()
        assert (client.close_code, client.close_reason) == (1001, "")


@pytest.mark.feature("graceful shutdown")
async def test_over_tls(connected):
    async with connected(secure=True) as (client, server):
        closing = asyncio.create_task(server.server.shutdown(grace=0.5, code=4000))
        with pytest.raises(ConnectionClosedError, match="4000"):
            await client.recv()
        assert (await closing).closed == 1
