"""Messages to frames on their way out: fragmentation and extensions."""

from __future__ import annotations

from codecs import utf_8_decode
from collections.abc import Hashable, Sequence

from twoway.frames import (
    Buffer,
    Extension,
    Frame,
    InvalidPayloadError,
    Opcode,
    Utf8Decoder,
    decode_utf8,
    encode_frame,
    serialize_frame,
)

from ._errors import InvalidState

_TEXT = Opcode.TEXT  # each look-up of a member takes Python 3.11 as long as the rest of a check


class SharedMessage:
    """
    Hold a message that is sent on many connections, and serialized once for all with equal settings.

    Args:
        message: Text or binary message; copied unless it is ``bytes``.
        text: True sends bytes-like objects, which must be UTF-8, as text; False sends ``str`` as binary; None goes by
            the type.
        compress: True compresses the message, False does not; None lets the extensions decide.

    Raises:
        TypeError: ``message`` is neither ``str`` nor bytes-like; a caller's bug.
        ValueError: A text is not UTF-8, or has a lone surrogate; a caller's bug.

    Spec:
        RFC 6455 §5.6.
    """

    __slots__ = ("compress", "data", "frame", "made", "opcode")

    def __init__(self, message: str | Buffer, *, text: bool | None = None, compress: bool | None = None) -> None:
        if not isinstance(message, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"message must be str or bytes-like, not {type(message).__name__}")
        self.opcode: Opcode = Opcode.TEXT if text or (text is None and isinstance(message, str)) else Opcode.BINARY
        self.data: bytes = _check_text(message) if self.opcode is Opcode.TEXT else _encode_text(message)
        self.compress: bool | None = compress
        #: What a server without extensions writes, None until one has.
        self.frame: bytes | None = None
        #: Settings of a connection -> what it writes, and what each extension made on the way.
        self.made: dict[Hashable, tuple[bytes, list[Frame]]] = {}


