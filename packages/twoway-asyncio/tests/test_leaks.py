"""
What is over is gone: no reference cycle keeps a connection until the garbage collector comes.

Transports of asyncio are cycles themselves, without the connection, so they are not watched.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref

import pytest

from twoway.asyncio import ClientConnection, ConnectionClosed, ConnectionClosedError, InvalidHandshake, connect

pytestmark = pytest.mark.usefixtures("no_gc")


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def watched():
    """Keep weak references to connections; say which of them are still there."""
    references = []

    class Watch:
        def add(self, connection):
            references.extend([weakref.ref(connection), weakref.ref(connection.protocol)])

        def make(self, *args, **kwargs):
            connection = ClientConnection(*args, **kwargs)
            self.add(connection)
            return connection

        async def alive(self):
            await settle()
            assert references
            return [reference() for reference in references if reference() is not None]

    return Watch()


@pytest.fixture
def watching(serving, watched):
    """Serve, and watch both ends of each connection."""

    def watching(handler, **options):
        async def watch(connection):
            watched.add(connection)
            await handler(connection)

        return serving(watch, **options)

    return watching


async def echo(connection):
    async for message in connection:
        await connection.send(message)


@pytest.mark.parametrize("secure", [False, True])
async def test_a_connection_is_gone_after_an_orderly_close(watching, watched, tls, secure):
    async with watching(echo, ssl=tls.server if secure else None) as (_, uri):
        async with connect(uri, ssl=tls.client if secure else None) as client:
            watched.add(client)
            await client.send("x")
            await client.recv()
            await client.send(["x", "y"])
            async for _ in client.recv_streaming():
                break
            await (await client.ping())
        del client
    assert await watched.alive() == []


@pytest.mark.parametrize("end", ["abort", "bad frame", "close", "exception"])
async def test_a_connection_is_gone_after_any_end(watching, watched, end):
    async def handler(connection):
        await connection.recv()
        if end == "exception":
            raise KeyError
        if end == "close":
            await connection.close(4000, "enough")
        await echo(connection)

    quiet = logging.Logger("keeps no traceback of the handler", logging.CRITICAL)
    async with watching(handler, logger=quiet) as (_, uri):
        client = await connect(uri)
        watched.add(client)
        left_alone = await client.ping()
        await client.send("go on")
        if end == "abort":
            client.abort()
        elif end == "bad frame":
            client.transport.write(b"\x83\x80\0\0\0\0")
        with pytest.raises(ConnectionClosed):
            await client.recv()
        with pytest.raises(ConnectionClosed):
            await client.send("x")
        await client.wait_closed()
        del client, left_alone
    assert await watched.alive() == []


async def test_a_connection_is_gone_after_a_bad_frame_of_the_peer(wire, watched):
    async def behave(reader, writer):
        await wire.accept(reader, writer)
        writer.write(wire.frame(0x81, b"\xff"))
        await reader.read(100)

    async with wire.server(behave) as uri:
        client = await connect(uri)
        watched.add(client)
        with pytest.raises(ConnectionClosedError, match="UTF-8"):
            await client.recv()
        await client.wait_closed()
        del client
    assert await watched.alive() == []


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    ],
)
async def test_a_server_forgets_who_sent_no_handshake(serving, wire, watched, request_):
    async with serving() as (server, uri), wire.client(uri, request_) as (reader, writer):
        while not server._connections:
            await asyncio.sleep(0)
        watched.add(next(iter(server._connections)))
        writer.write_eof()
        await reader.read()
    assert await watched.alive() == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
async def test_a_client_forgets_who_refused(wire, watched, answer):
    async def behave(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.write_eof()
        await reader.read()

    async with wire.server(behave) as uri:
        with pytest.raises(InvalidHandshake):
            await connect(uri, create_connection=watched.make)
    assert await watched.alive() == []


async def test_a_client_forgets_what_timed_out(wire, watched, never):
    async with wire.server(never) as uri:
        with pytest.raises(TimeoutError):
            await connect(uri, create_connection=watched.make, open_timeout=0.1)
    assert await watched.alive() == []


async def test_many_connections_leave_nothing(serving):
    async with serving() as (server, uri):

        async def cycle():
            async with connect(uri) as client:
                await client.send("x")
                await client.recv()

        def ours():
            return sum(str(type(item).__module__).startswith("twoway.") for item in gc.get_objects())

        await cycle()  # what is made once and kept
        await settle()
        before = ours()
        for _ in range(50):
            await cycle()
        await settle()
        assert ours() == before
        assert server._connections == server._tasks == set()


@pytest.mark.parametrize("reset", [False, True])
async def test_transports_need_no_garbage_collector(serving, wire, reset):
    def cycles():
        return [item for item in gc.garbage if type(item).__module__.startswith(("asyncio.", "twoway."))]

    async with serving(compression=None) as (server, uri):
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(3):
                client = await connect(uri, compression=None)
                if reset:
                    client.abort()
                await client.close()
                del client
            while server._connections or server._tasks:
                await asyncio.sleep(0)
            await settle()
            gc.collect()
            assert cycles() == []
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
