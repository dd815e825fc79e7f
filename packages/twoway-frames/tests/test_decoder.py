"""What holds for both decoders: the rules for headers, cuts anywhere, memory, wrong arguments."""

from __future__ import annotations

import array
import gc
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from twoway.frames import (
    DEFAULT_MAX_SIZE,
    Buffer,
    Frame,
    FrameDecoder,
    FrameError,
    MessageDecoder,
    Opcode,
    PayloadTooBig,
    Ping,
    ProtocolError,
    check_limit,
    encode_frame,
    encode_header,
)

KEY = b"\x37\xfa\x21\x3d"
Decoder = type[FrameDecoder] | type[MessageDecoder]
both = pytest.mark.parametrize("decoder_class", [FrameDecoder, MessageDecoder])
# How each decoder gives the text "ok" and the ping "p" that stand before a violation.
BEFORE = {
    FrameDecoder: [Frame(Opcode.TEXT, b"ok"), Frame(Opcode.PING, b"p")],
    MessageDecoder: ["ok", Ping(b"p")],
}

RESERVED_OPCODES = [
    (None, f"{0x80 | opcode:02x}00", ProtocolError, 1002, f"reserved opcode 0x{opcode:X}")
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
]
RESERVED_BITS = [
    (None, f"{0x80 | bit | opcode:02x}00", ProtocolError, 1002,
     f"reserved bits set in a {opcode.name} frame without an extension that allows them")
    for bit in (0x40, 0x20, 0x10, 0x70) for opcode in Opcode
]  # fmt: skip
# (masked, bytes of the violation in hexadecimal, class, close code, text of the error); RFC 6455 §5.
VIOLATIONS = [
    *RESERVED_OPCODES,
    *RESERVED_BITS,
    (None, "0300", ProtocolError, 1002, "reserved opcode 0x3"),
    (None, "0800", ProtocolError, 1002, "fragmented CLOSE frame"),
    (None, "0900", ProtocolError, 1002, "fragmented PING frame"),
    (None, "0a00", ProtocolError, 1002, "fragmented PONG frame"),
    (None, "887e0080", ProtocolError, 1002, "CLOSE frame with a payload of more than 125 bytes"),
    (None, "89fe0080", ProtocolError, 1002, "PING frame with a payload of more than 125 bytes"),
    (None, "8a7f7fffffffffffffff", ProtocolError, 1002, "PONG frame with a payload of more than 125 bytes"),
    (None, "8000", ProtocolError, 1002, "continuation frame outside a message"),
    (None, "0000", ProtocolError, 1002, "continuation frame outside a message"),
    (None, "01008100", ProtocolError, 1002, "new message inside a message"),
    (None, "020089000200", ProtocolError, 1002, "new message inside a message"),
    (None, "827e007d", ProtocolError, 1002, "payload length 125 in 2 bytes is not minimal"),
    (None, "82fe000000000000", ProtocolError, 1002, "payload length 0 in 2 bytes is not minimal"),
    (None, "827f000000000000ffff", ProtocolError, 1002, "payload length 65535 in 8 bytes is not minimal"),
    (None, "827f0000000000000000", ProtocolError, 1002, "payload length 0 in 8 bytes is not minimal"),
    (None, "827f8000000000000000", ProtocolError, 1002, "payload length has its most significant bit set"),
    (None, "82ffffffffffffffffff00000000", ProtocolError, 1002, "payload length has its most significant bit set"),
    (None, "827f0000000000100001", PayloadTooBig, 1009, "of 1048577 bytes is over the limit of 1048576 bytes"),
    (None, "827f7fffffffffffffff", PayloadTooBig, 1009, f"of {2**63 - 1} bytes is over the limit of 1048576 bytes"),
    (True, "8100", ProtocolError, 1002, "frame from a client is not masked"),
    (True, "8900", ProtocolError, 1002, "frame from a client is not masked"),
    (False, "818000000000", ProtocolError, 1002, "frame from a server is masked"),
    (False, "888000000000", ProtocolError, 1002, "frame from a server is masked"),
]


def good_frames(masked: bool | None) -> bytes:
    return b"".join(
        encode_frame(opcode, data, masked=bool(masked), key=KEY) for opcode, data in [(1, b"ok"), (9, b"p")]
    )


