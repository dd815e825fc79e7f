from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoway.frames import Frame, FrameDecoder, Opcode, ProtocolError, serialize_frame

DATA = [Opcode.TEXT, Opcode.BINARY]

# RFC 6455 §5.7; "bytes" there are given in hexadecimal, too.
RFC_EXAMPLES = [
    ("810548656c6c6f", [Frame(Opcode.TEXT, b"Hello")]),
    ("818537fa213d7f9f4d5158", [Frame(Opcode.TEXT, b"Hello")]),
    ("010348656c 80026c6f", [Frame(Opcode.TEXT, b"Hel", fin=False), Frame(Opcode.CONT, b"lo")]),
    ("890548656c6c6f", [Frame(Opcode.PING, b"Hello")]),
    ("8a8537fa213d7f9f4d5158", [Frame(Opcode.PONG, b"Hello")]),
    ("827e0100" + "ab" * 256, [Frame(Opcode.BINARY, b"\xab" * 256)]),
    ("827f0000000000010000" + "ab" * 65536, [Frame(Opcode.BINARY, b"\xab" * 65536)]),
]


@pytest.mark.parametrize(
    ("wire", "frames"), RFC_EXAMPLES, ids=lambda value: value[:12] if isinstance(value, str) else ""
)
def test_examples_of_the_rfc(wire: str, frames: list[Frame]) -> None:
    assert FrameDecoder().feed(bytes.fromhex(wire)) == frames


def test_payloads_are_not_interpreted() -> None:
    """Text that is not UTF-8 and Close frames that say nothing valid come out as they are."""
    frames = [
        Frame(Opcode.TEXT, b"\xff"),
        Frame(Opcode.CLOSE, b"\x03"),
        Frame(Opcode.CLOSE, b"\0\0"),
        Frame(Opcode.TEXT, b"later"),
    ]
    decoder = FrameDecoder()
    assert decoder.feed(b"".join(serialize_frame(frame, masked=True) for frame in frames)) == frames
    assert decoder.error is None


@pytest.mark.parametrize("bits", range(0, 0x80, 0x10))
def test_reserved_bits_that_are_allowed_in_data_frames(bits: int) -> None:
    flags = [bool(bits & bit) for bit in (0x40, 0x20, 0x10)]
    wire = bytes([bits | 0x01, 0, bits | 0x80, 0])
    decoder = FrameDecoder(reserved_bits=bits)
    assert decoder.feed(wire) == [Frame(Opcode.TEXT, b"", False, *flags), Frame(Opcode.CONT, b"", True, *flags)]
    for other in range(0, 0x80, 0x10):
        decoder = FrameDecoder(reserved_bits=bits)
        decoder.feed(bytes([other | 0x82, 0]))
        assert (decoder.error is None) is (other & ~bits == 0)


def test_reserved_bits_are_never_allowed_in_control_frames() -> None:
    decoder = FrameDecoder(reserved_bits=0x70)
    assert decoder.feed(bytes([0xC9, 0])) == []
    assert isinstance(decoder.error, ProtocolError)


@pytest.mark.parametrize("bits", [0x80, 0x01, 0x140, -1])
def test_other_bits_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match=r"^reserved_bits must be a sum of 0x40, 0x20 and 0x10, not "):
        FrameDecoder(reserved_bits=bits)


def test_the_limit_is_for_each_frame() -> None:
    frames = [Frame(Opcode.BINARY, b"ab", fin=False), Frame(Opcode.CONT, b"cd", fin=False), Frame(Opcode.CONT, b"ef")]
    wire = b"".join(serialize_frame(frame, masked=False) for frame in frames)
    assert FrameDecoder(max_size=2).feed(wire) == frames


@st.composite
def streams(draw: st.DrawFn) -> list[Frame]:
    """Make frames in an order that RFC 6455 §5.4 allows."""
    frames: list[Frame] = []
    for opcode, parts in draw(
        st.lists(st.tuples(st.sampled_from(DATA), st.lists(st.binary(max_size=200), min_size=1)), max_size=4)
    ):
        for i, part in enumerate(parts):
            frames += [Frame(Opcode.PING, data) for data in draw(st.lists(st.binary(max_size=125), max_size=1))]
            frames.append(Frame(opcode if i == 0 else Opcode.CONT, part, fin=i == len(parts) - 1))
    return frames


@settings(deadline=None)
@given(frames=streams(), masked=st.booleans(), tail=st.binary(max_size=20), data=st.data())
def test_random_cuts(
    frames: list[Frame], masked: bool, tail: bytes, data: st.DataObject, outcome: Callable[..., tuple[object, ...]]
) -> None:
    wire = b"".join(serialize_frame(frame, masked=masked) for frame in frames)
    assert FrameDecoder(masked=masked).feed(wire) == frames
    wire += tail
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)))))
    pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert outcome(FrameDecoder(), pieces) == outcome(FrameDecoder(), [wire])
