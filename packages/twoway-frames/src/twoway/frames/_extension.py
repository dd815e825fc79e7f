"""What an extension is to the codec, and what its factories are to the handshake: RFC 6455 §9."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from ._encoder import reserved_bits
from ._frame import Frame, make_frame

#: One parameter of an extension: name and value, None where there is no value.
ExtensionParameter: TypeAlias = tuple[str, str | None]

_NO_BITS: Mapping[int, int] = MappingProxyType({})


class Extension(ABC):
    """
    Transform the frames of one connection: the interface of every extension.

    An object serves one connection and sees its data frames only, in the order of the wire. The codec calls
    `encode_payload` and `decode_payload`, which call `encode` and `decode` unless an extension in a hurry overrides
    them.

    Attributes:
        name: Registered name, as in ``Sec-WebSocket-Extensions``.
        reserved_bits: Opcode -> the reserved bits (0x40, 0x20, 0x10) that received frames of this kind may
            carry; whatever no extension lists is refused at the header.
        decodes_unmarked: Whether `decode` must see messages whose first frame carries none of these bits. Without
            it `decode` may see them all the same, when another extension of the connection must.

    Spec:
        RFC 6455 §9, §5.2 (RSV1-3).
    """

    name: str
    reserved_bits: Mapping[int, int] = _NO_BITS
    decodes_unmarked: bool = True

    @abstractmethod
    def encode(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        """
        Transform an outgoing frame.

        Args:
            frame: A data frame, transformed by the extensions before this one; not kept.
            compress: What the sender wants for this message: True, False, or None to let the extension decide.
                It is the same for all the frames of a message.

        Returns:
            The frame to send, with the same ``opcode`` and ``fin``; the same object if there is nothing to do.
        """

    @abstractmethod
    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """
        Transform an incoming frame.

        Args:
            frame: A data frame as it was on the wire, unmasked; not kept.
            max_size: What the payload of the result may be at most; bytes. None is no limit.

        Returns:
            The frame with this extension's reserved bits cleared.

        Raises:
            PayloadTooBig: The result would be over ``max_size``; the peer's fault, close code 1009.
            ProtocolError: The frame breaks the extension's rules; the peer's fault, close code 1002.
            InvalidPayloadError: The payload cannot be read; the peer's fault, close code 1007.
        """

    def encode_payload(
        self, opcode: int, data: bytes, fin: bool = True, rsv: int = 0, compress: bool | None = None
    ) -> tuple[bytes, int]:
        """
        Transform an outgoing frame that comes as what it consists of.

        An extension that overrides it spares the frames that the default makes for `encode`; both must do the same.

        Args:
            opcode: Of the frame; 0 to 2.
            data: Its payload; not kept.
            fin: Whether the frame ends its message.
            rsv: Its reserved bits so far, where they stand in the first byte: 0x40, 0x20, 0x10.
            compress: As in `encode`.

        Returns:
            The payload to send, and the reserved bits.

        Cost:
            Two frames, by default.
        """
        frame = self.encode(make_frame(opcode, data, fin, rsv), compress=compress)
        return frame.data, reserved_bits(frame)

    def decode_payload(
        self, opcode: int, data: bytes, fin: bool = True, rsv: int = 0, max_size: int | None = None
    ) -> tuple[bytes, int]:
        """
        Transform an incoming frame that comes as what it consists of.

        An extension that overrides it spares the frames that the default makes for `decode`; both must do the same.

        Args:
            opcode: Of the frame; 0 to 2.
            data: Its payload, unmasked; not kept.
            fin: Whether the frame ends its message.
            rsv: Its reserved bits, where they stand in the first byte: 0x40, 0x20, 0x10.
            max_size: As in `decode`.

        Returns:
            The payload, and the reserved bits without those of this extension.

        Raises:
            PayloadTooBig: As in `decode`.
            ProtocolError: As in `decode`.
            InvalidPayloadError: As in `decode`.

        Cost:
            Two frames, by default.
        """
        frame = self.decode(make_frame(opcode, data, fin, rsv), max_size=max_size)
        return frame.data, reserved_bits(frame)

    def max_encoded_size(self, max_size: int) -> int:
        """
        Say how large the payload of a message within a limit can be once encoded.

        A frame that is larger is refused by its header. With several extensions each is asked about the answer
        of the one before it, in the order of the handshake.

        Args:
            max_size: Limit for what `decode` returns; bytes, >= 0.

        Returns:
            The limit for what `decode` gets; bytes; no smaller for a larger ``max_size``.
        """
        return max_size

    def shared_key(self) -> Hashable:
        """
        Say which other objects would encode a message to the same frame.

        That is, if they forgot what they sent before.

        Returns:
            A key that is equal for all of these, or None when frames can never be shared.
        """
        return None

    def encode_shared(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        """
        Transform an outgoing frame for all connections with an equal `shared_key`.

        Args:
            frame: A whole message in one frame; not kept.
            compress: As in `encode`.

        Returns:
            The frame to send on each of these connections, on each after a call of `adopt_shared`.
        """
        return self.encode(frame, compress=compress)

    def adopt_shared(self, frame: Frame) -> None:
        """
        Get ready to send a frame that `encode_shared` of another object made.

        Args:
            frame: What was made there; not kept.
        """

    def release(self) -> bool:
        """
        Release memory between messages as far as the peer cannot notice it.

        An idle connection asks for it.

        Returns:
            Whether all that is large could be released.
        """
        return True

    def close(self) -> None:
        """
        Release memory at the end of the connection.

        `encode` and `decode` are not called after it.
        """


class ClientExtensionFactory(ABC):
    """
    Offer an extension and take the server's answer.

    This is the client's side of negotiation.

    Attributes:
        name: Registered name of the extension.

    Spec:
        RFC 6455 §9.1.
    """

    name: str

    @abstractmethod
    def get_request_params(self) -> Sequence[ExtensionParameter]:
        """
        Make the parameters of the offer.

        Returns:
            Name and value pairs; the value is None where the parameter has none.
        """

    @abstractmethod
    def process_response_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> Extension:
        """
        Make the extension that the server's answer describes.

        Args:
            params: Parameters of the answer, in order; not kept.
            accepted_extensions: What has been agreed upon so far; not kept.

        Returns:
            The extension of this connection.

        Raises:
            NegotiationError: The answer does not fit the offer; the server's fault, the handshake fails.
        """


class ServerExtensionFactory(ABC):
    """
    Take or decline a client's offer.

    This is the server's side of negotiation.

    Attributes:
        name: Registered name of the extension.

    Spec:
        RFC 6455 §9.1.
    """

    name: str

    @abstractmethod
    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[Sequence[ExtensionParameter], Extension]:
        """
        Answer one offer.

        Args:
            params: Parameters of the offer, in order; not kept.
            accepted_extensions: What has been agreed upon so far; not kept.

        Returns:
            The parameters of the answer, and the extension of this connection.

        Raises:
            NegotiationError: The offer is declined; the next one is tried.
        """
