"""Frames, and what a reader gets out of them: RFC 6455 §5.2, §5.4, §5.5."""

from __future__ import annotations

from typing import Any

from ._codes import CONTROL_OPCODES, CloseCode, Opcode, describe_close_code, is_valid_close_code
from ._errors import InvalidPayloadError, ProtocolError
from ._mask import Buffer
from ._record import Record
from ._utf8 import decode_utf8

MAX_CONTROL_SIZE = 125
MAX_REASON_SIZE = 123
_SHOWN = 60


class Frame(Record):
    """
    Hold one frame; one that RFC 6455 forbids cannot be built.

    Args:
        opcode: Kind of frame.
        data: Payload, never masked; bytes; kept, not copied. At most 125 bytes in a control frame.
        fin: Whether the frame ends its message; always True in a control frame.
        rsv1: First reserved bit; belongs to the extensions.
        rsv2: Second reserved bit.
        rsv3: Third reserved bit.

    Raises:
        TypeError: ``data`` is not bytes; a caller's bug.
        ValueError: The opcode is reserved, or a control frame is fragmented or too long; a caller's bug.

    Spec:
        RFC 6455 §5.2, §5.5.
    """

    __slots__ = ("opcode", "data", "fin", "rsv1", "rsv2", "rsv3")

    opcode: Opcode
    data: bytes
    fin: bool
    rsv1: bool
    rsv2: bool
    rsv3: bool

    def __init__(
        self,
        opcode: Opcode,
        data: bytes = b"",
        fin: bool = True,
        rsv1: bool = False,
        rsv2: bool = False,
        rsv3: bool = False,
    ) -> None:
        # Twice for each compressed message: hence no loop, as in Record.
        put = object.__setattr__
        put(self, "opcode", opcode if opcode.__class__ is Opcode else Opcode(opcode))
        put(self, "data", data)
        put(self, "fin", fin)
        put(self, "rsv1", rsv1)
        put(self, "rsv2", rsv2)
        put(self, "rsv3", rsv3)
        if not isinstance(data, bytes):
            raise TypeError(f"data must be bytes, not {type(data).__name__}")
        if self.opcode in CONTROL_OPCODES:
            if not fin:
                raise ValueError("fin must be True in a control frame")
            if len(data) > MAX_CONTROL_SIZE:
                raise ValueError(f"data of a control frame must be at most 125 bytes long, not {len(data)}")

    def replace(self, **changes: Any) -> Frame:
        """
        Make a frame that differs from this one.

        Args:
            **changes: New values of arguments, by name.

        Returns:
            The new frame.

        Raises:
            TypeError: A name is unknown, or ``data`` is not bytes; a caller's bug.
            ValueError: The new frame is forbidden; a caller's bug.
        """
        return Frame(**{**dict(zip(self.__slots__, self._values(), strict=True)), **changes})

    def __str__(self) -> str:
        flags = [name for name in ("fin", "rsv1", "rsv2", "rsv3") if getattr(self, name)]
        data = [shorten(self.data)] if self.data else []
        return " ".join([self.opcode.name, *flags, *data, f"[{len(self.data)} bytes]"])


def make_frame(opcode: int, data: bytes, fin: bool, rsv: int) -> Frame:
    """Build a frame from what its header says; `rsv` has the reserved bits where they stand in the first byte."""
    return Frame(Opcode(opcode), data, fin, bool(rsv & 0x40), bool(rsv & 0x20), bool(rsv & 0x10))


class Fragment(Record):
    """
    Hold a part of a fragmented message, as the receiver gets it.

    Attributes:
        data: ``str`` in a text message, ``bytes`` in a binary one. Text is cut between characters:
            the bytes of a character that a frame boundary cuts come with the next fragment.
        first: Whether the message begins here.
        final: Whether the message ends here.

    Spec:
        RFC 6455 §5.4.
    """

    __slots__ = ("data", "first", "final")

    data: str | bytes
    first: bool
    final: bool

    def __init__(self, data: str | bytes, first: bool = False, final: bool = False) -> None:
        super().__init__(data, first, final)


