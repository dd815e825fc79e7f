"""Received bytes that no parser step has taken yet; nothing in them is looked at twice."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

from ._errors import LimitError, ParseError

_T = TypeVar("_T")

Steps: TypeAlias = Generator[None, None, _T]
"""A parser that yields whenever it needs more bytes, and returns what it has read."""


class Buffer:
    """
    Collect bytes and hand them out by line or by count.

    Args:
        data: What there is already; copied.

    Attributes:
        eof: Whether the peer has closed its side; set by the owner.

    Cost:
        Linear in the bytes received, however they are cut.
    """

    __slots__ = ("_data", "_scanned", "_start", "eof")

    def __init__(self, data: bytes = b"") -> None:
        self._data = bytearray(data)
        self._start = 0
        self._scanned = 0
        self.eof: bool = False

    def __len__(self) -> int:
        return len(self._data) - self._start

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """
        Add bytes from the peer.

        Args:
            data: Bytes; copied.

        Raises:
            TypeError: ``data`` is not bytes-like. A caller's bug.
        """
        octets = copy_bytes(data)
        if self._start:
            del self._data[: self._start]
            self._scanned -= self._start
            self._start = 0
        self._data += octets

    def take_line(self, limit: int, what: str, reported: int, status: int) -> bytes | None:
        """
        Take one line.

        Args:
            limit: Most bytes before the line end.
            what: Part of the message, for `LimitError`.
            reported: The limit that the error names.
            status: The HTTP status that the error carries.

        Returns:
            The line without CR LF, or ``None`` when it has not come whole.

        Raises:
            LimitError: The line is too long, be it finished or not.
            ParseError: The line ends in LF without CR. Both are the peer's fault.

        Spec:
            RFC 9112 §2.2.
        """
        data = self._data
        # Looking for LF, not CR LF, finds a bare LF at once, and the same error however the bytes are cut.
        end = data.find(b"\n", self._scanned)
        stop = len(data) if end < 0 else end
        content = stop - (stop > self._start and data[stop - 1] == 0x0D)
        if content - self._start > limit:
            raise LimitError(what, reported, status)
        if end < 0:
            self._scanned = stop
            return None
        if content == end:
            raise ParseError("HTTP line ends in LF without CR")
        line = bytes(data[self._start : content])
        self._start = self._scanned = end + 1
        return line

    def peek_lines(self, limit: int) -> bytes:
        """
        Look at the lines before a blank one, without taking them.

        Args:
            limit: Most bytes.

        Returns:
            The lines with their CR LF; empty when the blank line has not come, or there are more bytes.
        """
        end = self._data.find(b"\r\n\r\n", self._start, self._start + limit + 2)
        return b"" if end < 0 else bytes(self._data[self._start : end + 2])

    def take(self, size: int) -> bytes:
        """
        Take bytes from the front.

        Args:
            size: How many; at most ``len()``.

        Returns:
            Those bytes.
        """
        end = self._start + size
        taken = bytes(self._data[self._start : end])
        self._start = self._scanned = end
        return taken

    def take_all(self) -> bytes:
        """
        Take all bytes that are left, and free the memory of those that were taken before.

        Returns:
            Those bytes.
        """
        if not self._data:
            return b""
        rest = bytes(self._data[self._start :])
        self._data = bytearray()
        self._start = self._scanned = 0
        return rest


def copy_bytes(data: bytes | bytearray | memoryview) -> bytes:
    """
    Make bytes of what a driver has received.

    Args:
        data: Bytes.

    Returns:
        The same; a copy unless nobody can change it.

    Raises:
        TypeError: ``data`` is not bytes-like. A caller's bug.
    """
    if isinstance(data, bytes):
        return data
    if not isinstance(data, bytearray | memoryview):
        raise TypeError(f"data must be bytes-like, not {type(data).__name__}")
    return bytes(data)


def read_line(buffer: Buffer, limit: int, what: str, reported: int, status: int) -> Steps[bytes]:
    """
    Wait for one line.

    Args:
        buffer: Where to read.
        limit: Most bytes before the line end.
        what: Part of the message, for errors.
        reported: The limit that `LimitError` names.
        status: The HTTP status that it carries.

    Returns:
        The line without CR LF.

    Raises:
        LimitError: The line is too long.
        ParseError: The line is malformed, or the connection was closed before its end.
    """
    while (line := buffer.take_line(limit, what, reported, status)) is None:
        if buffer.eof:
            raise ParseError(f"connection closed while reading HTTP {what}")
        yield
    return line


def read_exactly(buffer: Buffer, size: int) -> Steps[bytes]:
    """
    Wait for bytes of a body.

    Args:
        buffer: Where to read.
        size: How many; bytes, within a limit that the caller has checked.

    Returns:
        Those bytes.

    Raises:
        ParseError: The connection was closed before them.
    """
    while len(buffer) < size:
        if buffer.eof:
            raise ParseError("connection closed while reading HTTP body")
        yield
    return buffer.take(size)
