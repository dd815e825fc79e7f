"""The transport of an accepted socket, on a loop that watches sockets: as asyncio's own, with less in between."""

from __future__ import annotations

import asyncio
import socket
import warnings
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar, cast

from ._native import SocketPath

_P = TypeVar("_P", bound=asyncio.BufferedProtocol)

_INTERNET = (socket.AF_INET, socket.AF_INET6)


def is_ours(create: object) -> bool:
    """
    Tell whether connections without TLS get a transport from here.

    Args:
        create: What makes them else: ``loop.create_server`` and the like, as looked up on a loop.

    Returns:
        True for asyncio's own loop that watches sockets, unless somebody has replaced that method.
    """
    loop = getattr(create, "__self__", None)
    return type(loop) is asyncio.SelectorEventLoop


async def connect_transport(
    create: Callable[..., Awaitable[tuple[Any, Any]]], factory: Callable[[], _P], **kwargs: Any
) -> _P:
    """
    Connect, and give the connection to a protocol.

    Args:
        create: ``loop.create_connection`` or ``loop.create_unix_connection``.
        factory: Makes the protocol.
        **kwargs: For ``create``.

    Returns:
        The protocol; its ``connection_made`` was called.

    Raises:
        OSError: It could not connect.
    """
    if not is_ours(create) or kwargs.get("ssl") is not None or kwargs.get("sock") is not None:
        connected: _P = (await create(factory, **kwargs))[1]
        return connected
    transport, _ = await create(_Waiting, **kwargs)
    sock, peername = transport.get_extra_info("socket").dup(), transport.get_extra_info("peername")
    transport.abort()  # it closes its descriptor, not the connection
    untie(transport)
    return begin(sock, peername, factory)


def untie(transport: asyncio.BaseTransport) -> None:
    """
    Undo references of a transport of asyncio to itself, which would wait for the garbage collector.

    Args:
        transport: Neither reads nor writes any more.
    """
    attributes = getattr(transport, "__dict__", {})
    for name in ("_read_ready_cb", "_write_ready"):
        attributes.pop(name, None)


def begin(sock: socket.socket, peername: Any, factory: Callable[[], _P]) -> _P:
    """
    Give a connected socket to a protocol.

    Args:
        sock: A connected stream socket; closed when this fails.
        peername: Address of the peer.
        factory: Makes the protocol.

    Returns:
        The protocol; its ``connection_made`` was called.
    """
    try:
        sock.setblocking(False)
        protocol = factory()
        transport = SocketTransport(asyncio.get_running_loop(), sock, protocol, peername)
    except BaseException:
        sock.close()
        raise
    try:
        transport.start()
    except BaseException:
        transport.abort()
        raise
    return protocol


class _Waiting(asyncio.Protocol):
    """Be connected, and leave what arrives to the system, until it is known whose connection it is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read nothing."""
        cast(asyncio.ReadTransport, transport).pause_reading()