@both
@pytest.mark.parametrize(
    ("masked", "violation", "error", "close_code", "text"), VIOLATIONS, ids=lambda value: str(value)
)
def test_violations(
    decoder_class: Decoder,
    masked: bool | None,
    violation: str,
    error: type[FrameError],
    close_code: int,
    text: str,
    cuttings: Callable[[bytes], Iterator[list[bytes]]],
    outcome: Callable[..., tuple[object, ...]],
) -> None:
    """What came before is delivered, what comes later is discarded, wherever the stream is cut."""
    good = good_frames(masked)
    decoder = decoder_class(masked=masked)
    items = decoder.feed(good + bytes.fromhex(violation) + good)
    assert items[:2] == BEFORE[decoder_class]
    assert all(item in (Ping(), Frame(Opcode.PING)) or "fin=False" in repr(item) for item in items[2:])
    assert type(decoder.error) is error
    assert decoder.error.close_code == close_code
    assert str(decoder.error).removeprefix("message ").removeprefix("frame ") == text.removeprefix("frame ")
    assert not decoder.incomplete
    assert decoder.feed(good) == []

    seen = outcome(decoder_class(masked=masked), [good + bytes.fromhex(violation) + good])
    for pieces in cuttings(good + bytes.fromhex(violation) + good[:2]):
        assert outcome(decoder_class(masked=masked), pieces) == seen


@both
@pytest.mark.parametrize("masked", [None, True, False])
def test_good_frames_in_every_cutting(
    decoder_class: Decoder,
    masked: bool | None,
    cuttings: Callable[[bytes], Iterator[list[bytes]]],
    outcome: Callable[..., tuple[object, ...]],
) -> None:
    def frame(*arguments: Any) -> bytes:
        return encode_frame(*arguments, masked=bool(masked), key=KEY)

    data = (
        frame(1, "é", False)
        + frame(9, b"p")
        + frame(0, b"\xe2", False)
        + frame(0, b"\x82\xac")
        + frame(2, b"")
        + frame(8, b"")
    )
    seen = outcome(decoder_class(masked=masked), [data])
    assert seen[1:] == (type(None), "None", None, False)
    for pieces in cuttings(data):
        assert outcome(decoder_class(masked=masked), pieces) == seen


