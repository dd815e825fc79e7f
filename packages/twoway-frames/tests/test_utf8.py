from __future__ import annotations

import array
from itertools import product

import pytest

from twoway.frames import InvalidPayloadError, Utf8Decoder, decode_utf8

# RFC 3629 §4, the grammar: byte ranges of each kind of character.
_TAIL = (0x80, 0xBF)
CHARACTERS = [
    [(0x00, 0x7F)],
    [(0xC2, 0xDF), _TAIL],
    [(0xE0, 0xE0), (0xA0, 0xBF), _TAIL],
    [(0xE1, 0xEC), _TAIL, _TAIL],
    [(0xED, 0xED), (0x80, 0x9F), _TAIL],
    [(0xEE, 0xEF), _TAIL, _TAIL],
    [(0xF0, 0xF0), (0x90, 0xBF), _TAIL, _TAIL],
    [(0xF1, 0xF3), _TAIL, _TAIL, _TAIL],
    [(0xF4, 0xF4), (0x80, 0x8F), _TAIL, _TAIL],
]
# Each bound of these ranges, and its neighbours.
EDGES = sorted(
    {0x00, 0xFF} | {near for kind in CHARACTERS for pair in kind for b in pair for near in (b - 1, b, b + 1)} - {-1}
)
SAMPLE = "a\x00é߿ࠀ퟿\ue000€\uffff\U00010000😀\U0010ffff"


def first_bad_byte(data: bytes) -> int | None:
    """Run the automaton: the states are what may still come to complete the character."""
    expected: list[list[tuple[int, int]]] = []
    for i, octet in enumerate(data):
        rest = [kind[1:] for kind in expected or CHARACTERS if kind[0][0] <= octet <= kind[0][1]]
        if not rest:
            return i
        expected = [kind for kind in rest if kind]
    return len(data) if expected else None


def found_bad_byte(data: bytes) -> tuple[int | None, str]:
    """Feed byte by byte: where the decoder fails, and what it says or gives."""
    decoder, text = Utf8Decoder(), ""
    for i in range(len(data) + 1):
        try:
            text += decoder.decode(data[i : i + 1], final=i == len(data))
        except InvalidPayloadError as exc:
            return i, str(exc)
    return None, text


def check(data: bytes) -> None:
    expected = first_bad_byte(data)
    found, said = found_bad_byte(data)
    assert found == expected, data.hex(" ")
    try:
        whole = decode_utf8(data)
    except InvalidPayloadError as exc:
        assert expected is not None
        whole = str(exc)
    assert whole == said, data.hex(" ")


def test_every_first_byte() -> None:
    for octet in range(256):
        check(bytes([octet]))


@pytest.mark.parametrize("lead", range(0, 256, 16))
def test_every_pair_of_bytes(lead: int) -> None:
    for first, second in product(range(lead, lead + 16), range(256)):
        check(bytes([first, second]))


def test_three_bytes_at_the_edges_of_each_range() -> None:
    for data in product(EDGES, repeat=3):
        check(bytes(data))


@pytest.mark.parametrize("lead", [0xED, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5])
def test_four_bytes_at_the_edges_of_each_range(lead: int) -> None:
    for tail in product(EDGES, repeat=3):
        check(bytes([lead, *tail]))


def test_every_character_of_unicode() -> None:
    text = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    assert decode_utf8(text.encode()) == text


def test_every_cut_of_a_text() -> None:
    data = SAMPLE.encode()
    for start in range(len(data) + 1):
        for end in range(start, len(data) + 1):
            decoder = Utf8Decoder()
            parts = (
                decoder.decode(data[:start]),
                decoder.decode(data[start:end]),
                decoder.decode(data[end:], final=True),
            )
            assert "".join(parts) == SAMPLE


def test_whole_characters_come_out_as_soon_as_they_are_complete() -> None:
    decoder = Utf8Decoder()
    assert [decoder.decode(bytes([octet])) for octet in "aé€".encode()] == ["a", "", "é", "", "", "€"]


def test_the_decoder_starts_anew_after_a_text() -> None:
    decoder = Utf8Decoder()
    assert decoder.decode(b"abc", final=True) == "abc"
    with pytest.raises(InvalidPayloadError, match="at byte 1 "):
        decoder.decode(b"d\xff")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"ab\xff", "text is not UTF-8: invalid start byte at byte 2 (ff)"),
        (b"ab\xe2\x82", "text is not UTF-8: unexpected end of data at byte 2 (e2 82)"),
        (b"ab\xe2\x82c", "text is not UTF-8: invalid continuation byte at byte 2 (e2 82)"),
        (b"ab\xed\xa0", "text is not UTF-8: invalid continuation byte at byte 2 (ed)"),
    ],
)
def test_the_error_names_the_place_in_the_text_however_it_was_cut(data: bytes, message: str) -> None:
    for position in range(len(data) + 1):
        decoder = Utf8Decoder()
        with pytest.raises(InvalidPayloadError) as info:
            decoder.decode(data[:position]), decoder.decode(data[position:]), decoder.decode(b"", final=True)
        assert str(info.value) == message


@pytest.mark.parametrize("decode", [decode_utf8, lambda data: Utf8Decoder().decode(data)], ids=["whole", "pieces"])
def test_the_error_does_not_keep_the_text(decode: object) -> None:
    with pytest.raises(InvalidPayloadError) as info:
        decode(b"secret\xff")  # type: ignore[operator]
    assert info.value.__cause__ is info.value.__context__ is None


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_buffer(kind: type[bytes]) -> None:
    data = kind("é€".encode())
    assert decode_utf8(data) == Utf8Decoder().decode(data, final=True) == "é€"


def test_memory_views_of_any_shape_are_taken_as_bytes() -> None:
    decoder = Utf8Decoder()
    assert decoder.decode(memoryview(array.array("b", [-61]))) == ""
    assert decoder.decode(memoryview(b"\xa9-a-")[::2], final=True) == "éa"
    assert decode_utf8(memoryview(b"abcd").cast("H")) == "abcd"
    assert decode_utf8(memoryview(b"a-b-")[::2]) == "ab"
