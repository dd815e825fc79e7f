"""Servers of all kinds in a thread, and ways to run the command against them."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click.testing
import pytest
import trustme

from twoway.asyncio import ServerConnection, serve
from twoway.cli import _connect, _connecting, _conversation, _network
from twoway.cli._main import twoway
from twoway.http import accept_key


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings and the history of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("TWOWAY_") or name in ("FORCE_COLOR", "NO_COLOR"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(_connect, "_DEFAULT_WAIT", 0.2)
    monkeypatch.setattr(_network, "_PATIENCE", 1.0)
    monkeypatch.setattr(_conversation, "_PATIENCE", 1.0)
    monkeypatch.setattr(_connecting, "_CLOSE_TIMEOUT", 1.0)
    for name in ("HOME", "XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread: the command has one of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@pytest.fixture
def serving(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[..., str]]:
    """Start a WebSocket server; give its address."""
    with ExitStack() as stack:

        def serving(handler: Any = echo, path: str = "/", **options: Any) -> str:
            server = stack.enter_context(_running(loop, handler, options))
            port = server.sockets[0].getsockname()[1]
            return f"{'wss' if options.get('ssl') else 'ws'}://localhost:{port}{path}"

        yield serving


@contextmanager
def _running(loop: asyncio.AbstractEventLoop, handler: Any, options: dict[str, Any]) -> Iterator[Any]:
    async def start() -> Any:
        return await serve(handler, "127.0.0.1", 0, **options)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.shutdown(grace=0), loop).result()


@pytest.fixture
def answering(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[..., str]]:
    """
    Start a server that answers each request with the same bytes, and closes; with None it says nothing at all.

    With ``mute`` it opens the connection, and says nothing afterwards; with ``"rude"`` it hangs up at the next frame.
    """
    ended: list[Any] = []

    def answering(answer: bytes | None, mute: str = "", **options: Any) -> str:
        release = asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                if mute:
                    request = (await reader.readuntil(b"\r\n\r\n")).decode()
                    writer.write(OPENING.format(accept_key(request.partition("Sec-WebSocket-Key: ")[2][:24])).encode())
                    await (reader.read(1) if mute == "rude" else release.wait())
                elif answer is None:
                    await release.wait()
                else:
                    await reader.readuntil(b"\r\n\r\n")
                    writer.write(answer)
            except (OSError, asyncio.IncompleteReadError):
                pass
            writer.transport.abort() if answer is None else writer.close()

        async def start() -> Any:
            return await asyncio.start_server(handle, "127.0.0.1", 0, **options)

        server = asyncio.run_coroutine_threadsafe(start(), loop).result()

        async def stop() -> None:
            release.set()
            server.close()
            await asyncio.sleep(0.01)

        ended.append(stop)
        return f"ws://localhost:{server.sockets[0].getsockname()[1]}/"

    yield answering
    for stop in ended:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()


@pytest.fixture
def cli() -> Callable[..., click.testing.Result]:
    """Run the command in this process."""

    def cli(*arguments: str, input: str | bytes | None = None) -> click.testing.Result:
        result = click.testing.CliRunner().invoke(twoway, arguments, input=input, prog_name="twoway")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return cli


COMMAND = [sys.executable, "-m", "twoway.cli"]


@pytest.fixture
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command as a process, with pipes."""

    def run(*arguments: str, input: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments], input=input, capture_output=True, encoding="utf-8", check=False, **options
        )

    return run


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command as a process, and give it when it has written a line on standard error; it is ended at last."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> Any:
        pipe = subprocess.PIPE
        process = subprocess.Popen([*COMMAND, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8")
        running.append(process)
        assert process.stderr is not None
        return process, process.stderr.readline()

    yield start
    for process in running:
        process.terminate()
        process.communicate()


OPENING = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n"
)


class TLS:
    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        self.cert = folder / "cert.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        certificate = authority.issue_cert("localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(str(self.cert))
        self.server = self._context(certificate)
        self.other_name = self._context(authority.issue_cert("elsewhere.example"))
        now = datetime.now(UTC)
        self.over = self._context(
            authority.issue_cert("localhost", not_before=now - timedelta(days=9), not_after=now - timedelta(days=2))
        )
        self.ending = self._context(authority.issue_cert("localhost", not_after=now + timedelta(days=3, hours=1)))

    def _context(self, certificate: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        return context


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TLS:
    return TLS(tmp_path_factory.mktemp("tls"))
