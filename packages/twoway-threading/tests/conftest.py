"""
Servers, clients and peers written by hand, each in threads that must have ended when the test ends.

Nothing here waits for a time to pass where it can wait for a thing to happen; the patience is for what never happens.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import pytest
import trustme

from twoway.threading import ClientConnection, Server, ServerConnection, connect, serve

# What takes longer hangs; far below pytest's own limit, so that the report names the line; seconds.
PATIENCE = 20
# Threads that belong to the process, and not to a test.
SHARED = {"MainThread", "twoway-io"}


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it has not become true"
        time.sleep(0.002)


@pytest.fixture(scope="session")
def until() -> Any:
    """Wait until a function gives something true."""
    return wait_until


@pytest.fixture(scope="session", autouse=True)
def frozen() -> None:
    """Leave out what is there before the tests when looking for what they leave behind."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_threads_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have each test end all threads that it has begun."""
    # Threads without work are kept for a while, but no test has the time.
    monkeypatch.setattr("twoway.threading._workers._PATIENCE", 0.05)
    before = set(threading.enumerate())
    yield
    wait_until(lambda: not left_threads(before))


def left_threads(before: set[threading.Thread]) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread not in before and thread.name not in SHARED]


# Threads


class Task:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        self._future: Future[Any] = Future()
        self._call = call, arguments, options
        self.thread = threading.Thread(target=self._run, name=f"test: {getattr(call, '__name__', call)}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        call, arguments, options = self._call
        try:
            self._future.set_result(call(*arguments, **options))
        except BaseException as exc:
            self._future.set_exception(exc)
        finally:
            del self._call, call, arguments, options

    def done(self) -> bool:
        return self._future.done()

    def result(self, timeout: float = PATIENCE) -> Any:
        """Give what the call returned, or raise what it raised; a call that does not end is an error of the test."""
        self._future.exception(timeout)
        return self._future.result()

    def error(self) -> BaseException | None:
        return self._future.exception(PATIENCE)

    def blocked(self) -> Task:
        """Wait until the thread waits for something: until it has not moved for a while."""
        same, last = 0, None
        end = time.monotonic() + PATIENCE
        while same < 8:
            assert not self.done(), "it did not wait"
            assert time.monotonic() < end, "it never comes to rest"
            frame = sys._current_frames().get(self.thread.ident or 0)
            state = frame and (id(frame), frame.f_lasti)
            same, last = (same + 1, last) if state == last else (0, state)
            time.sleep(0.004)
        return self


@pytest.fixture
def spawn() -> Iterator[Any]:
    """Run a call in a thread; all of them must end with the test."""
    tasks: list[Task] = []

    def spawn(call: Callable[..., Any], *arguments: Any, **options: Any) -> Task:
        tasks.append(Task(call, arguments, options))
        return tasks[-1]

    yield spawn
    for task in tasks:
        task.thread.join(PATIENCE)
        assert not task.thread.is_alive(), f"{task.thread.name} has not ended"


# Servers and clients


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


Serving = Callable[..., AbstractContextManager[tuple[Server, str]]]


@pytest.fixture
def serving() -> Serving:
    """Run a server on a port of the kernel's choice; give it, and its address as a URI."""

    @contextmanager
    def serving(handler: Any = echo, **options: Any) -> Iterator[tuple[Server, str]]:
        with serve(handler, "127.0.0.1", 0, **options) as server:
            port = server.sockets[0].getsockname()[1]
            yield server, f"{'wss' if options.get('ssl') else 'ws'}://localhost:{port}/"

    return serving


@pytest.fixture
def connected(serving: Serving, tls: Any) -> Any:
    """Connect a client to a server; give both ends. ``secure=True`` does it over TLS."""

    @contextmanager
    def connected(
        client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, secure: bool = False
    ) -> Iterator[tuple[ClientConnection, ServerConnection]]:
        accepted: Future[ServerConnection] = Future()
        done = threading.Event()

        def handler(connection: ServerConnection) -> None:
            accepted.set_result(connection)
            done.wait()

        client, server = dict(client or {}), dict(server or {})
        if secure:
            client["ssl"], server["ssl"] = tls.client, tls.server
        with serving(handler, **server) as (_, uri):
            try:
                with connect(uri, **client) as connection:
                    try:
                        yield connection, accepted.result(PATIENCE)
                    finally:
                        done.set()
            finally:
                done.set()

    return connected


@pytest.fixture(params=["client to server", "server to client"])
def ends(request: pytest.FixtureRequest, connected: Any) -> Any:
    """Run a test in both directions; gives sender and receiver."""

    @contextmanager
    def ends(**options: Any) -> Iterator[tuple[Any, Any]]:
        with connected(options, options) as (client, server):
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


# Peers written by hand


class Stream:
    """A plain socket, with the calls that tests like to make."""

    def __init__(self, sock: socket.socket, stop: threading.Event) -> None:
        self.sock = sock
        self.stop = stop
        self._buffer = b""
        sock.settimeout(PATIENCE)

    def write(self, data: bytes) -> None:
        self.sock.sendall(data)

    def write_eof(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def read(self, size: int = -1) -> bytes:
        """Read some bytes, or all of them."""
        if size < 0:
            while self._more():
                pass
        elif not self._buffer:
            self._more()
        return self._take(len(self._buffer) if size < 0 else size)

    def readexactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            if not self._more():
                raise EOFError(self._buffer)
        return self._take(size)

    def readuntil(self, end: bytes) -> bytes:
        while end not in self._buffer:
            if not self._more():
                raise EOFError(self._buffer)
        return self._take(self._buffer.index(end) + len(end))

    def readline(self) -> bytes:
        return self.readuntil(b"\n")

    def _more(self) -> bool:
        data = self.sock.recv(65536)
        self._buffer += data
        return bool(data)

    def _take(self, size: int) -> bytes:
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def idle(self) -> None:
        """Neither read nor write any more."""
        self.stop.wait(PATIENCE)

    def closing(self) -> bool:
        """Tell whether the test is over."""
        return self.stop.is_set()

    def reset(self) -> None:
        """Have the connection reset instead of closed."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    def end(self) -> None:
        """Wake whoever uses the socket; it is over."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


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

    def accept(self, stream: Stream) -> None:
        stream.write(self.answer(stream.readuntil(b"\r\n\r\n")))

    @contextmanager
    def server(self, behave: Any, ssl: ssl.SSLContext | None = None) -> Iterator[str]:
        """Run a server that behaves as told with each connection, then drops it; errors of its own are raised."""
        stop = threading.Event()
        streams: list[Stream] = []
        tasks: list[Task] = []

        def run(sock: socket.socket) -> None:
            with suppress(EOFError, OSError), sock:
                if ssl is not None:
                    sock = ssl.wrap_socket(sock, server_side=True)
                with sock:
                    stream = Stream(sock, stop)
                    streams.append(stream)
                    behave(stream)

        def accept() -> None:
            while True:
                sock = listener.accept()[0]
                if stop.is_set():
                    sock.close()
                    return
                sock.settimeout(PATIENCE)
                tasks.append(Task(run, (sock,), {}))

        with socket.create_server(("127.0.0.1", 0)) as listener:
            accepting = Task(accept, (), {})
            port = listener.getsockname()[1]
            try:
                yield f"{'wss' if ssl else 'ws'}://localhost:{port}/"
            finally:
                stop.set()
                socket.create_connection(("127.0.0.1", port)).close()  # ends the wait for the next one
                accepting.result()
                for stream in streams:
                    stream.end()
                for task in tasks:
                    task.result()

    @contextmanager
    def client(self, uri: str, request: bytes | None = None, ssl: ssl.SSLContext | None = None) -> Iterator[Stream]:
        """Connect, and send a request; nothing of the answer is read."""
        port = int(uri.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
            if ssl is not None:
                sock = ssl.wrap_socket(sock, server_hostname="localhost")
            with sock:
                stream = Stream(sock, threading.Event())
                stream.write(self.REQUEST if request is None else request)
                try:
                    yield stream
                finally:
                    stream.stop.set()
                    stream.end()

    @contextmanager
    def opened(self, uri: str) -> Iterator[Stream]:
        """Connect, and shake hands."""
        with self.client(uri) as stream:
            stream.readuntil(b"\r\n\r\n")
            yield stream


@pytest.fixture(scope="session")
def wire() -> Wire:
    """Peers written by hand."""
    return Wire()


@pytest.fixture
def silent(wire: Wire) -> Any:
    """Run a server that shakes hands, and then neither reads nor writes."""

    def behave(stream: Stream) -> None:
        # A small buffer, so that little is needed to fill it.
        stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.accept(stream)
        stream.idle()

    return lambda **options: wire.server(behave, **options)


@pytest.fixture
def no_gc() -> Iterator[None]:
    """Have nothing freed but by its reference count."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()
