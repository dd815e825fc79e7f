"""Messages to compressed payloads: RFC 7692 §7.2.1."""

from __future__ import annotations

import math
from collections.abc import Callable

from twoway.frames import Buffer

from ._engines import Compressor
from ._history import MAX_HISTORY, remember

#: Makes a compressor that may refer to these bytes.
MakeCompressor = Callable[[Buffer | None], Compressor]

SYNC_FLUSH = 2
#: The end of a flushed stream, an empty stored block without its header.
TAIL = b"\x00\x00\xff\xff"
#: A block header that such a tail completes: the payload of an empty message (RFC 7692 §7.2.3.6).
_EMPTY = b"\x00"


class Deflater:
    """Compress the messages of one connection, one after the other."""

    __slots__ = ("_active", "_count", "_history", "_history_size", "_idle", "_keep", "_keep_after", "_make")

    def __init__(self, make: MakeCompressor, takeover: bool, keep_after: float, bits: int) -> None:
        self._make = make
        self._keep_after = keep_after if takeover else math.inf
        # A new compressor is told at most 4 KiB: more costs more time than it gains.
        self._history_size = min(1 << bits, MAX_HISTORY) if takeover else 0
        self._history = bytearray()  # while no compressor is kept
        self._active: Compressor | None = None  # inside a message
        self._idle: Compressor | None = None  # between messages; `release` drops it from any thread
        self._count = 0  # messages since the beginning or the last release
        self._keep = False  # whether the current compressor is kept after its message

    def deflate(self, data: bytes, fin: bool) -> bytes:
        """Compress a frame of a message; `fin` says that it is the last one."""
        # Hot: every row of tools/bench/deflate.py runs through this in one go.
        try:
            compressor = self._active
            if compressor is None:
                compressor, self._idle = self._idle, None
                if compressor is None:
                    compressor = self._begin()
            head = compressor.compress(data)
            tail = compressor.flush(SYNC_FLUSH)
            if not self._keep:
                self._note(data, fin)
            if not fin:
                self._active = compressor
                return head + tail
            self._active = None
            if self._keep:
                self._idle = compressor
            # RFC 7692 §7.2.1: the last 4 octets are removed. An empty last frame after a flush gives no output at all.
            return head + tail[:-4] if tail else head + _EMPTY
        except BaseException:
            # What the compressor has swallowed will never be sent: nothing may refer to it.
            self.forget()
            raise

    def _begin(self) -> Compressor:
        compressor = self._make(self._history)
        # For the whole message, and for those after it: a history with a gap in it would be a wrong one.
        self._keep = self._count >= self._keep_after
        if self._keep:
            self._history.clear()
        return compressor

    def _note(self, data: bytes, fin: bool) -> None:
        """Remember for the next compressor what this one, which is not kept, has seen."""
        if self._history_size:
            remember(self._history, data, self._history_size)
        self._count += fin

    @property
    def inside(self) -> bool:
        """Whether a fragmented message is not complete."""
        return self._active is not None

    def release(self) -> None:
        """Drop the compressor between messages; the next message starts afresh."""
        self._count = 0
        self._idle = None

    def forget(self) -> None:
        """Never refer to anything that was sent before."""
        self._active = self._idle = None
        self._history = bytearray()
        self._count = 0
