"""permessage-deflate of one connection: RFC 7692 §6, §7."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from twoway.frames import CONTROL_OPCODES, Extension, Frame, Opcode, check_limit

from ._engines import choose_compressing, choose_decompressing
from ._native import DeflatePath, Deflater, Inflater
from ._params import check_bits
from ._path import RSV1, Decide
from ._presets import DEFAULT_THRESHOLD, Memory, get_preset, make_settings


class PerMessageDeflate(DeflatePath, Extension):
    """
    Compress and decompress the messages of one connection.

    One thread may call `encode` while another one calls `decode`; `release` may be called from either.

    Args:
        remote_no_context_takeover: Whether the peer forgets what it sent at the end of each message.
        local_no_context_takeover: Whether this side does.
        remote_max_window_bits: Window of the peer's compressor, 8 to 15.
        local_max_window_bits: Window of this side's compressor, 8 to 15.
        compress_settings: Any of ``level``, ``memLevel`` and ``strategy``, as the engine understands them; copied.
        memory: What a connection may cost: ``"low"``, ``"balanced"`` or ``"high"``.
        threshold: Messages whose first frame is smaller are not compressed unless the sender asks for it; bytes.
        decide: Called for other messages; says whether to compress them. None compresses all of them.
        engine: ``"zlib"``, ``"zlib-ng"``, ``"isal"``, or None to let the preset choose.

    Raises:
        TypeError: An argument is of a wrong type; a caller's bug.
        ValueError: An argument is out of range, or the engine is not installed; a caller's bug.

    Spec:
        RFC 7692 §6, §7.

    Cost:
        Nothing but the object until the first compressed message.
    """

    name = "permessage-deflate"
    reserved_bits: Mapping[int, int] = MappingProxyType({int(Opcode.TEXT): RSV1, int(Opcode.BINARY): RSV1})
    decodes_unmarked = False

    __slots__ = ("_make", "_names", "_parameters", "_shared_key")

    def __init__(
        self,
        remote_no_context_takeover: bool,
        local_no_context_takeover: bool,
        remote_max_window_bits: int,
        local_max_window_bits: int,
        compress_settings: Mapping[str, Any] | None = None,
        *,
        memory: Memory = "balanced",
        threshold: int = DEFAULT_THRESHOLD,
        decide: Decide | None = None,
        engine: str | None = None,
    ) -> None:
        check_bits("remote_max_window_bits", remote_max_window_bits)
        check_bits("local_max_window_bits", local_max_window_bits)
        check_policy(threshold, decide)
        preset = get_preset(memory)
        bits = local_max_window_bits
        sender, receiver = choose_compressing(engine, preset.engines, bits), choose_decompressing(engine)
        settings = make_settings(sender, bits, preset, compress_settings)
        self._parameters = (
            remote_no_context_takeover, local_no_context_takeover, remote_max_window_bits, local_max_window_bits,
        )  # fmt: skip
        self._names = sender.name, receiver.name
        self._threshold = min(threshold, sys.maxsize)
        self._decide = decide
        self._make = partial(sender.compressor, bits, settings)
        self._deflater = Deflater(self._make, not local_no_context_takeover, preset.keep_after, bits)
        self._inflater = Inflater(receiver, not remote_no_context_takeover, remote_max_window_bits)
        self._shared_key = sender.name, bits, tuple(sorted(settings.items())), threshold, id(decide)
        self._compressing = self._inflating = False

    @property
    def engine(self) -> str:
        """Name of the engine that compresses what this side sends."""
        return self._names[0]

    @property
    def receiving_engine(self) -> str:
        """Name of the engine that decompresses what the peer sends."""
        return self._names[1]

    @property
    def remote_no_context_takeover(self) -> bool:
        """Whether the peer forgets what it sent at the end of each message."""
        return self._parameters[0]

    @property
    def local_no_context_takeover(self) -> bool:
        """Whether this side forgets what it sent at the end of each message."""
        return self._parameters[1]

    @property
    def remote_max_window_bits(self) -> int:
        """Window of the peer's compressor, 8 to 15."""
        return self._parameters[2]

    @property
    def local_max_window_bits(self) -> int:
        """Window of this side's compressor, 8 to 15; at most what was negotiated."""
        return self._parameters[3]

    def __repr__(self) -> str:
        names = (
            "remote_no_context_takeover",
            "local_no_context_takeover",
            "remote_max_window_bits",
            "local_max_window_bits",
        )
        parameters = ", ".join(f"{name}={value}" for name, value in zip(names, self._parameters, strict=True))
        return f"PerMessageDeflate({parameters}, engine={self.engine!r}, receiving_engine={self.receiving_engine!r})"

    def __str__(self) -> str:
        remote_forgets, local_forgets, remote_bits, local_bits = self._parameters
        return (
            f"{self.name}: sends {_describe(self.engine, local_bits, local_forgets)};"
            f" receives {_describe(self.receiving_engine, remote_bits, remote_forgets)}"
        )

    def encode(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        """
        Compress an outgoing frame, if its message is to be compressed.

        Args:
            frame: A frame; control frames are left alone. The first frame of a message decides for all of it.
            compress: True compresses, False does not, None asks the threshold and then ``decide``.

        Returns:
            The frame to send; the same object if it is not compressed.

        Spec:
            RFC 7692 §6.1, §7.2.1: RSV1 stands in the first frame only.
        """
        if frame.opcode in CONTROL_OPCODES:
            return frame
        payload, rsv = self.encode_payload(frame.opcode, frame.data, frame.fin, 0, compress)
        if payload is frame.data:
            return frame
        return Frame(frame.opcode, payload, frame.fin, bool(rsv) or frame.rsv1, frame.rsv2, frame.rsv3)

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """
        Decompress an incoming frame, if its message is compressed.

        Args:
            frame: A frame as it was on the wire; control frames are left alone.
            max_size: What the payload of the result may be at most; bytes. None is no limit.

        Returns:
            The frame with its payload decompressed and without RSV1; the same object if it is not compressed.

        Raises:
            PayloadTooBig: There is more than ``max_size``; the peer's fault, close code 1009.
            ProtocolError: RSV1 stands in a later frame of a message; the peer's fault, close code 1002.
            InvalidPayloadError: The data is broken or the message ends early; the peer's fault, close code 1007.
                After any error no compressed message can be read.

        Spec:
            RFC 7692 §6.2, §7.2.2.

        Cost:
            At most ``max_size`` bytes of memory and a block of 64 KiB, whatever the payload claims.
        """
        if frame.opcode in CONTROL_OPCODES and not frame.rsv1:
            return frame
        payload, _ = self.decode_payload(frame.opcode, frame.data, frame.fin, RSV1 * frame.rsv1, max_size)
        if payload is frame.data and not frame.rsv1:
            return frame
        return Frame(frame.opcode, payload, frame.fin, False, frame.rsv2, frame.rsv3)

    def max_encoded_size(self, max_size: int) -> int:
        """
        Say how large a message within a limit can be when it is compressed badly.

        Args:
            max_size: Limit for the decompressed message; bytes, >= 0.

        Returns:
            The limit for the compressed one; bytes.

        Spec:
            RFC 1951 §3.2.4: stored blocks have 5 bytes of header, and the smallest memory level makes one for each
            127 bytes. §3.2.6: fixed codes take up to 9 bits for a byte. §3.2.7: a description of other codes takes up
            to about 150 bytes, which level 0 of isal sends even for nothing. A flush adds up to 6 bytes.
        """
        return max_size + max_size // 4 + 256

    def shared_key(self) -> Hashable:
        """
        Say which other objects would encode a message to the same frame.

        Returns:
            A key that is equal for all with the same engine, window, settings and policy.
        """
        return self._shared_key

    def encode_shared(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        """
        Compress a message for many connections at once.

        It refers to nothing that was sent before.

        Args:
            frame: A whole message in one frame; not kept.
            compress: As in `encode`.

        Returns:
            The frame to send on each connection with an equal `shared_key`, on each after `adopt_shared`.

        Raises:
            ValueError: The frame is not a whole message; a caller's bug.
        """
        if not frame.fin or frame.opcode is Opcode.CONT:
            raise ValueError("frame must be a whole message")
        if frame.opcode in CONTROL_OPCODES or not self._wants(frame.opcode, frame.data, compress):
            return frame
        payload = Deflater(self._make, False, 0, 0).deflate(frame.data, True)
        return Frame(frame.opcode, payload, True, True, frame.rsv2, frame.rsv3)

    def adopt_shared(self, frame: Frame) -> None:
        """
        Get ready to send a frame that `encode_shared` of another object made.

        The peer's window moves by a message that this side's compressor has not seen, so the compressor is dropped.

        Args:
            frame: What was made there; not kept.

        Raises:
            RuntimeError: A fragmented message is under way; a caller's bug.

        Spec:
            RFC 7692 §7.2.3.2.
        """
        if self._deflater.inside:
            raise RuntimeError("a shared frame cannot be sent inside a fragmented message")
        if frame.rsv1:
            self._deflater.forget()

    def release(self) -> bool:
        """
        Drop the compressor between messages, whatever was negotiated.

        The next message is compressed without a reference to those before, which is always legal. Decompressors are
        never kept between messages.

        Returns:
            False inside a fragmented message: then it is kept until the message ends.
        """
        self._deflater.release()
        return not (self._deflater.inside or self._inflater.inside)

    def close(self) -> None:
        """Drop everything at the end of the connection."""
        self._deflater.forget()
        self._inflater.close()


def _describe(engine: str, bits: int, forgets: bool) -> str:
    return f"by {engine} with {bits} window bits{', no context takeover' if forgets else ''}"


def check_policy(threshold: int, decide: Decide | None) -> None:
    """
    Check the arguments that say which messages are compressed.

    Args:
        threshold: Right is an integer >= 0.
        decide: Right is a callable or None.

    Raises:
        TypeError: An argument is of a wrong type; a caller's bug.
        ValueError: ``threshold`` is negative; a caller's bug.
    """
    if threshold is None:
        raise TypeError("threshold must be an int, not None")
    check_limit("threshold", threshold)
    if decide is not None and not callable(decide):
        raise TypeError(f"decide must be callable or None, not {type(decide).__name__}")
