"""Frames to bytes: RFC 6455 §5.2, §5.3."""

from __future__ import annotations

from struct import Struct

from ._frame import Frame
from ._mask import Buffer, apply_mask, flatten, new_masking_key

_FIN = 0x80
_MASK = 0x80
_RSV_BITS = (0x40, 0x20, 0x10)
# RFC 6455 §5.2: 7, 7+16 or 7+64 bits of length, in network byte order.
_short, _medium, _long = (Struct(form).pack for form in ("!BB", "!BBH", "!BBQ"))


def encode_frame(
    opcode: int, payload: str | Buffer, fin: bool = True, rsv: int = 0, masked: bool = False, key: Buffer | None = None
) -> bytes:
    """
    Serialize a frame: header, masking key and payload in one object.

    The arguments are not judged: build a `Frame` and call `serialize_frame` to have that done.

    Args:
        opcode: 0 to 15.
        payload: ``str`` is sent as UTF-8; otherwise any buffer of bytes; read only, not kept.
        fin: Whether the frame ends its message.
        rsv: Reserved bits, where they stand in the first byte: 0x40, 0x20, 0x10.
        masked: Whether the frame goes from client to server.
        key: Masking key; 4 bytes; None takes a fresh one from the operating system.

    Returns:
        The bytes for the wire; 2 to 14 more than the payload.

    Raises:
        UnicodeEncodeError: ``payload`` is a string with a lone surrogate; a caller's bug.
        ValueError: ``key`` is not 4 bytes long; a caller's bug.

    Spec:
        RFC 6455 §5.2, §5.3: the shortest form of the length, a fresh key for each frame.
    """
    if not isinstance(payload, bytes):
        payload = payload.encode() if isinstance(payload, str) else flatten(payload)
    header = encode_header(opcode, len(payload), fin, rsv, masked)
    if not masked:
        return header + payload
    if key is None:
        key = new_masking_key()
    return b"".join((header, key, apply_mask(payload, key)))


def encode_header(opcode: int, length: int, fin: bool = True, rsv: int = 0, masked: bool = False) -> bytes:
    """
    Serialize the header of a frame up to the payload length.

    With it a caller sends a large payload without copying it: header, masking key if any, payload.

    Args:
        opcode: 0 to 15.
        length: Payload length; bytes, 0 to 2**63 - 1.
        fin: Whether the frame ends its message.
        rsv: Reserved bits, where they stand in the first byte.
        masked: Whether a masking key follows.

    Returns:
        2, 4 or 10 bytes.

    Raises:
        ValueError: ``length`` is out of range; a caller's bug.

    Spec:
        RFC 6455 §5.2: the minimal number of bytes for the length.
    """
    first = opcode | rsv | (_FIN if fin else 0)
    mask = _MASK if masked else 0
    if 0 <= length < 126:
        return _short(first, mask | length)
    if 126 <= length < 65536:
        return _medium(first, mask | 126, length)
    if length < 0 or length >> 63:
        raise ValueError(f"length must be 0 to 2**63 - 1, not {length}")
    return _long(first, mask | 127, length)


def serialize_frame(frame: Frame, *, masked: bool, key: Buffer | None = None) -> bytes:
    """
    Serialize a `Frame`.

    Args:
        frame: The frame; not kept.
        masked: Whether it goes from client to server.
        key: Masking key; 4 bytes; None takes a fresh one.

    Returns:
        The bytes for the wire.

    Raises:
        ValueError: ``key`` is not 4 bytes long; a caller's bug.

    Spec:
        RFC 6455 §5.2, §5.3.
    """
    return encode_frame(frame.opcode, frame.data, frame.fin, reserved_bits(frame), masked, key)


def reserved_bits(frame: Frame) -> int:
    """
    Give the reserved bits of a frame where they stand in its first byte.

    Args:
        frame: Any frame; not kept.

    Returns:
        A sum of 0x40, 0x20 and 0x10.

    Spec:
        RFC 6455 §5.2.
    """
    flags = (frame.rsv1, frame.rsv2, frame.rsv3)
    return sum(bit for bit, flag in zip(_RSV_BITS, flags, strict=True) if flag)