class MessageEncoder:
    """
    Serialize the data frames of one connection; one that may not be sent cannot be made.

    Args:
        masked: Whether frames go from client to server.
        extensions: What was negotiated, in the order of the handshake; used, not copied.

    Spec:
        RFC 6455 §5.4, §5.6, §9.1.
    """

    __slots__ = ("_compress", "_cut", "_extensions", "_masked", "_message")

    def __init__(self, masked: bool, extensions: Sequence[Extension]) -> None:
        self._masked = masked
        self._extensions = extensions
        self._message: Opcode | None = None  # the fragmented message that is being sent
        self._compress: bool | None = None
        self._cut = b""  # bytes of a character that the last fragment of a text has cut

    @property
    def in_message(self) -> bool:
        """Whether a fragmented message is being sent."""
        return self._message is not None

    def start(self, opcode: Opcode, data: str | Buffer, fin: bool, compress: bool | None) -> bytes:
        """
        Serialize the first frame of a message.

        Args:
            opcode: TEXT or BINARY.
            data: Payload; a ``str`` only in a text message; read only, not kept.
            fin: Whether it is the last frame, too.
            compress: What to tell the extensions, for the whole message.

        Returns:
            The bytes for the wire.

        Raises:
            InvalidState: A fragmented message is being sent; a caller's bug.
            TypeError: ``data`` does not fit the kind of message; a caller's bug.
            ValueError: ``data`` is not UTF-8, or has a lone surrogate, in a text message; a caller's bug.

        Spec:
            RFC 6455 §5.4: fragments of one message must not be interleaved with another message.
        """
        if self._message is not None:
            raise InvalidState("a fragmented message is being sent: finish it before the next one")
        cut = self._check(opcode, data, fin)
        frame = self._encode(opcode, data, fin, compress)
        if not fin:
            self._message, self._compress, self._cut = opcode, compress, cut
        return frame

    def go_on(self, data: str | Buffer, fin: bool) -> bytes:
        """
        Serialize the next frame of a message.

        Args:
            data: Payload; of the message's kind; read only, not kept.
            fin: Whether the message ends with it.

        Returns:
            The bytes for the wire.

        Raises:
            InvalidState: No fragmented message is being sent; a caller's bug.
            TypeError: ``data`` does not fit the kind of message; a caller's bug.
            ValueError: ``data`` is not UTF-8, or has a lone surrogate, in a text message; a caller's bug.

        Spec:
            RFC 6455 §5.4.
        """
        if self._message is None:
            raise InvalidState("no fragmented message is being sent")
        cut = self._check(self._message, data, fin)
        frame = self._encode(Opcode.CONT, data, fin, self._compress)
        self._cut = cut
        if fin:
            self._message = None
        return frame

    def start_shared(self, message: SharedMessage) -> bytes:
        """
        Serialize a message that other connections may have serialized already.

        Args:
            message: The message; keeps the frame for the next connection.

        Returns:
            The bytes for the wire.

        Raises:
            InvalidState: A fragmented message is being sent; a caller's bug.

        Spec:
            RFC 6455 §5.3: masked frames, each with a key of its own, cannot be shared.
        """
        keys = None if self._masked else tuple(extension.shared_key() for extension in self._extensions)
        if keys is None or None in keys:
            return self.start(message.opcode, message.data, True, message.compress)
        if self._message is not None:
            raise InvalidState("a fragmented message is being sent: finish it before the next one")
        if keys not in message.made:
            message.made[keys] = self._share(message)
        wire, frames = message.made[keys]
        if not keys:
            message.frame = wire
        for extension, frame in zip(self._extensions, frames, strict=True):
            extension.adopt_shared(frame)
        return wire

    def _share(self, message: SharedMessage) -> tuple[bytes, list[Frame]]:
        frames = [Frame(message.opcode, message.data)]
        for extension in self._extensions:
            frames.append(extension.encode_shared(frames[-1], compress=message.compress))
        return serialize_frame(frames[-1], masked=False), frames[1:]

    def _encode(self, opcode: Opcode, payload: str | Buffer, fin: bool, compress: bool | None) -> bytes:
        try:
            if not self._extensions:
                return encode_frame(opcode, payload, fin, 0, self._masked)
            data = payload.encode() if isinstance(payload, str) else bytes(payload)
        except UnicodeEncodeError as exc:
            raise ValueError(f"data must be text without lone surrogates: {exc.reason} at {exc.start}") from exc
        rsv = 0
        for extension in self._extensions:
            data, rsv = extension.encode_payload(opcode, data, fin, rsv, compress)
        return encode_frame(opcode, data, fin, rsv, self._masked)

    def _check(self, opcode: Opcode, data: str | Buffer, fin: bool) -> bytes:
        """Judge a payload; gives the bytes of a character that it cuts."""
        if isinstance(data, str):
            if opcode is not _TEXT:
                raise TypeError("data must be bytes-like in a binary message, not str")
            if self._cut and (data or fin):
                raise ValueError("data must be bytes that complete the character which the last fragment has cut")
            return self._cut
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data must be str or bytes-like, not {type(data).__name__}")
        return self._check_utf8(bytes(data), fin) if opcode is _TEXT else b""

    def _check_utf8(self, data: bytes, fin: bool) -> bytes:
        """Check text that comes as bytes over the fragments of its message (RFC 6455 §5.6)."""
        data = self._cut + data
        try:
            if fin:
                decode_utf8(data)
                return b""
            Utf8Decoder().decode(data)
        except InvalidPayloadError as exc:
            raise ValueError(f"data of a text message must be UTF-8: {exc}") from exc
        return _cut_character(data)


def _cut_character(data: bytes) -> bytes:
    """Give the bytes of the character that ends outside of `data`, which is UTF-8 otherwise."""
    end = data[-3:]
    _, used = utf_8_decode(end, "ignore", False)
    return end[used:]


def _encode_text(message: str | Buffer) -> bytes:
    try:
        return message.encode() if isinstance(message, str) else bytes(message)
    except UnicodeEncodeError as exc:
        raise ValueError(f"message must be text without lone surrogates: {exc.reason} at {exc.start}") from exc


def _check_text(message: str | Buffer) -> bytes:
    data = _encode_text(message)
    if not isinstance(message, str):
        try:
            decode_utf8(data)
        except InvalidPayloadError as exc:
            raise ValueError(f"message must be UTF-8 to be sent as text: {exc}") from exc
    return data
