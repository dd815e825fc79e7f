"""What every message goes through in permessage-deflate: the part that has a compiled twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from twoway.frames import Opcode, ProtocolError

from ._deflater import Deflater
from ._inflater import Inflater

#: Says whether to compress a message: gets the opcode and the payload of its first frame.
Decide: TypeAlias = Callable[[Opcode, bytes], bool]

RSV1 = 0x40
_CONTROL = 8  # opcodes from here on


class DeflatePath:
    """Be the part of `PerMessageDeflate` that compresses and decompresses messages."""

    __slots__ = ("_compressing", "_decide", "_deflater", "_inflater", "_inflating", "_threshold")

    _compressing: bool  # the message that is being sent
    _decide: Decide | None
    _deflater: Deflater
    _inflater: Inflater
    _inflating: bool  # the message that is being received
    _threshold: int

    def encode_payload(
        self, opcode: int, data: bytes, fin: bool = True, rsv: int = 0, compress: bool | None = None
    ) -> tuple[bytes, int]:
        """
        Do as `encode` does, without frames.

        Args:
            opcode: Of the frame; 0 to 2.
            data: Its payload; not kept.
            fin: Whether the frame ends its message.
            rsv: Its reserved bits so far.
            compress: As in `encode`.

        Returns:
            The payload to send, ``data`` itself if it is not compressed; and the reserved bits, 0x40 among them in the
            first frame of a compressed message.

        Spec:
            RFC 7692 §6.1, §7.2.1.
        """
        if opcode:
            self._compressing = self._wants(opcode, data, compress)
            if self._compressing:
                rsv |= RSV1
        return self._deflater.deflate(data, fin) if self._compressing else data, rsv

    def _wants(self, opcode: int, data: bytes, compress: bool | None) -> bool:
        if compress is not None:
            return compress
        if len(data) < self._threshold:
            return False
        return self._decide is None or bool(self._decide(Opcode(opcode), data))

    def decode_payload(
        self, opcode: int, data: bytes, fin: bool = True, rsv: int = 0, max_size: int | None = None
    ) -> tuple[bytes, int]:
        """
        Do as `decode` does, without frames.

        Args:
            opcode: Of the frame; 0 to 2.
            data: Its payload, unmasked; not kept.
            fin: Whether the frame ends its message.
            rsv: Its reserved bits.
            max_size: As in `decode`.

        Returns:
            The payload, ``data`` itself if the message is not compressed; and the reserved bits without 0x40.

        Raises:
            PayloadTooBig: As in `decode`.
            ProtocolError: As in `decode`.
            InvalidPayloadError: As in `decode`.

        Spec:
            RFC 7692 §6.2, §7.2.2.
        """
        marked = rsv & RSV1
        if 0 < opcode < _CONTROL:
            self._inflating = bool(marked)
        elif marked:
            # RFC 7692 §6: RSV1 MUST NOT be set in any but the first frame of a message.
            raise ProtocolError(f"RSV1 set in a {Opcode(opcode).name} frame")
        if self._inflating:
            data = self._inflater.inflate(data, fin, max_size)
        return data, rsv ^ marked
