"""What every message goes through between a socket and a connection: the part of a transport with a compiled twin."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING


class SocketPath:
    """Be the part of `SocketTransport` that reads and writes; what it needs besides is there."""

    __slots__ = ("_closing", "_fd", "_loop", "_lost", "_protocol", "_socket", "_unsent")

    _closing: bool  # whether nothing more is read
    _fd: int  # the descriptor, -1 when it is closed
    _loop: asyncio.AbstractEventLoop
    _lost: bool  # whether nothing more can be written, and the protocol is told
    _protocol: asyncio.BufferedProtocol | None  # None once it was told
    _socket: socket.socket
    _unsent: bytearray | None  # what waits to be written; None or empty for nothing

    if TYPE_CHECKING:

        def _blame(self, exc: Exception) -> None: ...
        def _drop(self, exc: Exception | None) -> None: ...
        def _lose(self, exc: Exception) -> None: ...
        def _read_eof(self) -> None: ...
        def _write_rest(self, data: bytes | bytearray | memoryview, sent: int) -> None: ...

    def is_closing(self) -> bool:
        """Tell whether the connection ends."""
        return self._closing

    def get_write_buffer_size(self) -> int:
        """Say how much waits to be written; bytes."""
        return len(self._unsent) if self._unsent else 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """
        Write, now or when there is room.

        Args:
            data: Any length; not kept.
        """
        if self._lost:
            return
        sent = 0 if self._unsent else self._send(data)
        if sent < len(data) and not self._lost:
            self._write_rest(data, sent)

    def _send(self, data: bytes | bytearray | memoryview) -> int:
        """Give the socket what it takes, and say how much that was."""
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as exc:
            self._drop(exc)
            return 0

    def _read_ready(self) -> None:
        """Read; the loop calls this when something is there."""
        if self._closing or self._protocol is None:
            return
        try:
            size = self._socket.recv_into(self._protocol.get_buffer(-1))
        except (BlockingIOError, InterruptedError):
            return
        except OSError as exc:
            self._lose(exc)
            return
        try:
            if size:
                self._protocol.buffer_updated(size)
            else:
                self._read_eof()
        except Exception as exc:
            self._blame(exc)
