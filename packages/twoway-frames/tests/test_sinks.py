from __future__ import annotations

import pytest

from twoway.frames import InvalidPayloadError
from twoway.frames._sinks import BinarySink, TextSink


def test_a_text_is_joined_over_cut_characters() -> None:
    sink = TextSink()
    for octet in "né\r\n€\r".encode():
        sink.write(bytes([octet]), False)
    sink.write(b"", True)
    assert sink.take() == "né\r\n€\r"


def test_a_text_can_be_taken_in_whole_characters() -> None:
    sink = TextSink()
    sink.write(b"a\xc3", False)
    assert sink.take() == "a"
    sink.write(b"\xa9b", True)
    assert sink.take() == "éb"
    assert sink.take() == ""


@pytest.mark.parametrize(("data", "ends"), [(b"\xff", False), (b"\xc3", True)])
def test_bad_text_is_refused_as_it_comes(data: bytes, ends: bool) -> None:
    with pytest.raises(InvalidPayloadError):
        TextSink().write(data, ends)


def test_bytes_are_joined() -> None:
    sink = BinarySink()
    for piece in (b"ab", b"", bytearray(b"c"), memoryview(b"\xff")):
        sink.write(piece, False)
    taken = sink.take()
    assert type(taken) is bytes
    assert taken == b"abc\xff"
    sink.write(b"d", True)
    assert sink.take() == b"d"
    assert taken == b"abc\xff"
