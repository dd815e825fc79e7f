"""Compressed payloads to messages, within a limit: RFC 7692 §7.2.2."""

from __future__ import annotations

from twoway.frames import InvalidPayloadError, PayloadTooBig

from ._deflater import TAIL
from ._engines import Decompressor, Engine
from ._history import remember

# What one call into the engine reads and writes at most; bytes. Small enough for a bomb to cost next to nothing
# beyond the limit, large enough for nearly all messages to take one call.
_STEP = 16384
_BLOCK = 65536

# RFC 7692 §7.2.2 appends the tail. The empty final block behind it proves that the message ended between two blocks:
# only there it is read as what it is, and ends the stream.
END = TAIL + b"\x01\x00\x00\xff\xff"

# More than any message; `decompress` reads 0 as no limit at all, and takes no number above the machine's.
_NO_LIMIT = 1 << 62

# Each final block costs a new decompressor; nobody needs more than one or two of them.
_MAX_FINAL_BLOCKS = 1024


class Inflater:
    """
    Decompress the messages of one connection, one after the other.

    A decompressor lives as long as a message. What later messages may refer to is kept as bytes, which takes less
    memory than a decompressor, and hardly more time than it takes to find out whether a message was complete.
    """

    __slots__ = ("_bits", "_engine", "_failed", "_final_blocks", "_history", "_make", "_size", "_stream", "_takeover")

    def __init__(self, engine: Engine, takeover: bool, bits: int) -> None:
        self._engine = engine
        self._takeover = takeover
        self._make = engine.decompressor
        self._bits = -bits
        self._size = 1 << bits
        self._history = bytearray()
        self._stream: Decompressor | None = None  # None between blocks, where nothing is under way
        self._final_blocks = 0  # of the current message
        self._failed = False

    def inflate(self, data: bytes, fin: bool, limit: int | None) -> bytes:
        """Decompress a frame of a message; `fin` says that it is the last one."""
        if self._failed:
            raise InvalidPayloadError("compressed data after broken compressed data")
        try:
            # RFC 7692 §7.2.3.6 has an empty message take a byte, but a zlib that is flushed twice writes nothing.
            payload = self._feed(data, limit) if data else b""
            if fin:
                self._finish()
        except BaseException as exc:
            self._give_up(exc)
            raise
        return payload

    def _give_up(self, exc: BaseException) -> None:
        """Refuse what comes later; raise something better than the engine's error."""
        self.close()
        self._failed = True
        if isinstance(exc, self._engine.error):
            # Its traceback would keep the payload alive for as long as somebody keeps the error.
            raise InvalidPayloadError(f"broken compressed data: {exc}") from exc.with_traceback(None)

    def _feed(self, data: bytes, limit: int | None) -> bytes:
        # One byte more than allowed, to tell a message of just that size from a longer one.
        room = _NO_LIMIT if limit is None else limit + 1
        asked = room if room < _BLOCK else _BLOCK
        # Nearly all messages take one call and end here: every row of tools/bench/deflate.py.
        stream = self._stream
        if stream is None:
            stream = self._stream = self._make(self._bits, self._history)
        whole = len(data) <= _STEP
        block = stream.decompress(data if whole else data[:_STEP], asked)
        history = self._history  # as `remember` does, without a call
        history += block
        del history[: -self._size]
        if whole and len(block) < asked and not stream.eof:
            return block
        return self._feed_on(stream, block, data, room)

    def _feed_on(self, stream: Decompressor, block: bytes, data: bytes, room: int) -> bytes:
        """Continue after the first block, until the data is consumed and nothing more comes."""
        blocks = [block]
        pieces = (data[at : at + _STEP] for at in range(_STEP, len(data), _STEP))
        limit = room - 1
        while True:
            if len(block) >= room:  # an engine may give more than it was asked for
                raise PayloadTooBig("decompressed payload", None, limit)
            piece = self._left(stream, len(block) >= _BLOCK)
            if piece is None:
                piece = next(pieces, None)
            if piece is None:
                return b"".join(blocks)
            room -= len(block)
            stream = self._stream or self._make(self._bits, self._history)
            self._stream = stream
            block = stream.decompress(piece, min(_BLOCK, room))
            remember(self._history, block, self._size)
            blocks.append(block)

    def _left(self, stream: Decompressor, full: bool) -> bytes | None:
        """Give the input that the last call left over; None when it left none and there cannot be more output."""
        if not stream.eof:
            # Behind a full block there may be more output even when all the input is consumed.
            return stream.unconsumed_tail if full else None
        # RFC 7692 §7.2.3.4: a final block ends the deflate stream but not the message.
        self._stream = None
        self._final_blocks += 1
        if self._final_blocks > _MAX_FINAL_BLOCKS:
            raise InvalidPayloadError(f"more than {_MAX_FINAL_BLOCKS} final blocks in a compressed message")
        return stream.unused_data or None

    def _finish(self) -> None:
        stream = self._stream
        if stream is not None:
            self._stream = None
            if stream.decompress(END, 1) or not stream.eof or stream.unused_data:
                raise InvalidPayloadError("compressed message ends early")
        self._final_blocks = 0
        if not self._takeover:
            self._history = bytearray()

    @property
    def inside(self) -> bool:
        """Whether a deflate stream is not complete."""
        return self._stream is not None

    def close(self) -> None:
        """Drop everything."""
        self._stream = None
        self._history = bytearray()