class SocketTransport(SocketPath):
    """
    Be what a connection writes to and is fed by.

    Made by `Listener`. It has the methods of `asyncio.Transport`, though it is no subclass, for its base may be
    compiled. What it does not have is for protocols other than `asyncio.BufferedProtocol`.

    Args:
        loop: A loop with ``add_reader``; used.
        sock: A connected stream socket that does not block; from now on the transport's.
        protocol: Gets what arrives; used.
        peername: Address of the peer, as ``socket.accept`` gives it.
    """

    __slots__ = ("__weakref__", "_eof", "_full", "_high", "_low", "_paused", "_peername", "_sockname")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, protocol: asyncio.BufferedProtocol, peername: Any
    ) -> None:
        self._loop = loop
        self._socket = sock
        self._fd = sock.fileno()
        self._protocol = protocol
        self._unsent = None
        self._closing = self._lost = False
        self._paused = False
        self._eof = False  # whether the sending side is to be closed
        self._full = False  # whether the protocol was told to pause
        self._high, self._low = 65536, 16384
        self._peername = peername
        self._sockname: Any = None
        if sock.family in _INTERNET:
            with suppress(OSError):  # not every stream there is one of TCP
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __repr__(self) -> str:
        state = "closed" if self._fd < 0 else "closing" if self._closing else "open"
        return f"<{type(self).__name__} {state} fd={self._fd}>"

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            warnings.warn(f"unclosed transport {self!r}", ResourceWarning, source=self, stacklevel=1)
            self._socket.close()

    # Facts

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Give ``socket``, ``sockname`` or ``peername``; as `asyncio.BaseTransport.get_extra_info`."""
        if name == "peername":
            return self._peername
        if name == "socket":
            return self._socket
        if name == "sockname":
            return self._socket.getsockname() if self._fd >= 0 else self._sockname
        return default

    def get_protocol(self) -> asyncio.BaseProtocol | None:
        """Give the protocol, None once the connection is lost."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BufferedProtocol) -> None:
        """Take another protocol."""
        self._protocol = protocol

    # Reading

    def is_reading(self) -> bool:
        """Tell whether what arrives is taken."""
        return not (self._paused or self._closing)

    def start(self) -> None:
        """Introduce the transport to its protocol, then begin to read."""
        assert self._protocol is not None
        self._protocol.connection_made(self)  # type: ignore[arg-type]  # has all its methods
        if self.is_reading():
            self._loop.add_reader(self._fd, self._read_ready)

    def pause_reading(self) -> None:
        """Leave what arrives to the system; harmless when that is so."""
        if self.is_reading():
            self._paused = True
            self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        """Take what arrives again; harmless when that is so."""
        if self._paused and not self._closing:
            self._paused = False
            self._loop.add_reader(self._fd, self._read_ready)

    def _read_eof(self) -> None:
        assert self._protocol is not None
        if self._protocol.eof_received():
            self._loop.remove_reader(self._fd)
        else:
            self.close()

    # Writing

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Give the low and the high mark; bytes."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the marks at which the protocol pauses and goes on; as `asyncio.WriteTransport` has it."""
        if high is None:
            high = 65536 if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high must be >= low, and low >= 0, not {high} and {low}")
        self._high, self._low = high, low
        self._pause_if_full()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Write several pieces of data, joined."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """Tell that the sending side can be closed alone."""
        return True

    def write_eof(self) -> None:
        """Close the sending side, once everything is written."""
        if not (self._closing or self._eof):
            self._eof = True
            if not self._unsent:
                self._socket.shutdown(socket.SHUT_WR)

    def _write_rest(self, data: bytes | bytearray | memoryview, sent: int) -> None:
        rest = memoryview(data).cast("B")[sent:]
        if self._unsent:
            self._unsent += rest
        else:
            self._unsent = bytearray(rest)
            self._loop.add_writer(self._fd, self._write_ready)
        self._pause_if_full()

    def _write_ready(self) -> None:
        """Write on; the loop calls this when there is room."""
        if self._unsent:
            del self._unsent[: self._send(self._unsent)]
        if self._lost:
            return
        if self._full and self.get_write_buffer_size() <= self._low:
            self._full = False
            self._call(self._protocol.resume_writing)  # type: ignore[union-attr]  # it is not lost
        if not self._unsent and not self._lost:
            self._unsent = None
            self._loop.remove_writer(self._fd)
            if self._closing:
                self._end(None)
            elif self._eof:
                with suppress(OSError):  # it is reset: that will be read
                    self._socket.shutdown(socket.SHUT_WR)

    def _pause_if_full(self) -> None:
        if not self._full and self._protocol is not None and self.get_write_buffer_size() > self._high:
            self._full = True
            self._call(self._protocol.pause_writing)

    # The end

    def close(self) -> None:
        """Close the connection, once everything is written."""
        if not self._closing:
            self._stop()
            if not self._unsent:
                self._lost = True
                self._loop.call_soon(self._end, None)

    def abort(self) -> None:
        """Drop the connection at once."""
        self._drop(None)

    def _stop(self) -> None:
        """Read no more."""
        self._closing = True
        self._loop.remove_reader(self._fd)

    def _drop(self, exc: Exception | None) -> None:
        """Neither read nor write any more, and say so to the protocol in the next iteration."""
        if self._give_up():
            self._loop.call_soon(self._end, exc)

    def _lose(self, exc: Exception) -> None:
        """Do so at once, for it is the loop that calls: nobody is in the middle of something."""
        if self._give_up():
            self._end(exc)

    def _give_up(self) -> bool:
        """Neither read nor write any more; tell whether that is new."""
        if self._lost:
            return False
        self._stop()
        self._lost = True
        if self._unsent:
            self._unsent = None
            self._loop.remove_writer(self._fd)
        return True

    def _blame(self, exc: Exception) -> None:
        """Report what a protocol raised, which it must not, and drop the connection."""
        self._loop.call_exception_handler(
            {"message": "protocol failed", "exception": exc, "transport": self, "protocol": self._protocol}
        )
        self._drop(exc)

    def _call(self, method: Any) -> None:
        try:
            method()
        except Exception as exc:
            self._blame(exc)

    def _end(self, exc: Exception | None) -> None:
        protocol, self._protocol, self._lost = self._protocol, None, True
        with suppress(OSError):
            self._sockname = self._socket.getsockname()
        try:
            if protocol is not None:
                protocol.connection_lost(exc)
        finally:
            self._fd = -1
            self._socket.close()
