"""Making connections in a limited time: addresses, TCP or Unix sockets, TLS."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from os import fspath, strerror
from time import sleep
from typing import Any, TypeVar

from ._tls import TLS
from ._waiting import Deadline, readable, writable

_T = TypeVar("_T")
_CHUNK = 65536  # bytes that are read at a time
_AGAIN = 0.01  # seconds


def resolve(host: str, port: int, family: int, deadline: Deadline) -> list[tuple[Any, ...]]:
    """
    Find the addresses of a host.

    Args:
        host: Name or address.
        port: Port.
        family: Of the addresses; 0 for any.
        deadline: When to give up; the system's resolver has no limit of its own.

    Returns:
        As from ``socket.getaddrinfo``; at least one.

    Raises:
        OSError: There is none.
        TimeoutError: The time is over.
    """
    with suppress(socket.gaierror):  # an address is known without asking, and needs no thread
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)

    def ask() -> list[tuple[Any, ...]]:
        return list(socket.getaddrinfo(host, port, family, socket.SOCK_STREAM))

    return ask() if deadline.at is None else in_time(ask, deadline)


def in_time(call: Callable[[], _T], deadline: Deadline) -> _T:
    """
    Call something that waits as long as it likes, and give up on it when the time is over.

    Args:
        call: Runs in a thread that ends with it.
        deadline: When to give up.

    Returns:
        What it returns.

    Raises:
        TimeoutError: The time is over; the call goes on, and its result is lost.
        Exception: What it raises.
    """
    done = threading.Event()
    results: list[_T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as exc:
            errors.append(exc)
        done.set()

    threading.Thread(target=run, name="twoway-resolver", daemon=True).start()
    if not done.wait(deadline.left()):
        raise TimeoutError("timed out")
    if errors:
        try:
            raise errors[0]
        finally:
            errors.clear()  # else the exception would hold itself, by its traceback
    return results[0]


def dial(address: tuple[Any, ...], local_addr: tuple[str, int] | None, deadline: Deadline) -> socket.socket:
    """
    Connect to one address.

    Args:
        address: As from ``socket.getaddrinfo``.
        local_addr: Where to connect from, host and port; None leaves that to the system.
        deadline: When to give up.

    Returns:
        A connected socket, non-blocking.

    Raises:
        OSError: It could not be connected.
        TimeoutError: The time is over.
    """
    family, kind, proto, _, target = address
    sock = socket.socket(family, kind, proto)
    try:
        prepare(sock)
        if local_addr is not None:
            sock.bind(local_addr)
        _connect(sock, target, deadline)
    except BaseException:
        sock.close()
        raise
    return sock


def dial_unix(path: Any, deadline: Deadline) -> socket.socket:
    """
    Connect to a Unix socket.

    Args:
        path: Of the socket, or the name of an abstract one after a NUL character.
        deadline: When to give up.

    Returns:
        A connected socket, non-blocking.

    Raises:
        OSError: It could not be connected.
        TimeoutError: The time is over.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        _connect(sock, fspath(path), deadline)
    except BaseException:
        sock.close()
        raise
    return sock


def prepare(sock: socket.socket) -> None:
    """
    Make a socket non-blocking, and have small messages sent at once.

    Args:
        sock: TCP or other.
    """
    sock.setblocking(False)
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):  # the peer may have gone already
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _connect(sock: socket.socket, target: Any, deadline: Deadline) -> None:
    try:
        while not _try_to_connect(sock, target, deadline):
            deadline.check()
            sleep(_AGAIN)
    except OSError as exc:
        if exc.errno is None:
            raise
        raise OSError(exc.errno, f"connecting to {target!r} failed: {exc.strerror}") from None


def _try_to_connect(sock: socket.socket, target: Any, deadline: Deadline) -> bool:
    """Connect; false when the backlog of a Unix socket is full, for which nothing can be waited."""
    try:
        sock.connect(target)
        return True
    except BlockingIOError:
        if isinstance(target, (str, bytes)):
            return False
    if not writable(sock)(deadline.left()):
        raise TimeoutError("timed out")
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, strerror(number))
    return True


def start_tls(
    sock: socket.socket,
    context: ssl.SSLContext,
    server_hostname: str | None,
    deadline: Deadline,
    over: TLS | None = None,
) -> TLS:
    """
    Shake hands as a TLS client.

    Args:
        sock: A connected socket, non-blocking.
        context: The settings; not changed.
        server_hostname: Name that the server must have.
        deadline: When to give up.
        over: The TLS connection that carries this one; None for the socket itself.

    Returns:
        The TLS connection.

    Raises:
        OSError: The server hung up; ``ssl.SSLError`` when it broke the rules, or its certificate is not good.
        TimeoutError: The time is over.
    """
    tls = TLS(context, server_hostname=server_hostname, over=over)
    wait = readable(sock)
    tls.shake_hands()
    while True:
        send(sock, tls.data_to_send(), deadline)
        if tls.established:
            return tls
        data = receive(sock, wait, deadline)
        if not data:
            raise ConnectionResetError("the server hung up in the TLS handshake")
        tls.feed(data)


def send(sock: socket.socket, data: bytes, deadline: Deadline) -> None:
    """
    Send all.

    Args:
        sock: A connected socket, non-blocking.
        data: Any number of bytes.
        deadline: When to give up.

    Raises:
        OSError: The connection is broken.
        TimeoutError: The time is over.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[sock.send(view) :]
        except BlockingIOError:
            if not writable(sock)(deadline.left()):
                raise TimeoutError("timed out") from None


def receive(sock: socket.socket, wait: Callable[[float | None], object], deadline: Deadline) -> bytes:
    """
    Receive what comes.

    Args:
        sock: A connected socket, non-blocking.
        wait: What `readable` gives for it.
        deadline: When to give up.

    Returns:
        Bytes; none at the end of the stream.

    Raises:
        OSError: The connection is broken.
        TimeoutError: The time is over.
    """
    while True:
        if not wait(deadline.left()):
            raise TimeoutError("timed out")
        with suppress(BlockingIOError, InterruptedError):
            return sock.recv(_CHUNK)