@both
@pytest.mark.parametrize("length", [125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("masked", [False, True])
def test_long_forms_of_the_length(decoder_class: Decoder, length: int, masked: bool) -> None:
    payload = bytes(range(256)) * 257
    wire = encode_frame(2, payload[:length], masked=masked)
    header = len(wire) - length
    for position in [*range(header + 2), len(wire) - 1]:
        decoder = decoder_class(masked=masked)
        assert decoder.feed(wire[:position]) == []
        assert decoder.incomplete is (position > 0)
        (item,) = decoder.feed(wire[position:])
        assert item in (payload[:length], Frame(Opcode.BINARY, payload[:length]))


@both
def test_none_accepts_masked_and_unmasked_frames(decoder_class: Decoder) -> None:
    decoder = decoder_class()
    assert decoder.feed(good_frames(False) + good_frames(True)) == BEFORE[decoder_class] * 2


@both
@pytest.mark.parametrize("limit", [0, 1, 125, 126, 65536, DEFAULT_MAX_SIZE])
def test_the_size_is_judged_before_any_payload_arrives(decoder_class: Decoder, limit: int) -> None:
    decoder = decoder_class(max_size=limit)
    decoder.feed(encode_header(2, limit))
    assert decoder.error is None
    decoder = decoder_class(max_size=limit)
    header = encode_header(2, limit + 1)
    decoder.feed(header[:-1])
    assert decoder.error is None
    assert decoder.feed(header[-1:]) == []
    assert isinstance(decoder.error, PayloadTooBig)
    assert (decoder.error.size, decoder.error.limit) == (limit + 1, limit)


@both
def test_no_limit(decoder_class: Decoder) -> None:
    decoder = decoder_class(max_size=None)
    assert decoder.feed(encode_header(2, 2**63 - 1) + b"the beginning") == []
    assert decoder.error is None
    (item,) = decoder_class(max_size=None).feed(encode_frame(2, bytes(DEFAULT_MAX_SIZE + 1)))
    assert item in (bytes(DEFAULT_MAX_SIZE + 1), Frame(Opcode.BINARY, bytes(DEFAULT_MAX_SIZE + 1)))


@both
@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
def test_a_large_frame_in_tiny_pieces_arrives_in_bounded_memory(decoder_class: Decoder, opcode: Opcode) -> None:
    payload = (bytes(range(128)) * 8192)[: 1 << 20]
    wire = encode_frame(opcode, payload, masked=True)
    decoder = decoder_class(masked=True)
    pieces = [bytes([octet]) for octet in range(256)]
    tracemalloc.start()
    try:
        for octet in wire[: 1 << 16]:  # tracing is slow: a part of it shows what each piece costs
            decoder.feed(pieces[octet])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 << 16
    items = [item for start in range(1 << 16, len(wire), 101) for item in decoder.feed(wire[start : start + 101])]
    assert items in ([payload.decode()], [payload], [Frame(opcode, payload)])


@both
def test_a_declared_length_allocates_nothing(decoder_class: Decoder) -> None:
    tracemalloc.start()
    try:
        decoder = decoder_class(max_size=None)
        decoder.feed(encode_header(2, 2**62) + b"a")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


@both
@pytest.mark.parametrize("end", [bytes.fromhex("8300"), None], ids=["error", "stop"])
def test_an_unfinished_message_is_released_at_the_end(decoder_class: Decoder, end: bytes | None) -> None:
    wire = encode_header(2, 2 << 20, fin=False) + bytes(2 << 20)
    tracemalloc.start()
    try:
        decoder = decoder_class(max_size=4 << 20)
        decoder.feed(wire)
        if end is None:
            decoder.feed(encode_header(0, 2 << 20) + bytes(1 << 20))
            decoder.stop()
        else:
            decoder.feed(end)
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current < 1 << 20


@both
def test_the_decoder_does_not_keep_what_it_gave(decoder_class: Decoder) -> None:
    wire = encode_frame(2, bytes(1 << 20))
    decoder = decoder_class()
    tracemalloc.start()
    try:
        assert len(decoder.feed(wire)) == 1
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current < 1 << 19


@both
def test_an_error_keeps_neither_the_bytes_nor_the_decoder(decoder_class: Decoder) -> None:
    gc.collect()
    gc.disable()
    try:
        decoder = decoder_class()
        decoder.feed(bytes.fromhex("8300"))
        error = decoder.error
        assert error is not None
        assert error.__traceback__ is error.__cause__ is error.__context__ is None
        del decoder, error
        assert gc.collect() == 0
    finally:
        gc.enable()


@both
def test_stop_discards_what_comes_later(decoder_class: Decoder) -> None:
    decoder = decoder_class()
    decoder.feed(b"\x01")
    assert decoder.incomplete
    decoder.stop()
    assert not decoder.incomplete
    assert decoder.feed(b"\x00" + good_frames(False)) == []
    assert decoder.error is None


@both
def test_incomplete_inside_headers_frames_and_messages(decoder_class: Decoder) -> None:
    decoder = decoder_class()
    seen = [decoder.incomplete]
    for octet in bytes.fromhex("0101 61 8900 8000"):
        decoder.feed(bytes([octet]))
        seen.append(decoder.incomplete)
    assert seen == [False, True, True, True, True, True, True, False]


@both
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_buffer_is_read_and_not_kept(decoder_class: Decoder, kind: Callable[[bytes], Buffer]) -> None:
    wire = good_frames(True)
    for position in range(len(wire)):
        decoder = decoder_class()
        head, tail = kind(wire[:position]), kind(wire[position:])
        items: list[object] = [*decoder.feed(head)]
        if isinstance(head, bytearray):
            head[:] = b"\xff" * len(head)
            head.clear()  # would raise BufferError if the decoder kept a view of it
        assert [*items, *decoder.feed(tail)] == BEFORE[decoder_class]


@both
def test_memory_views_of_any_shape_are_read_as_bytes(decoder_class: Decoder) -> None:
    wire = good_frames(False)
    spread = bytes(octet for pair in zip(wire, wire, strict=True) for octet in pair)
    for view in (memoryview(spread)[::2], memoryview(array.array("b", wire))):
        for position in range(len(wire)):
            decoder = decoder_class()
            items: list[object] = [*decoder.feed(view[:position]), *decoder.feed(view[position:])]
            assert items == BEFORE[decoder_class]


@both
@pytest.mark.parametrize("data", ["text", 5, None, [1]])
def test_feeding_something_else_is_refused(decoder_class: Decoder, data: Buffer) -> None:
    with pytest.raises(TypeError, match="bytes-like"):
        decoder_class().feed(data)


@both
@pytest.mark.parametrize("masked", ["yes", 1, 0, []])
def test_masked_is_a_bool_or_none(decoder_class: Decoder, masked: bool) -> None:
    with pytest.raises(TypeError, match=r"^masked must be True, False or None, not "):
        decoder_class(masked=masked)


@both
def test_limits_are_checked(decoder_class: Decoder) -> None:
    with pytest.raises(ValueError, match=r"^max_size must be >= 0, not -1$"):
        decoder_class(max_size=-1)


@pytest.mark.parametrize("value", [None, 0, 1, 2**70])
def test_check_limit_accepts(value: int | None) -> None:
    check_limit("queue", value)


@pytest.mark.parametrize(("value", "kind"), [("1", "str"), (1.0, "float"), (True, "bool")])
def test_check_limit_refuses_other_types(value: int, kind: str) -> None:
    with pytest.raises(TypeError, match=f"^queue must be an int or None, not {kind}$"):
        check_limit("queue", value)


def test_check_limit_refuses_negative_numbers() -> None:
    with pytest.raises(ValueError, match=r"^queue must be >= 0, not -1$"):
        check_limit("queue", -1)
