"""
Tests may be coroutine functions: each runs on a loop of its own, which must be clean when the test ends.

With TWOWAY_TEST_LOOP=uvloop in the environment it is one of uvloop.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import hashlib
import importlib
import inspect
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import pytest
import trustme

from twoway.asyncio import ClientConnection, Server, ServerConnection, connect, serve

# A test that takes longer hangs; far below pytest's own limit, so that the report names the await; seconds.
PATIENCE = 20


def new_loop() -> asyncio.AbstractEventLoop:
    """Make the loop that the environment asks for."""
    module = importlib.import_module(os.environ.get("TWOWAY_TEST_LOOP", "asyncio"))
    loop: asyncio.AbstractEventLoop = module.new_event_loop()
    return loop


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    complaints: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.get_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        runner.run(_run_clean(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})))
    gc.collect()  # exceptions that nobody retrieved are told now
    assert complaints == []
    return True


@pytest.fixture(scope="session", autouse=True)
def frozen() -> None:
    """Leave out what is there before the tests when looking for what they leave behind."""
    gc.collect()
    gc.freeze()


async def _run_clean(test: Awaitable[None]) -> None:
    async with asyncio.timeout(PATIENCE):
        await test
    for _ in range(5):  # transports are closed in the iterations after the last call
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


Serving = Callable[..., AbstractAsyncContextManager[tuple[Server, str]]]


@pytest.fixture
def serving() -> Serving:
    """Run a server on a port of the kernel's choice; give it, and its address as a URI."""

    @asynccontextmanager
    async def serving(handler: Any = echo, **options: Any) -> AsyncIterator[tuple[Server, str]]:
        async with serve(handler, "127.0.0.1", 0, **options) as server:
            port = server.sockets[0].getsockname()[1]
            yield server, f"{'wss' if options.get('ssl') else 'ws'}://localhost:{port}/"

    return serving


@pytest.fixture
def connected(serving: Serving, tls: Any) -> Any:
    """Connect a client to a server; give both ends. ``secure=True`` does it over TLS."""

    @asynccontextmanager
    async def connected(
        client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, secure: bool = False
    ) -> AsyncIterator[tuple[ClientConnection, ServerConnection]]:
        accepted: asyncio.Future[ServerConnection] = asyncio.get_running_loop().create_future()
        done = asyncio.Event()

        async def handler(connection: ServerConnection) -> None:
            accepted.set_result(connection)
            await done.wait()

        client, server = dict(client or {}), dict(server or {})
        if secure:
            client["ssl"], server["ssl"] = tls.client, tls.server
        async with serving(handler, **server) as (_, uri), connect(uri, **client) as connection:
            try:
                yield connection, await accepted
            finally:
                done.set()

    return connected


@pytest.fixture(params=["client to server", "server to client"])
def ends(request: pytest.FixtureRequest, connected: Any) -> Any:
    """Run a test in both directions; gives sender and receiver."""

    @asynccontextmanager
    async def ends(**options: Any) -> AsyncIterator[tuple[Any, Any]]:
        async with connected(options, options) as (client, server):
            yield (client, server) if request.param == "client to server" else (server, client)

    return ends


class TLS:
    def __init__(self) -> None:
        authority = trustme.CA()
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("localhost").configure_cert(self.server)
        self.client = ssl.create_default_context()
        authority.configure_trust(self.client)


@pytest.fixture(scope="session")
def tls() -> TLS:
    """TLS contexts of a server named localhost and of clients that trust it."""
    return TLS()


class Wire:
    """What a peer says that is written by hand, here in the tests."""

    REQUEST = (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )

    def answer(self, request: bytes) -> bytes:
        """Accept a request (RFC 6455 §4.2.2)."""
        key = next(line.split(b": ")[1] for line in request.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key"))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def frame(self, first: int, payload: bytes = b"", masked: bool = False) -> bytes:
        """Make a frame with this first byte; the masking key is zero (RFC 6455 §5.2)."""
        size = len(payload)
        head = bytes([size]) if size < 126 else b"\x7e" + struct.pack("!H", size)
        if masked:
            head = bytes([head[0] | 0x80]) + head[1:] + bytes(4)
        return bytes([first]) + head + payload

    def close(self, code: int = 1000, masked: bool = False) -> bytes:
        return self.frame(0x88, struct.pack("!H", code), masked)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.answer(await reader.readuntil(b"\r\n\r\n")))

    def reset(self, writer: asyncio.StreamWriter) -> None:
        """Have the connection reset instead of closed."""
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    @asynccontextmanager
    async def server(self, behave: Any, **options: Any) -> AsyncIterator[str]:
        """Run a server that behaves as told with each connection, then drops it."""
        tasks: set[asyncio.Task[None]] = set()

        async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                with suppress(asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
                    await behave(reader, writer)
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(run, "127.0.0.1", 0, **options)
        port = server.sockets[0].getsockname()[1]
        try:
            yield f"{'wss' if options.get('ssl') else 'ws'}://localhost:{port}/"
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks)

    @asynccontextmanager
    async def client(
        self, uri: str, request: bytes | None = None, **options: Any
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Connect, and send a request; nothing of the answer is read."""
        port = int(uri.rstrip("/").rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
        try:
            writer.write(self.REQUEST if request is None else request)
            yield reader, writer
        finally:
            writer.transport.abort()

    @asynccontextmanager
    async def opened(self, uri: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Connect, and shake hands."""
        async with self.client(uri) as (reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            yield reader, writer


@pytest.fixture
def wire() -> Wire:
    """Peers written by hand."""
    return Wire()


async def _never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.pause_reading()
    await asyncio.Event().wait()


@pytest.fixture
def never() -> Any:
    """Behave like somebody who neither reads nor writes."""
    return _never


@pytest.fixture
def no_gc() -> Iterator[None]:
    """Have nothing freed but by its reference count."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
