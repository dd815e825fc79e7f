from __future__ import annotations

import pickle

import pytest

from twoway.frames import (
    Close,
    CloseCode,
    Fragment,
    Frame,
    InvalidPayloadError,
    Opcode,
    Ping,
    Pong,
    ProtocolError,
    shorten,
)

CONTROL = [Opcode.CLOSE, Opcode.PING, Opcode.PONG]
INVALID_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]


# Frame


@pytest.mark.parametrize("opcode", range(-1, 17))
def test_only_frames_with_a_known_opcode_can_be_built(opcode: int) -> None:
    if opcode in {0, 1, 2, 8, 9, 10}:
        assert Frame(opcode).opcode is Opcode(opcode)  # type: ignore[arg-type]
    else:
        with pytest.raises(ValueError, match=f"{opcode} is not a valid Opcode"):
            Frame(opcode)  # type: ignore[arg-type]


@pytest.mark.parametrize("opcode", CONTROL)
def test_a_control_frame_is_neither_fragmented_nor_long(opcode: Opcode) -> None:
    assert Frame(opcode, bytes(125)).data == bytes(125)
    with pytest.raises(ValueError, match="fin must be True"):
        Frame(opcode, b"", fin=False)
    with pytest.raises(ValueError, match=r"data .* at most 125 bytes long, not 126"):
        Frame(opcode, bytes(126))


@pytest.mark.parametrize("data", ["é" * 100, bytearray(b"abc"), memoryview(b"abc"), None])
def test_the_payload_of_a_frame_is_bytes(data: object) -> None:
    with pytest.raises(TypeError, match=f"data must be bytes, not {type(data).__name__}"):
        Frame(Opcode.TEXT, data)  # type: ignore[arg-type]


def test_a_frame_cannot_be_turned_into_a_forbidden_one() -> None:
    frame = Frame(Opcode.PING)
    with pytest.raises(AttributeError, match="Frame cannot be altered"):
        frame.fin = False
    with pytest.raises(ValueError, match="fin must be True"):
        frame.replace(fin=False)


def test_frames_are_values() -> None:
    frame = Frame(Opcode.TEXT, b"a", rsv2=True)
    assert frame == Frame(Opcode.TEXT, b"a", True, False, True, False)
    assert frame != Frame(Opcode.TEXT, b"a")
    assert len({frame, pickle.loads(pickle.dumps(frame))}) == 1


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (Frame(Opcode.TEXT, b"Hello"), "TEXT fin 48 65 6c 6c 6f [5 bytes]"),
        (Frame(Opcode.CONT, b"", fin=False, rsv1=True, rsv3=True), "CONT rsv1 rsv3 [0 bytes]"),
        (Frame(Opcode.BINARY, bytes(1000)), f"BINARY fin {'00 ' * 20}... [1000 bytes]"),
    ],
)
def test_frames_are_shown_on_one_line(frame: Frame, text: str) -> None:
    assert str(frame) == text


# Fragment, Ping, Pong


def test_fragments_are_values() -> None:
    fragment = Fragment("a", True, False)
    assert fragment == Fragment("a", first=True)
    assert len({fragment, Fragment("a", True)}) == 1
    for other in (Fragment("b", True), Fragment("a"), Fragment("a", True, True), Fragment(b"a", True), "a"):
        assert fragment != other
    assert repr(fragment) == "Fragment(data='a', first=True, final=False)"


def test_pings_are_not_pongs() -> None:
    ping: object = Ping(b"a")
    assert ping == Ping(b"a")
    assert ping != Pong(b"a")


# Close


@pytest.mark.parametrize(
    ("close", "data"),
    [
        (Close(1005), b""),
        (Close(1000), b"\x03\xe8"),
        (Close(CloseCode.GOING_AWAY, "bye"), b"\x03\xe9bye"),
        (Close(4999, "é" * 61 + "a"), b"\x13\x87" + "é".encode() * 61 + b"a"),
    ],
)
def test_close_there_and_back(close: Close, data: bytes) -> None:
    assert close.serialize() == data
    assert Close.parse(data) == Close.parse(memoryview(data)) == Close.parse(bytearray(data)) == close


@pytest.mark.parametrize("code", INVALID_CODES)
def test_invalid_close_codes_are_neither_sent_nor_taken(code: int) -> None:
    with pytest.raises(ValueError, match=rf"code must be 1000-1003, 1007-1014 or 3000-4999, not {code}$"):
        Close(code, "reason").serialize()
    with pytest.raises(ProtocolError, match=f"invalid code {code}$") as info:
        Close.parse(code.to_bytes(2, "big") + b"reason")
    assert info.value.close_code == 1002


def test_only_a_code_without_reason_may_be_left_out() -> None:
    with pytest.raises(ValueError, match="code must be"):
        Close(1005, "reason").serialize()


@pytest.mark.parametrize("reason", ["a" * 124, "é" * 62])
def test_reason_is_measured_in_bytes(reason: str) -> None:
    with pytest.raises(ValueError, match="reason must be at most 123 bytes of UTF-8, not 124"):
        Close(1000, reason).serialize()


def test_reason_with_a_lone_surrogate() -> None:
    with pytest.raises(ValueError, match=r"^reason must be .* UTF-8"):
        Close(1000, "a\ud800").serialize()


@pytest.mark.parametrize("arguments", [("1000", ""), (None, ""), (1000, b"bye"), (1000, None)])
def test_close_of_wrong_types(arguments: tuple[int, str]) -> None:
    with pytest.raises(TypeError, match="code must be an int and reason a str"):
        Close(*arguments).serialize()


def test_half_a_close_code() -> None:
    with pytest.raises(ProtocolError, match="half a close code"):
        Close.parse(b"\x03")


@pytest.mark.parametrize("reason", [b"\xff", b"a\xc3", b"\xed\xa0\x80"])
def test_reason_that_is_not_utf8(reason: bytes) -> None:
    with pytest.raises(InvalidPayloadError, match=r"^reason of a Close frame: text is not UTF-8: ") as info:
        Close.parse(b"\x03\xe8" + reason)
    assert info.value.close_code == 1007


@pytest.mark.parametrize(
    ("close", "text"),
    [
        (Close(CloseCode.NORMAL_CLOSURE), "1000 (OK)"),
        (Close(1001, "schöne Grüße"), "1001 (going away) schöne Grüße"),
        (
            Close(4000, "a\r\nERROR forged\x1b[2J\u202e\\"),
            r"4000 (private use) a\r\nERROR forged\x1b[2J\u202e\ ".rstrip(),
        ),
        (Close(70000), "70000 (out of range)"),
    ],
)
def test_close_is_shown_on_one_line_without_control_characters(close: Close, text: str) -> None:
    assert str(close) == text


# shorten


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("", "''"),
        ("it's\n", '"it\'s\\n"'),
        ("é", "'\\xe9'"),
        ("a" * 60, f"'{'a' * 60}'"),
        ("a" * 61, f"'{'a' * 59}'..."),
        (b"", ""),
        (b"\x00\xff", "00 ff"),
        (bytes(20), " ".join(["00"] * 20)),
        (bytes(21), f"{'00 ' * 20}..."),
    ],
)
def test_shorten(data: str | bytes, text: str) -> None:
    assert shorten(data) == text


@pytest.mark.parametrize("data", ["😀" * 1000, "\x00" * 60, "'\"" * 40, "\n" * 15, b"\xff" * 1000])
def test_shortened_payloads_fit_on_a_line(data: str | bytes) -> None:
    text = shorten(data)
    assert len(text) <= 70
    assert text.isascii()
    assert text.isprintable()