class Ping(Record):
    """
    Stand for a received Ping frame.

    Args:
        data: Application data; 0 to 125 bytes; kept.

    Spec:
        RFC 6455 §5.5.2.
    """

    __slots__ = ("data",)

    data: bytes

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(data)


class Pong(Record):
    """
    Stand for a received Pong frame.

    Args:
        data: Application data; 0 to 125 bytes; kept.

    Spec:
        RFC 6455 §5.5.3.
    """

    __slots__ = ("data",)

    data: bytes

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(data)


class Close(Record):
    """
    Hold what a Close frame says.

    Args:
        code: Close code; 1005 stands for a frame without one (RFC 6455 §7.1.5).
        reason: Explanation for people; at most 123 bytes of UTF-8.

    Spec:
        RFC 6455 §5.5.1, §7.4.
    """

    __slots__ = ("code", "reason")

    code: int
    reason: str

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)

    def __str__(self) -> str:
        meaning = describe_close_code(self.code)
        # The reason is the peer's and this goes into logs: nothing that moves a cursor or starts a line.
        reason = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in self.reason)
        return f"{int(self.code)} ({meaning}) {reason}".rstrip()

    def serialize(self) -> bytes:
        """
        Make the payload of the frame.

        Returns:
            0 to 125 bytes; none for code 1005, which says that the frame has no code.

        Raises:
            TypeError: ``code`` is not an integer or ``reason`` is not a string; a caller's bug.
            ValueError: ``code`` may not be sent, or ``reason`` is too long or holds a lone surrogate; a caller's bug.

        Spec:
            RFC 6455 §5.5.1, §7.4.
        """
        if not isinstance(self.code, int) or not isinstance(self.reason, str):
            raise TypeError("code must be an int and reason a str")
        if self.code == CloseCode.NO_STATUS_RCVD and not self.reason:
            return b""
        if not is_valid_close_code(self.code):
            raise ValueError(f"code must be 1000-1003, 1007-1014 or 3000-4999, not {self.code}")
        try:
            reason = self.reason.encode()
        except UnicodeEncodeError as exc:
            raise ValueError(f"reason must be at most 123 bytes of UTF-8: {exc.reason} at {exc.start}") from exc
        if len(reason) > MAX_REASON_SIZE:
            raise ValueError(f"reason must be at most 123 bytes of UTF-8, not {len(reason)}")
        return self.code.to_bytes(2, "big") + reason

    @classmethod
    def parse(cls, data: Buffer) -> Close:
        """
        Read the payload of a frame.

        Args:
            data: 0 to 125 bytes; not kept.

        Returns:
            Code and reason; code 1005 for an empty payload.

        Raises:
            ProtocolError: One byte, or a code that may not be sent; the peer's fault, close code 1002.
            InvalidPayloadError: The reason is not UTF-8; the peer's fault, close code 1007.

        Spec:
            RFC 6455 §5.5.1, §7.4.1, §7.4.2.
        """
        if not data:
            return cls(CloseCode.NO_STATUS_RCVD, "")
        if len(data) == 1:
            raise ProtocolError("Close frame with half a close code")
        code = int.from_bytes(data[:2], "big")
        if not is_valid_close_code(code):
            raise ProtocolError(f"Close frame with invalid code {code}")
        try:
            return cls(code, decode_utf8(data[2:]))
        except InvalidPayloadError as exc:
            raise InvalidPayloadError(f"reason of a Close frame: {exc}") from None


def shorten(data: str | bytes) -> str:
    """
    Show the beginning of a payload on one line, with control characters escaped.

    Args:
        data: Any payload, text or binary; not kept.

    Returns:
        At most about 70 printable ASCII characters.
    """
    shown = f"{data[:_SHOWN]!a}" if isinstance(data, str) else data[: _SHOWN // 3].hex(" ")
    if isinstance(data, bytes):
        return shown if len(data) <= _SHOWN // 3 else f"{shown} ..."
    return shown if len(data) <= _SHOWN and len(shown) <= _SHOWN + 2 else f"{shown[:_SHOWN]}{shown[0]}..."
