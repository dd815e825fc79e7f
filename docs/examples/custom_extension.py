from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from twoway.frames import (
    ClientExtensionFactory,
    Extension,
    ExtensionParameter,
    Frame,
    InvalidPayloadError,
    NegotiationError,
    Opcode,
    ServerExtensionFactory,
)

NAME = "x-checksum"
RSV2 = 0x20


class Checksum(Extension):
    """Put a checksum behind the payload of each frame, and mark the frame with RSV2."""

    name = NAME
    reserved_bits = dict.fromkeys((Opcode.TEXT, Opcode.BINARY, Opcode.CONT), RSV2)

    def encode(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        return frame.replace(data=frame.data + crc32(frame.data).to_bytes(4), rsv2=True)

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        data, checksum = frame.data[:-4], frame.data[-4:]
        if not frame.rsv2 or checksum != crc32(data).to_bytes(4):
            raise InvalidPayloadError("frame without its checksum")
        return frame.replace(data=data, rsv2=False)

    def max_encoded_size(self, max_size: int) -> int:
        return max_size + 4


class ChecksumFactory(ClientExtensionFactory, ServerExtensionFactory):
    """Offer and accept the extension; it has no parameters."""

    name = NAME

    def get_request_params(self) -> Sequence[ExtensionParameter]:
        return []

    def process_response_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> Extension:
        if params:
            raise NegotiationError(f"{NAME} has no parameters")
        return Checksum()

    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[Sequence[ExtensionParameter], Extension]:
        return [], self.process_response_params(params, accepted_extensions)
