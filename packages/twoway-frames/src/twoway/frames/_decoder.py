"""Bytes to frames and messages, however the bytes are cut: RFC 6455 §5.2 to §5.5."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from ._codes import CONTROL_OPCODES, DATA_OPCODES, Opcode
from ._errors import FrameError, PayloadTooBig, ProtocolError, TooManyFragments
from ._extension import Extension
from ._frame import MAX_CONTROL_SIZE, Close, Fragment, Frame, Ping, Pong, make_frame
from ._mask import Buffer, apply_mask, xor
from ._sinks import BinarySink, TextSink
from ._utf8 import decode_utf8

#: What a `MessageDecoder` gives: a whole message is the ``str`` or ``bytes`` itself.
Item: TypeAlias = str | bytes | Fragment | Ping | Pong | Close

Verdicts: TypeAlias = tuple[tuple[str | None, ...], ...]
# The wire's limit for a payload, and the extensions to go through with the limit for what each of them makes of it.
Plan: TypeAlias = tuple[int, tuple[tuple[Extension, int | None], ...]]

DEFAULT_MAX_SIZE = 1 << 20
DEFAULT_MAX_FRAGMENTS = 4096

# RFC 6455 §5.2: no payload is longer.
_LARGEST = (1 << 63) - 1
# Stays larger than that when the size of a message is taken off.
_NO_LIMIT = 1 << 64
_BETWEEN_FRAMES = -1
_FIN = 0x80
_MASK = 0x80
_RSV = 0x70
_CONT, _TEXT, _CLOSE, _PING = map(int, (Opcode.CONT, Opcode.TEXT, Opcode.CLOSE, Opcode.PING))
# First bytes of messages in one frame that no extension has marked.
_WHOLE_TEXT = _FIN | Opcode.TEXT
_WHOLE = (_WHOLE_TEXT, _FIN | Opcode.BINARY)

# By second byte: header size in bytes (RFC 6455 §5.2: 7, 7+16 or 7+64 bits of length, masking key).
_HEADER_SIZES = tuple(2 + {126: 2, 127: 8}.get(b & 0x7F, 0) + (4 if b & 0x80 else 0) for b in range(256))
# By length form: the smallest length that may use it ("the minimal number of bytes MUST be used").
_SMALLEST = {126: 126, 127: 65536}


@lru_cache(maxsize=64)
def verdicts(allowed: frozenset[tuple[int, int]]) -> Verdicts:
    """Say by whether the stream stands in a message, and by first byte, what is wrong with it; None if nothing."""
    return tuple(
        tuple(_judge_first_byte(byte, in_message, dict(allowed)) for byte in range(256)) for in_message in (False, True)
    )


def _judge_first_byte(byte: int, in_message: bool, allowed: Mapping[int, int]) -> str | None:
    opcode = byte & 0x0F
    if opcode not in DATA_OPCODES and opcode not in CONTROL_OPCODES:
        return f"reserved opcode 0x{opcode:X}"
    if byte & _RSV & ~allowed.get(opcode, 0):
        return f"reserved bits set in a {Opcode(opcode).name} frame without an extension that allows them"
    if opcode in CONTROL_OPCODES and not byte & _FIN:
        return f"fragmented {Opcode(opcode).name} frame"
    if opcode in DATA_OPCODES and in_message is not (opcode == _CONT):
        return "new message inside a message" if in_message else "continuation frame outside a message"
    return None


class _FrameReader(ABC):
    """Find frames in a byte stream; subclasses say what becomes of their payloads."""

    __slots__ = (
        "_first", "_in_message", "_key", "_left", "_offset", "_rest", "_stopped", "_verdicts", "_wrong_mask", "error",
    )  # fmt: skip

    def __init__(self, masked: bool | None, verdicts: Verdicts) -> None:
        if masked is not None and not isinstance(masked, bool):
            raise TypeError(f"masked must be True, False or None, not {masked!r}")
        #: What was wrong with the stream, None if nothing so far. Bytes after it are discarded.
        self.error: FrameError | None = None
        # Mask bit of frames that the other side must not send (RFC 6455 §5.1): 0 or 0x80, -1 where both may come.
        self._wrong_mask = -1 if masked is None else _MASK * (not masked)
        self._verdicts = verdicts
        self._rest = b""  # a header that is not complete: under 14 bytes
        self._first = 0  # first byte of the current frame
        self._left = _BETWEEN_FRAMES  # payload bytes still to come
        self._key = b""
        self._offset = 0  # payload bytes of the current frame that were unmasked
        self._in_message = False
        self._stopped = False

    @property
    def incomplete(self) -> bool:
        """
        Whether the stream stands inside a frame or a fragmented message.

        Never after its end or an error.
        """
        return bool(self._rest) or self._left != _BETWEEN_FRAMES or self._in_message

    def stop(self) -> None:
        """
        Discard all later bytes, and the message that is not finished.

        It is as if the stream had broken a rule.

        Spec:
            RFC 6455 §7.1.7.
        """
        self._stopped = True
        self._rest = b""
        self._left = _BETWEEN_FRAMES
        self._in_message = False
        self._forget()

    def _read(self, data: Buffer) -> None:
        if self._stopped:
            return  # RFC 6455 §5.5.1, §7.1.7: nothing after a Close frame or a violation counts
        if not isinstance(data, bytes):
            data = (data if isinstance(data, memoryview) else memoryview(data)).tobytes()
        try:
            self._parse(self._rest + data if self._rest else data)
        except FrameError as exc:
            # Its traceback would keep the bytes alive, and the decoder in a reference cycle.
            self.error = exc.with_traceback(None)
            self._stopped = True
        except BaseException:
            self.stop()  # the bug of an extension: the stream has lost its place
            raise
        if self._stopped:
            self.stop()

    def _parse(self, data: bytes, pos: int = 0) -> None:
        end = len(data)
        while not self._stopped:
            if self._left == _BETWEEN_FRAMES:
                available = end - pos
                size = self._read_header(data, pos, available) if available > 1 else 0
                if not size:
                    self._rest = data[pos:]
                    return
                pos += size
            left = self._left
            chunk = data[pos : pos + left]
            size = len(chunk)
            if left and not size:
                break
            pos += size
            if self._key:
                chunk = apply_mask(chunk, self._key, self._offset)
                self._offset += size
            final = size == left
            self._left = _BETWEEN_FRAMES if final else left - size
            self._receive(chunk, final)
        self._rest = b""

    def _read_header(self, data: bytes, pos: int, available: int) -> int:
        """Read the header at `pos`, where there are two bytes at least; return its size, 0 when bytes are missing."""
        first, second = data[pos], data[pos + 1]
        length = second & 0x7F
        # RFC 6455 §5.2, §5.4, §5.5: these two bytes condemn a frame before anything else is read or allocated.
        if (
            self._verdicts[self._in_message][first]
            or second & _MASK == self._wrong_mask
            or (length > MAX_CONTROL_SIZE and first & _CLOSE)
        ):
            raise self._condemn(first, length)
        size = _HEADER_SIZES[second]
        if available < size:
            return 0
        key_at = size - 4 if second & _MASK else size
        if length > MAX_CONTROL_SIZE:
            length = self._long_length(length, data[pos + 2 : pos + key_at])
        self._first = first
        self._left = length
        self._key = data[pos + key_at : pos + size]
        self._offset = 0
        self._begin(first & 0x0F, length)
        if not first & _CLOSE:
            self._in_message = first < _FIN
        return size

    def _condemn(self, first: int, length: int) -> ProtocolError:
        """Say what is wrong with the first two bytes of a frame."""
        wrong = self._verdicts[self._in_message][first]
        if wrong is not None:
            return ProtocolError(wrong)
        if first & _CLOSE and length > MAX_CONTROL_SIZE:
            return ProtocolError(f"{Opcode(first & 0x0F).name} frame with a payload of more than 125 bytes")
        # RFC 6455 §5.1: a client masks every frame, a server none.
        return ProtocolError(f"frame from a {'server is' if self._wrong_mask else 'client is not'} masked")

    @staticmethod
    def _long_length(form: int, data: bytes) -> int:
        length = int.from_bytes(data, "big")
        if length < _SMALLEST[form]:
            raise ProtocolError(f"payload length {length} in {len(data)} bytes is not minimal")
        if length >> 63:
            raise ProtocolError("payload length has its most significant bit set")
        return length

    @abstractmethod
    def _begin(self, opcode: int, length: int) -> None:
        """Judge a frame by its header, before any of its payload is kept."""

    @abstractmethod
    def _receive(self, chunk: bytes, final: bool) -> None:
        """Take a part of the current payload, unmasked; `final` says that the frame ends with it."""

    @abstractmethod
    def _forget(self) -> None:
        """Drop what was kept of an unfinished message: the stream has ended."""


class FrameDecoder(_FrameReader):
    """
    Turn a byte stream into `Frame` objects, one by one.

    This is for proxies, packet decoders and tests. Every rule that can be checked on frames is checked; payloads
    are unmasked but not interpreted: text is not decoded, Close frames are not parsed, and what follows them is
    still given.

    Args:
        masked: True when reading from a client, False when reading from a server, None to accept both.
        reserved_bits: Which of 0x40, 0x20 and 0x10 data frames may carry.
        max_size: Largest payload of a frame; bytes, None for no limit. Memory grows with what arrived.

    Attributes:
        error: What was wrong with the stream, None if nothing so far.

    Raises:
        TypeError: An argument is of a wrong type; a caller's bug.
        ValueError: ``reserved_bits`` holds other bits or ``max_size`` is negative; a caller's bug.

    Spec:
        RFC 6455 §5.2 to §5.5.
    """

    __slots__ = ("_frames", "_max_size", "_payload")

    def __init__(
        self, *, masked: bool | None = None, reserved_bits: int = 0, max_size: int | None = DEFAULT_MAX_SIZE
    ) -> None:
        check_limit("max_size", max_size)
        if reserved_bits & ~_RSV:
            raise ValueError(f"reserved_bits must be a sum of 0x40, 0x20 and 0x10, not {reserved_bits:#x}")
        super().__init__(masked, verdicts(frozenset((opcode, reserved_bits) for opcode in DATA_OPCODES)))
        self._max_size = max_size
        self._frames: list[Frame] = []
        self._payload = bytearray()

    def feed(self, data: Buffer) -> list[Frame]:
        """
        Take the next bytes of the stream.

        Args:
            data: Any number of bytes; read only, not kept.

        Returns:
            The frames that are complete now. When the stream breaks a rule, those before the bad frame; `error`
            is set and later bytes are discarded.

        Raises:
            TypeError: ``data`` is not a buffer; a caller's bug.

        Spec:
            RFC 6455 §5.2, §7.1.7.

        Cost:
            Linear in ``data``, also when frames come in tiny pieces.
        """
        self._read(data)
        frames, self._frames = self._frames, []
        return frames

    def _begin(self, opcode: int, length: int) -> None:
        if self._max_size is not None and length > self._max_size:
            raise PayloadTooBig("frame", length, self._max_size)

    def _receive(self, chunk: bytes, final: bool) -> None:
        if not final or self._payload:
            self._payload += chunk
        if final:
            if self._payload:
                chunk, self._payload = bytes(self._payload), bytearray()
            first = self._first
            self._frames.append(make_frame(first & 0x0F, chunk, first >= _FIN, first & _RSV))

    def _forget(self) -> None:
        self._payload = bytearray()


class MessageDecoder(_FrameReader):
    """
    Turn a byte stream into messages and control frames.

    A whole text message comes out as ``str``, a binary one as ``bytes``; control frames as `Ping`, `Pong` and
    `Close`. Text is checked as it arrives, so that the first bad byte ends the stream.

    Args:
        masked: True when reading from a client, False when reading from a server, None to accept both.
        extensions: What was negotiated, in the order of the handshake; used, not copied.
        max_size: Largest message, after extensions; bytes, None for no limit.
        max_fragment_size: Largest frame of a message; bytes, None for no limit of its own.
        max_fragments: Largest number of frames in a message, empty ones included; None for no limit.
        fragments: Whether a message in several frames comes out as `Fragment` objects, as they arrive,
            instead of joined.

    Attributes:
        error: What was wrong with the stream, None if nothing so far.

    Raises:
        TypeError: ``masked`` or a limit is of a wrong type; a caller's bug.
        ValueError: A limit is negative; a caller's bug.

    Spec:
        RFC 6455 §5.4, §5.5, §5.6, §8.1, §9.
    """

    __slots__ = (
        "_collect", "_count", "_extended", "_extensions", "_fragments", "_items", "_max_fragment_size",
        "_max_fragments", "_max_size", "_max_whole_size", "_payload", "_planned", "_room", "_sees_all", "_sink",
        "_size", "_steps", "_text", "_wire_room",
    )  # fmt: skip

    def __init__(
        self,
        *,
        masked: bool | None = None,
        extensions: Sequence[Extension] = (),
        max_size: int | None = DEFAULT_MAX_SIZE,
        max_fragment_size: int | None = None,
        max_fragments: int | None = DEFAULT_MAX_FRAGMENTS,
        fragments: bool = False,
    ) -> None:
        check_limit("max_size", max_size)
        check_limit("max_fragment_size", max_fragment_size)
        check_limit("max_fragments", max_fragments)
        allowed, self._sees_all = survey(extensions)
        super().__init__(masked, allowed)
        self._extensions = extensions
        self._max_size = _NO_LIMIT if max_size is None else max_size
        self._max_fragment_size = _NO_LIMIT if max_fragment_size is None else max_fragment_size
        self._max_fragments = _NO_LIMIT if max_fragments is None else max_fragments
        # Of a message in one frame that no extension has to see; -1 where there can be none.
        self._max_whole_size = min(self._max_size, self._max_fragment_size)
        if self._sees_all or not self._max_fragments:
            self._max_whole_size = -1
        self._fragments = fragments
        self._items: list[Item] = []
        self._payload: bytes | bytearray = b""  # of a control frame, or of a frame that goes through extensions
        self._collect = False  # whether the current frame is one of these
        self._extended = False  # whether the current message is
        self._text = False
        self._size = 0  # of the current message so far
        self._count = 0
        self._room = 0  # for the payload of the current frame, after extensions
        # What follows from a room, for it is the same at the beginning of each message:
        self._planned = -1  # for which room
        self._wire_room = 0  # for the payload before extensions
        self._steps: Sequence[tuple[Extension, int | None]] = ()
        self._sink: TextSink | BinarySink | None = None

    def feed(self, data: Buffer) -> list[Item]:
        """
        Take the next bytes of the stream.

        Args:
            data: Any number of bytes; read only, not kept.

        Returns:
            What is complete now. When the stream breaks a rule, what came before; `error` is set and later
            bytes are discarded. So are bytes after a Close frame.

        Raises:
            TypeError: ``data`` is not a buffer; a caller's bug.

        Spec:
            RFC 6455 §5.4, §5.5, §7.1.7.

        Cost:
            Linear in ``data``, also when frames come in tiny pieces.
        """
        self._read(data)
        items, self._items = self._items, []
        return items

    def _parse(self, data: bytes, pos: int = 0) -> None:
        # Nearly all that comes are whole messages: these first; from the first other frame on, all in the general way.
        if self._left == _BETWEEN_FRAMES and not self._in_message:
            pos = self._take_whole(data, pos)
        if pos < len(data):
            super()._parse(data, pos)
        else:
            self._rest = b""

    def _take_whole(self, data: bytes, pos: int) -> int:
        """Take the messages from `pos` on that came whole, each in one plain frame; give where they end."""
        # Hot: the echo cells of tools/bench run through this loop when nothing is compiled.
        end = len(data)
        while end - pos > 1:
            first, second = data[pos], data[pos + 1]
            masked = second & _MASK
            length = second & 0x7F
            start = pos + _HEADER_SIZES[second]
            if first not in _WHOLE or masked == self._wrong_mask or length == 127 or start > end:
                break
            if length == 126:
                length = data[pos + 2] << 8 | data[pos + 3]
                if length < 126:
                    break  # RFC 6455 §5.2: not the shortest form; the general way condemns it
            stop = start + length
            if stop > end or length > self._max_whole_size:
                break
            payload = data[start:stop]
            if masked:
                payload = xor(payload, data[start - 4 : start])
            self._items.append(decode_utf8(payload) if first == _WHOLE_TEXT else payload)
            pos = stop
        return pos

    def _begin(self, opcode: int, length: int) -> None:
        if opcode >= _CLOSE:
            self._collect = True
            return
        if opcode != _CONT:
            self._text = opcode == _TEXT
            # Without extensions no reserved bit gets here.
            self._extended = self._sees_all or bool(self._first & _RSV)
            self._size = self._count = 0
        elif self._first & _RSV and not self._extended:
            raise ProtocolError("reserved bits set in a continuation frame of a message without them")
        self._collect = self._extended
        self._count += 1
        if self._count > self._max_fragments:
            raise TooManyFragments(self._max_fragments)
        room = self._max_size - self._size
        if room > self._max_fragment_size:
            room = self._max_fragment_size
        self._room = room
        if not self._extended:
            if length > room:
                raise self._too_big(length, self._max_fragment_size)
            self._size += length
            return
        # The header alone can be too much; what extensions expand is checked again while they do.
        if room != self._planned:
            self._wire_room, self._steps = plan(self._extensions, room)
            self._planned = room
        if length > self._wire_room:
            allowed, _ = plan(self._extensions, self._max_fragment_size)
            raise self._too_big(length, allowed)

    def _too_big(self, length: int, allowed: int) -> PayloadTooBig:
        """Say which limit was passed; `allowed` is what that for a frame would let pass."""
        if length > allowed:
            return PayloadTooBig("frame", length, self._max_fragment_size)
        return PayloadTooBig("message", self._size + length, self._max_size)

    def _receive(self, chunk: bytes, final: bool) -> None:
        if not self._collect:
            self._add(chunk, final)
            return
        if not final or self._payload:
            if not isinstance(self._payload, bytearray):
                self._payload = bytearray()
            self._payload += chunk
        if final:
            if self._payload:
                chunk, self._payload = bytes(self._payload), b""
            opcode = self._first & 0x0F
            if opcode >= _CLOSE:
                self._control(opcode, chunk)
            else:
                self._add(self._decode(opcode, chunk), True)

    def _control(self, opcode: int, payload: bytes) -> None:
        if opcode == _CLOSE:
            self._items.append(Close.parse(payload))
            self._stopped = True
        else:
            self._items.append(Ping(payload) if opcode == _PING else Pong(payload))

    def _decode(self, opcode: int, payload: bytes) -> bytes:
        """Pass a frame through the extensions, the last one first (RFC 6455 §9.1)."""
        fin, rsv = self._first >= _FIN, self._first & _RSV
        for extension, room in self._steps:
            payload, rsv = extension.decode_payload(opcode, payload, fin, rsv, room)
        if rsv:
            raise ProtocolError("reserved bits set that no extension took")
        size = len(payload)
        if size > self._room:  # whatever an extension makes of max_size
            raise self._too_big(size, self._max_fragment_size)
        self._size += size
        return payload

    def _add(self, chunk: bytes, final: bool) -> None:
        """Take a part of a data frame; `final` says that the frame ends with it."""
        ends = final and bool(self._first & _FIN)
        sink = self._sink
        if sink is None:
            if ends:
                self._items.append(decode_utf8(chunk) if self._text else chunk)
                return
            sink = self._sink = TextSink() if self._text else BinarySink()
        sink.write(chunk, ends)
        if ends and (self._count == 1 or not self._fragments):
            self._items.append(sink.take())
        elif final and self._fragments:
            self._items.append(Fragment(sink.take(), self._count == 1, ends))
        if ends:
            self._sink = None

    def _forget(self) -> None:
        self._payload = b""
        self._sink = None


def survey(extensions: Sequence[Extension]) -> tuple[Verdicts, bool]:
    """Find out which first bytes are wrong with these extensions, and whether they must see every message."""
    merged: dict[int, int] = {}
    for extension in extensions:
        for opcode, bits in extension.reserved_bits.items():
            merged[opcode] = merged.get(opcode, 0) | (bits & _RSV)
    return verdicts(frozenset(merged.items())), any(extension.decodes_unmarked for extension in extensions)


def plan(extensions: Sequence[Extension], room: int) -> Plan:
    """Find out how large a frame may be on the wire, and the way through the extensions, the last one first."""
    rooms = [room]
    for extension in extensions:
        room = room if room > _LARGEST else extension.max_encoded_size(room)
        rooms.append(room)
    told = [None if room > _LARGEST else room for room in reversed(rooms[:-1])]
    return rooms[-1], tuple(zip(reversed(extensions), told, strict=True))


def check_limit(name: str, value: int | None) -> None:
    """
    Check an argument that is a limit.

    Args:
        name: Name of the argument, for the error.
        value: A limit in bytes or items, or None for no limit.

    Raises:
        TypeError: ``value`` is neither an integer nor None; a caller's bug.
        ValueError: ``value`` is negative; a caller's bug.
    """
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int or None, not {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{name} must be >= 0, not {value}")
