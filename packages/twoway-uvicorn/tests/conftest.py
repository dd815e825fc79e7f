"""
A server of uvicorn with an application of the test, and a client; tests may be coroutine functions.

Each test runs on a loop of its own, which must be clean when the test ends. With TWOWAY_TEST_LOOP=uvloop in the
environment it is one of uvloop.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import logging
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import trustme
import uvicorn

from twoway.deflate import ClientPerMessageDeflateFactory
from twoway.frames import Close
from twoway.protocol import ClientOptions, ClientProtocol, Event
from twoway.uvicorn import WebSocketProtocol

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


class Client:
    """A client that sees every event."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: ClientProtocol) -> None:
        self.reader, self.writer, self.protocol = reader, writer, protocol
        self.events: list[Event] = []
        self.wire = b""  # all that has come
        self.answering = True

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def flush(self) -> None:
        for data in self.protocol.data_to_send():
            self.writer.write(data)

    async def read(self) -> bool:
        """Take what comes next; False at the end."""
        try:
            data = await self.reader.read(65536)
        except ConnectionError:
            data = b""
        self.wire += data
        if data:
            self.protocol.receive_data(data, self.now)
        else:
            self.protocol.receive_eof(self.now)
        self.events += self.protocol.events()
        if self.answering:
            self.flush()
        return bool(data)

    async def next(self, kind: Any) -> Any:
        """Wait for an event of a kind; those before it are left out."""
        while True:
            while self.events:
                event = self.events.pop(0)
                if isinstance(event, kind):
                    return event
            if not await self.read() and not self.events:
                raise EOFError(self.protocol.close_exc)

    async def send(self, data: str | bytes, **options: Any) -> None:
        (self.protocol.send_text if isinstance(data, str) else self.protocol.send_binary)(data, **options)
        self.flush()
        await self.writer.drain()

    async def ask(self, data: str | bytes) -> str | bytes:
        await self.send(data)
        answer: str | bytes = await self.next((str, bytes))
        return answer

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.protocol.close(code, reason, now=self.now)
        self.flush()
        await self.closed()

    async def closed(self) -> Close | None:
        """Read to the end; give the server's Close frame."""
        while await self.read():
            pass
        self.writer.close()
        return self.protocol.close_rcvd

    def reset(self) -> None:
        """Have the connection reset instead of closed."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def drop(self) -> None:
        self.writer.transport.abort()

    async def lose(self) -> None:
        self.drop()


class Site:
    """A server that runs, and clients for it."""

    def __init__(self, server: uvicorn.Server, address: Any, trust: ssl.SSLContext | None) -> None:
        self.server, self.address, self.trust = server, address, trust
        self.clients: list[Client] = []

    @property
    def connections(self) -> set[Any]:
        return self.server.server_state.connections

    async def end(self) -> None:
        """Take away what is left, and nothing may stay."""
        for server in self.server.servers:
            server.close()
        for client in self.clients:
            client.drop()
        while self.connections or self.server.server_state.tasks:
            await asyncio.sleep(0.001)
        await self.server.lifespan.shutdown()

    async def start(self, path: str = "/", alter: Any = None, **options: Any) -> Client:
        """Send a request; the answer is the first event."""
        compress = options.pop("compress", False)
        if compress:
            options["extensions"] = [ClientPerMessageDeflateFactory(threshold=0)]
        protocol = ClientProtocol(f"ws://localhost{path}", ClientOptions(**options))
        secure: dict[str, Any] = {} if self.trust is None else {"ssl": self.trust, "server_hostname": "localhost"}
        if isinstance(self.address, str):
            reader, writer = await asyncio.open_unix_connection(self.address)
        else:
            reader, writer = await asyncio.open_connection(*self.address, **secure)
        request = protocol.connect()
        if alter is not None:
            alter(request)
        protocol.send_request(request)
        client = Client(reader, writer, protocol)
        self.clients.append(client)
        client.flush()
        return client

    async def connect(self, path: str = "/", **options: Any) -> Client:
        """Open a connection."""
        client = await self.start(path, **options)
        while not client.events:
            await client.read()
        response = client.protocol.response
        assert response is not None and response.status_code == 101, client.wire
        return client

    async def refused(self, path: str = "/", **options: Any) -> tuple[Any, bytes]:
        """Send a request; give the answer that refuses, and its body as it came."""
        client = await self.start(path, **options)
        await client.closed()
        response = client.protocol.response
        assert response is not None and response.status_code != 101
        return response, client.wire.partition(b"\r\n\r\n")[2]


Serving = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def serving(tls: Any) -> Serving:
    """Run a server on a port of the kernel's choice; give it and what connects to it."""

    @asynccontextmanager
    async def serving(
        app: Any, *, secure: bool = False, listener: socket.socket | None = None, **options: Any
    ) -> AsyncIterator[Site]:
        config = uvicorn.Config(
            app, port=0, http="h11", ws=WebSocketProtocol, log_config=None, **{"lifespan": "off", **options}
        )
        config.load()
        config.ssl = tls.server if secure else None
        server = uvicorn.Server(config)
        # What its `serve` does, without its pauses.
        server.lifespan = config.lifespan_class(config)
        await server.startup(None if listener is None else [listener])
        await server.on_tick(0)
        site = Site(server, server.servers[0].sockets[0].getsockname(), tls.client if secure else None)
        try:
            yield site
        finally:
            await site.end()

    return serving


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


@pytest.fixture
def echo() -> Any:
    """An application that sends back what it gets, and keeps the events and the scopes."""
    return Echo()


class Echo:
    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.scopes: list[dict[str, Any]] = []
        self.accept: dict[str, Any] = {}

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.events.append(await receive())
        await send({"type": "websocket.accept", **self.accept})
        while True:
            event = await receive()
            self.events.append(event)
            if event["type"] == "websocket.disconnect":
                return
            await send({**event, "type": "websocket.send"})


@pytest.fixture
def until() -> Any:
    """Wait until something is so."""

    async def until(condition: Callable[[], bool]) -> None:
        while not condition():
            await asyncio.sleep(0.001)

    return until


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[int], list[str]]]:
    """Give the lines that were logged at least at a level; errors that no test asks for fail it."""
    caplog.set_level(logging.INFO, "uvicorn")
    asked = []

    def lines(level: int = logging.INFO) -> list[str]:
        asked.append(level)
        return [record.getMessage() for record in caplog.records if record.levelno >= level]

    yield lines
    if not asked:
        errors = [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
        assert errors == []
