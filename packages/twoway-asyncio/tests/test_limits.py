"""Limits of a server: how many connections it takes, and what the others are told."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import AsyncExitStack, suppress

import pytest

from twoway.asyncio import InvalidStatus, connect, serve, unix_serve

# Where the constants are.
MODULE = "twoway.protocol._admission"
LIMITS = ["max_connections", "max_connections_per_address", "max_handshakes"]


@pytest.fixture
def silence():
    """Connect without a request, and wait until the server knows."""

    async def silence(stack, wire, server, uri):
        before = len(server._connections)
        streams = await stack.enter_async_context(wire.client(uri, b""))
        while len(server._connections) == before:
            await asyncio.sleep(0)
        return streams

    return silence


async def count(server, expected):
    while len(server._connections) != expected:
        await asyncio.sleep(0)


@pytest.mark.feature("limit connections, also for each address")
@pytest.mark.parametrize("name", LIMITS)
async def test_one_too_many_gets_503_and_may_come_again_later(serving, wire, silence, name):
    async with serving(**{name: 2}) as (server, uri), AsyncExitStack() as stack:
        first, _ = [await silence(stack, wire, server, uri) for _ in range(2)]
        with pytest.raises(InvalidStatus, match="503") as caught:
            await connect(uri)
        assert caught.value.response.headers["Retry-After"] == "1"
        first[1].transport.abort()
        await count(server, 1)
        async with connect(uri) as client:
            await client.send("hello")
            assert await client.recv() == "hello"


@pytest.mark.feature("limit connections, also for each address")
@pytest.mark.parametrize("name", LIMITS[:2])
async def test_open_connections_count(serving, name):
    async with serving(**{name: 1}) as (server, uri):
        for _ in range(3):
            async with connect(uri):
                with pytest.raises(InvalidStatus, match="503"):
                    await connect(uri)
            await count(server, 0)


async def test_open_connections_are_no_handshakes(serving):
    async with serving(max_handshakes=1) as (_, uri), connect(uri), connect(uri), connect(uri) as client:
        await client.send("hello")
        assert await client.recv() == "hello"


@pytest.mark.feature("limit connections, also for each address")
async def test_a_callback_that_thinks_is_a_handshake(serving, wire):
    go_on = asyncio.Event()

    async def process_request(connection, request):
        if request.path == "/slow":
            await go_on.wait()

    async with serving(process_request=process_request, max_handshakes=1) as (server, uri):
        first = asyncio.create_task(connect(uri + "slow").__aenter__())
        await count(server, 1)
        with pytest.raises(InvalidStatus, match="503"):
            await connect(uri)
        go_on.set()
        await (await first).close()
        async with connect(uri):
            pass


@pytest.mark.parametrize(
    "ending",
    [
        b"nonsense\r\n\r\n",  # answered without being asked
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",  # refused
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",  # answered by a callback
        b"GET /raise HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /slow HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",  # and gone
        b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n",  # takes too long
        b"",  # and gone
    ],
)
@pytest.mark.parametrize("reset", [False, True])
async def test_what_a_connection_took_is_given_back_however_it_ends(serving, wire, caplog, ending, reset):
    async def process_request(connection, request):
        if request.path == "/slow":
            await asyncio.Event().wait()
        assert request.path != "/raise"
        return connection.respond(200, "fine\n") if request.path == "/health" else None

    options = {"process_request": process_request, "open_timeout": 0.3, **dict.fromkeys(LIMITS, 1)}
    async with serving(**options) as (server, uri):
        for _ in range(3):
            async with wire.client(uri, ending) as (reader, writer):
                await count(server, 1)
                if reset:
                    wire.reset(writer)
                elif ending:
                    assert b"503 " not in (await reader.readline()) or b"/slow" in ending
            await count(server, 0)
        async with connect(uri):
            pass
        await count(server, 0)
        admission = server._admission
        assert not (admission._admitted or admission._handshakes or admission._refused or admission._per_address)


async def test_a_handler_that_raises_gives_its_place_back(serving, caplog):
    async def handler(connection):
        raise KeyError

    async with serving(handler, max_connections=1) as (server, uri):
        for _ in range(2):
            async with connect(uri) as client:
                await client.wait_closed()
            await count(server, 0)


@pytest.mark.feature("limit connections, also for each address")
async def test_addresses_are_counted_apart(serving):
    async with serving(max_connections_per_address=1) as (_, uri), connect(uri):
        with pytest.raises(InvalidStatus, match="503"):
            await connect(uri)
        port = int(uri.rstrip("/").rpartition(":")[2])
        other = socket.socket()
        try:
            other.bind(("127.0.0.2", 0))
        except OSError:
            other.close()
            pytest.skip("this system has one loopback address")
        other.setblocking(False)
        await asyncio.get_running_loop().sock_connect(other, ("127.0.0.1", port))
        async with connect(uri, sock=other) as client:
            await client.send("hello")
            assert await client.recv() == "hello"


@pytest.mark.skipif(not hasattr(asyncio, "open_unix_connection"), reason="no Unix sockets here")
async def test_clients_of_a_unix_socket_have_no_address(tmp_path, wire):
    path = tmp_path / "socket"
    async with unix_serve(lambda connection: connection.wait_closed(), path, max_connections_per_address=1) as server:
        clients = [await asyncio.open_unix_connection(path) for _ in range(2)]
        for reader, writer in clients:
            writer.write(wire.REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
        assert len(server.connections) == 2
        for _, writer in clients:
            writer.transport.abort()


# Those who are refused


async def test_who_is_refused_and_sends_nothing_is_dropped_after_the_opening_timeout(serving, wire, silence, caplog):
    caplog.set_level(logging.INFO, "twoway.server")
    async with serving(max_connections=1, open_timeout=0.1) as (server, uri), connect(uri), AsyncExitStack() as stack:
        reader, _ = await silence(stack, wire, server, uri)
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
    assert [record.getMessage() for record in caplog.records] == ["1 connection refused: max_connections=1 is reached"]


@pytest.mark.feature("limit connections, also for each address")
async def test_so_many_are_refused_that_the_rest_is_dropped_at_once(serving, wire, silence, monkeypatch):
    monkeypatch.setattr(f"{MODULE}._MAX_REFUSED", 2)
    async with serving(max_connections=1) as (server, uri), connect(uri), AsyncExitStack() as stack:
        refused = [await silence(stack, wire, server, uri) for _ in range(2)]
        async with wire.client(uri, b"") as (reader, _):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        refused[0][1].write(wire.REQUEST)
        assert (await refused[0][0].read()).startswith(b"HTTP/1.1 503 ")
        refused[0][1].close()
        await count(server, 2)
        with pytest.raises(InvalidStatus, match="503"):
            await connect(uri)


@pytest.mark.feature("logging")
async def test_a_flood_is_no_flood_of_lines(serving, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "twoway.server")
    async with serving(max_connections=1) as (_, uri), connect(uri):
        for interval in (1000, 1000, 1000, 0):
            monkeypatch.setattr(f"{MODULE}._LOG_INTERVAL", interval)
            with pytest.raises(InvalidStatus):
                await connect(uri)
    assert [record.getMessage() for record in caplog.records] == [
        "1 connection refused: max_connections=1 is reached",
        "3 connections refused: max_connections=1 is reached",
    ]


async def test_closing_the_server_refuses_those_who_are_refused(serving, wire, silence):
    async with serving(max_connections=1) as (server, uri), connect(uri), AsyncExitStack() as stack:
        reader, writer = await silence(stack, wire, server, uri)
        closing = asyncio.create_task(server.shutdown())
        await asyncio.sleep(0)
        writer.write(wire.REQUEST)
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        writer.close()
        assert (await closing).closed == 1


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), ("1", TypeError), (True, TypeError)])
def test_wrong_limits_are_refused_by_name(name, value, error):
    with pytest.raises(error, match=name):
        serve(lambda connection: None, **{name: value})


async def test_each_server_of_one_serve_counts_for_itself():
    serving = serve(lambda connection: connection.wait_closed(), "127.0.0.1", 0, max_connections=1)
    async with await serving as first, await serving as second, AsyncExitStack() as stack:
        for server in (first, second):
            port = server.sockets[0].getsockname()[1]
            await stack.enter_async_context(connect(f"ws://127.0.0.1:{port}/"))
