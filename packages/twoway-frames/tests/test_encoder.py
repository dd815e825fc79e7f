from __future__ import annotations

import array

import pytest

from twoway.frames import (
    Buffer,
    Frame,
    FrameDecoder,
    Opcode,
    encode_frame,
    encode_header,
    reserved_bits,
    serialize_frame,
)

KEY = bytes.fromhex("37fa213d")

# RFC 6455 §5.7, in the order of the text; the payload of the last two is arbitrary.
RFC_EXAMPLES = [
    (Frame(Opcode.TEXT, b"Hello"), False, bytes.fromhex("810548656c6c6f")),
    (Frame(Opcode.TEXT, b"Hello"), True, bytes.fromhex("818537fa213d7f9f4d5158")),
    (Frame(Opcode.TEXT, b"Hel", fin=False), False, bytes.fromhex("010348656c")),
    (Frame(Opcode.CONT, b"lo"), False, bytes.fromhex("80026c6f")),
    (Frame(Opcode.PING, b"Hello"), False, bytes.fromhex("890548656c6c6f")),
    (Frame(Opcode.PONG, b"Hello"), True, bytes.fromhex("8a8537fa213d7f9f4d5158")),
    (Frame(Opcode.BINARY, bytes(256)), False, bytes.fromhex("827e0100") + bytes(256)),
    (Frame(Opcode.BINARY, bytes(65536)), False, bytes.fromhex("827f0000000000010000") + bytes(65536)),
]


@pytest.mark.parametrize(("frame", "masked", "wire"), RFC_EXAMPLES, ids=lambda value: type(value).__name__)
def test_examples_of_the_rfc(frame: Frame, masked: bool, wire: bytes) -> None:
    assert serialize_frame(frame, masked=masked, key=KEY) == wire
    assert encode_frame(frame.opcode, frame.data, frame.fin, masked=masked, key=KEY) == wire


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("length", "form"),
    [
        (0, "00"), (1, "01"), (125, "7d"),
        (126, "7e007e"), (127, "7e007f"), (65535, "7effff"),
        (65536, "7f0000000000010000"), (2**63 - 1, "7f7fffffffffffffff"),
    ],
)  # fmt: skip
def test_the_length_takes_the_shortest_form(length: int, form: str, masked: bool) -> None:
    expected = bytearray.fromhex("82" + form)
    expected[1] |= 0x80 if masked else 0
    assert encode_header(2, length, masked=masked) == expected


@pytest.mark.parametrize("length", [-1, -126, -(2**70), 2**63, 2**64])
@pytest.mark.parametrize("masked", [False, True])
def test_lengths_that_no_header_can_hold(length: int, masked: bool) -> None:
    with pytest.raises(ValueError, match=rf"length must be 0 to 2\*\*63 - 1, not {length}$"):
        encode_header(2, length, masked=masked)


@pytest.mark.parametrize("fin", [False, True])
@pytest.mark.parametrize("rsv", range(0, 0x80, 0x10))
@pytest.mark.parametrize("opcode", range(16))
def test_the_first_byte(opcode: int, rsv: int, fin: bool) -> None:
    first = opcode + rsv + (0x80 if fin else 0)
    assert encode_header(opcode, 3, fin, rsv) == bytes([first, 3])
    assert encode_frame(opcode, b"abc", fin, rsv) == bytes([first, 3]) + b"abc"


@pytest.mark.parametrize("bits", range(8))
def test_reserved_bits_stand_where_the_rfc_has_them(bits: int) -> None:
    frame = Frame(Opcode.TEXT, b"", True, bool(bits & 4), bool(bits & 2), bool(bits & 1))
    assert reserved_bits(frame) == bits << 4
    assert serialize_frame(frame, masked=False) == bytes([0x81 | bits << 4, 0])


@pytest.mark.parametrize(
    "payload",
    [
        "é€", "é€".encode(), bytearray("é€".encode()), memoryview("é€".encode()),
        memoryview("é€".encode() * 2)[:5], memoryview(b"\xc3-\xa9-\xe2-\x82-\xac-")[::2],
        memoryview(b"\xc3\xa9\xe2\x82\xac").cast("b"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("masked", [False, True])
def test_every_kind_of_payload(payload: str | Buffer, masked: bool) -> None:
    body = bytes.fromhex("f453c3bf9b") if masked else "é€".encode()
    header = b"\x81\x85" + KEY if masked else b"\x81\x05"
    assert encode_frame(1, payload, masked=masked, key=KEY) == header + body


@pytest.mark.parametrize("masked", [False, True])
def test_what_is_on_the_wire_does_not_change_with_the_callers_buffer(masked: bool) -> None:
    """RFC 6455 §10.3: or an application could choose the bytes that intermediaries see."""
    buffer = bytearray(b"harmless")
    wire = encode_frame(2, buffer, masked=masked, key=KEY)
    before = wire[:]
    buffer[:] = b"GET / HT"
    assert wire == before
    assert FrameDecoder(masked=masked).feed(wire) == [Frame(Opcode.BINARY, b"harmless")]


def test_views_of_larger_items_count_in_bytes() -> None:
    numbers = array.array("I", range(100))
    for view in (memoryview(numbers), memoryview(numbers)[:0], memoryview(numbers.tobytes()).cast("B", (4, 100))):
        assert encode_frame(2, view) == encode_frame(2, view.tobytes())


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("masked", [False, True])
def test_what_is_encoded_can_be_decoded(length: int, masked: bool) -> None:
    payload = (bytes(range(256)) * 257)[:length]
    wire = encode_frame(2, payload, masked=masked)
    assert FrameDecoder(masked=masked).feed(wire) == [Frame(Opcode.BINARY, payload)]


def test_keys_of_any_buffer_and_of_no_other_length() -> None:
    wire = encode_frame(1, "Hello", masked=True, key=KEY)
    for key in (bytearray(KEY), memoryview(KEY)):
        assert encode_frame(1, "Hello", masked=True, key=key) == wire
    for key in (b"", b"abc", b"abcde"):
        with pytest.raises(ValueError, match="key must be 4 bytes long"):
            encode_frame(1, "Hello", masked=True, key=key)
        with pytest.raises(ValueError, match="key must be 4 bytes long"):
            serialize_frame(Frame(Opcode.TEXT, b"Hello"), masked=True, key=key)


def test_text_with_a_lone_surrogate() -> None:
    with pytest.raises(UnicodeEncodeError):
        encode_frame(1, "\ud800")
