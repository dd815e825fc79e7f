from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoway.frames import (
    Close,
    Fragment,
    FrameError,
    InvalidPayloadError,
    Item,
    MessageDecoder,
    PayloadTooBig,
    Ping,
    Pong,
    ProtocolError,
    TooManyFragments,
    encode_frame,
    encode_header,
)

Cuttings = Callable[[bytes], Iterator[list[bytes]]]
Outcome = Callable[..., tuple[object, ...]]

# RFC 6455 §5.7
RFC_EXAMPLES: list[tuple[str, list[Item]]] = [
    ("810548656c6c6f", ["Hello"]),
    ("818537fa213d7f9f4d5158", ["Hello"]),
    ("010348656c 80026c6f", ["Hello"]),
    ("890548656c6c6f", [Ping(b"Hello")]),
    ("8a8537fa213d7f9f4d5158", [Pong(b"Hello")]),
    ("827e0100" + "ab" * 256, [b"\xab" * 256]),
    ("827f0000000000010000" + "ab" * 65536, [b"\xab" * 65536]),
]


@pytest.mark.parametrize(
    ("wire", "items"), RFC_EXAMPLES, ids=lambda value: value[:12] if isinstance(value, str) else ""
)
def test_examples_of_the_rfc(wire: str, items: list[Item]) -> None:
    assert MessageDecoder().feed(bytes.fromhex(wire)) == items


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("form", [bytes, bytearray, memoryview])
def test_messages_of_all_sizes_in_one_read(masked: bool, form: Callable[[bytes], bytes]) -> None:
    """They may stand around other frames, and each length takes the header in another form."""
    items: list[Item] = ["", b"", "é" * 62, b"a" * 126, Ping(b"!"), "b" * 65535, b"c" * 65536, Pong(), "d", b"e"]
    opcodes = {str: 1, bytes: 2, Ping: 9, Pong: 10}
    payloads = [item.data if isinstance(item, (Ping, Pong)) else item for item in items]
    frames = [encode_frame(opcodes[type(i)], p, masked=masked) for i, p in zip(items, payloads, strict=True)]
    decoder = MessageDecoder(masked=masked)
    assert decoder.feed(form(b"".join(frames))) == items
    assert decoder.error is None
    assert not decoder.incomplete


@pytest.mark.parametrize("masked", [False, True])
def test_a_whole_message_with_the_wrong_mask_after_a_right_one(masked: bool) -> None:
    decoder = MessageDecoder(masked=masked)
    assert decoder.feed(encode_frame(1, "a", masked=masked) + encode_frame(1, "b", masked=not masked)) == ["a"]
    assert isinstance(decoder.error, ProtocolError)


@pytest.mark.parametrize("fragments", [False, True])
@pytest.mark.parametrize(("opcode", "other"), [(1, 2), (2, 1)], ids=["text first", "binary first"])
def test_the_type_of_a_message_is_that_of_its_first_frame(opcode: int, other: int, fragments: bool) -> None:
    in_pieces = [bytes([first, 1, 0x61, 0, 1, 0x62, 0x80, 1, 0x63]) for first in (opcode, other)]
    whole = bytes([0x80 | other, 1, 0x61])
    decoder = MessageDecoder(fragments=fragments)
    types = {1: str, 2: bytes}
    for wire, expected in ((in_pieces[0], opcode), (whole, other), (in_pieces[1], other), (in_pieces[0], opcode)):
        payloads = [item.data if isinstance(item, Fragment) else item for item in decoder.feed(wire)]
        assert {type(payload) for payload in payloads} == {types[expected]}
        assert "".join(p if isinstance(p, str) else p.decode() for p in payloads) == ("a" if wire == whole else "abc")


# (bytes before, items before, violation, class, close code, text); RFC 6455 §5.4, §5.5.1, §7.4, §8.1.
NOT_UTF8 = "text is not UTF-8: "
OVER_8 = "message of 9 bytes is over the limit of 8 bytes"
OVER_4 = "message in more than 4 fragments"
VIOLATIONS: list[tuple[str, list[Item], str, type[FrameError], int, str]] = [
    ("81026f6b", ["ok"], "8101ff", InvalidPayloadError, 1007, NOT_UTF8 + "invalid start byte at byte 0 (ff)"),
    ("8200", [b""], "8103eda080", InvalidPayloadError, 1007, NOT_UTF8 + "invalid continuation byte at byte 0 (ed)"),
    ("8100", [""], "810261c3", InvalidPayloadError, 1007, NOT_UTF8 + "unexpected end of data at byte 1 (c3)"),
    (
        "8900",
        [Ping()],
        "010261e2 0001ff",
        InvalidPayloadError,
        1007,
        NOT_UTF8 + "invalid continuation byte at byte 1 (e2)",
    ),
    (
        "8a00",
        [Pong()],
        "0101f0 0000 0001 90 8000",
        InvalidPayloadError,
        1007,
        NOT_UTF8 + "unexpected end of data at byte 0 (f0 90)",
    ),
    ("81026f6b", ["ok"], "827e0005", ProtocolError, 1002, "payload length 5 in 2 bytes is not minimal"),
    ("81026f6b", ["ok"], "880103", ProtocolError, 1002, "Close frame with half a close code"),
    ("81026f6b", ["ok"], "880203e7", ProtocolError, 1002, "Close frame with invalid code 999"),
    ("81026f6b", ["ok"], "880203ed", ProtocolError, 1002, "Close frame with invalid code 1005"),
    ("81026f6b", ["ok"], "8806138800000000", ProtocolError, 1002, "Close frame with invalid code 5000"),
    (
        "81026f6b",
        ["ok"],
        "880303e8ff",
        InvalidPayloadError,
        1007,
        "reason of a Close frame: " + NOT_UTF8 + "invalid start byte at byte 0 (ff)",
    ),
    ("82080000000000000000", [bytes(8)], "8209", PayloadTooBig, 1009, OVER_8),
    ("0200", [], "0005 6162636465 8004", PayloadTooBig, 1009, OVER_8),
    (
        "020161",
        [],
        "007f7fffffffffffffff",
        PayloadTooBig,
        1009,
        "frame of 9223372036854775807 bytes is over the limit of 7 bytes",
    ),
    ("0200 0000 0000 8000", [b""], "0200 0000 0000 0000 0000", TooManyFragments, 1009, OVER_4),
    ("010161 000162 8900 000163", [Ping()], "000164 800165", TooManyFragments, 1009, OVER_4),
]


def small_decoder(max_fragment_size: int | None = None) -> MessageDecoder:
    return MessageDecoder(max_size=8, max_fragment_size=max_fragment_size, max_fragments=4)


@pytest.mark.parametrize(("before", "items", "violation", "error", "close_code", "text"), VIOLATIONS)
@pytest.mark.parametrize("later", ["", "8200", "8900 880203e8"])
def test_violations(
    before: str,
    items: list[Item],
    violation: str,
    error: type[FrameError],
    close_code: int,
    text: str,
    later: str,
    cuttings: Cuttings,
    outcome: Outcome,
) -> None:
    """What came before is delivered, what comes later is discarded, wherever the stream is cut."""
    max_fragment_size = 7 if text.startswith("frame") else None
    data = bytes.fromhex(before + violation + later)
    decoder = small_decoder(max_fragment_size)
    assert decoder.feed(data) == items
    assert (type(decoder.error), str(decoder.error)) == (error, text)
    assert decoder.error is not None
    assert decoder.error.close_code == close_code
    assert decoder.feed(b"\x81\x00") == []
    seen = outcome(small_decoder(max_fragment_size), [data])
    for pieces in cuttings(data):
        assert outcome(small_decoder(max_fragment_size), pieces) == seen


# Limits are judged at the header


@pytest.mark.parametrize("position", range(4))
def test_the_message_limit_counts_over_fragments(position: int) -> None:
    decoder = MessageDecoder(max_size=10)
    sizes = [3, 0, 3, 3]
    for i, size in enumerate(sizes[:position]):
        decoder.feed(encode_frame(0 if i else 2, bytes(size), fin=False))
    allowed = 10 - sum(sizes[:position])
    decoder.feed(encode_header(0 if position else 2, allowed + 1))
    assert isinstance(decoder.error, PayloadTooBig)
    assert (decoder.error.what, decoder.error.size, decoder.error.limit) == ("message", 11, 10)


def test_a_message_of_exactly_the_limit_passes_and_the_next_counts_from_zero() -> None:
    decoder = MessageDecoder(max_size=10, max_fragments=2)
    message = encode_frame(2, bytes(4), fin=False) + encode_frame(0, bytes(6))
    assert decoder.feed(message * 3 + encode_frame(2, bytes(10))) == [bytes(10)] * 4
    assert decoder.error is None


def test_the_fragment_limit_is_for_each_frame_of_a_message() -> None:
    decoder = MessageDecoder(max_size=10, max_fragment_size=4)
    assert decoder.feed(
        encode_frame(2, bytes(4), fin=False) + encode_frame(0, bytes(4)) + encode_frame(9, bytes(125))
    ) == [
        bytes(8),
        Ping(bytes(125)),
    ]
    decoder.feed(encode_header(2, 5))
    assert isinstance(decoder.error, PayloadTooBig)
    assert (decoder.error.what, decoder.error.size, decoder.error.limit) == ("frame", 5, 4)


@pytest.mark.parametrize("limit", [0, 1, 2, 4096])
@pytest.mark.parametrize("payload", [b"", b"a"])
def test_fragments_are_counted_empty_ones_too(limit: int, payload: bytes) -> None:
    decoder = MessageDecoder(max_fragments=limit)
    for i in range(limit):
        decoder.feed(encode_frame(0 if i else 2, payload, fin=False))
        decoder.feed(encode_frame(9, b""))
    assert decoder.error is None
    decoder.feed(encode_header(0 if limit else 2, len(payload)))
    assert isinstance(decoder.error, TooManyFragments)
    assert decoder.error.limit == limit


def test_many_fragments_cost_bytes_not_objects() -> None:
    decoder = MessageDecoder(max_fragments=None)
    decoder.feed(encode_frame(2, b"", fin=False))
    batch = encode_frame(0, b"", fin=False) * 10_000
    tracemalloc.start()
    try:
        decoder.feed(batch)
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current < 100_000
    assert decoder.feed(encode_frame(0, b"a")) == [b"a"]


def test_no_limits_at_all() -> None:
    decoder = MessageDecoder(max_size=None, max_fragment_size=None, max_fragments=None)
    wire = (
        encode_frame(2, bytes(1 << 20), fin=False)
        + encode_frame(0, b"", fin=False) * 5000
        + encode_frame(0, bytes(1 << 20))
    )
    assert decoder.feed(wire) == [bytes(2 << 20)]


def test_defaults() -> None:
    assert MessageDecoder().feed(encode_frame(2, bytes(1 << 20))) == [bytes(1 << 20)]
    decoder = MessageDecoder()
    decoder.feed(encode_header(2, (1 << 20) + 1))
    assert isinstance(decoder.error, PayloadTooBig)
    decoder = MessageDecoder()
    decoder.feed(encode_frame(2, b"", fin=False) + encode_frame(0, b"", fin=False) * 4095)
    assert decoder.error is None
    decoder.feed(encode_frame(0, b""))
    assert isinstance(decoder.error, TooManyFragments)


@pytest.mark.parametrize("name", ["max_size", "max_fragment_size", "max_fragments"])
def test_limits_are_checked(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be >= 0, not -1$"):
        MessageDecoder(**{name: -1})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=f"^{name} must be an int or None, not float$"):
        MessageDecoder(**{name: 1.5})  # type: ignore[arg-type]


# Text


@pytest.mark.parametrize("bad", ["ff", "c3c3", "eda0", "e080", "f08f", "f490"])
def test_bad_text_is_refused_at_the_first_bad_byte(bad: str) -> None:
    """The frame is far from complete when its error is known: RFC 6455 §8.1."""
    decoder = MessageDecoder(masked=True)
    wire = encode_frame(1, b"good" + bytes.fromhex(bad) + bytes(100), masked=True)
    position = 6 + 4 + len(bytes.fromhex(bad))
    assert decoder.feed(wire[: position - 1]) == []
    assert decoder.error is None
    assert decoder.feed(wire[position - 1 : position]) == []
    assert isinstance(decoder.error, InvalidPayloadError)


def test_text_keeps_its_line_ends_and_its_mark() -> None:
    text = "\ufeffa\r\nb\rc\n\x00"
    wire = encode_frame(1, text)
    assert MessageDecoder().feed(wire) == [text]
    decoder = MessageDecoder()
    assert [item for octet in wire for item in decoder.feed(bytes([octet]))] == [text]


def test_bad_text_is_not_kept_by_its_error() -> None:
    gc.collect()
    wire = encode_frame(1, "é" * (1 << 18))[:-1] + b"\xff"
    tracemalloc.start()
    try:
        decoder = MessageDecoder()
        decoder.feed(wire)
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert decoder.error is not None
    assert current < 1 << 18


# Fragments


def test_fragments_come_out_as_their_frames_end() -> None:
    decoder = MessageDecoder(fragments=True)
    assert decoder.feed(encode_frame(2, b"ab", fin=False)) == [Fragment(b"ab", first=True)]
    assert decoder.feed(encode_frame(0, b"c", fin=False)[:-1]) == []
    assert decoder.feed(b"c" + encode_frame(9, b"p")) == [Fragment(b"c"), Ping(b"p")]
    assert decoder.feed(encode_frame(0, b"")) == [Fragment(b"", final=True)]
    assert decoder.feed(encode_frame(2, b"whole")) == [b"whole"]


def test_text_fragments_are_cut_between_characters() -> None:
    decoder = MessageDecoder(fragments=True)
    wire = (
        encode_frame(1, b"a\xe2", False)
        + encode_frame(0, b"\x82", False)
        + encode_frame(0, b"\xac\xc3", False)
        + encode_frame(0, b"\xa9")
    )
    assert decoder.feed(wire) == [
        Fragment("a", first=True),
        Fragment(""),
        Fragment("€"),
        Fragment("é", final=True),
    ]


def test_an_empty_first_fragment_is_still_the_first() -> None:
    wire = encode_frame(1, b"", False) + encode_frame(0, b"")
    assert MessageDecoder(fragments=True).feed(wire) == [Fragment("", first=True), Fragment("", final=True)]
    assert MessageDecoder().feed(wire) == [""]


def test_limits_count_over_fragments_that_were_given_out() -> None:
    decoder = MessageDecoder(fragments=True, max_size=4, max_fragments=3)
    assert decoder.feed(encode_frame(2, b"abc", False) + encode_header(0, 2)) == [Fragment(b"abc", first=True)]
    assert isinstance(decoder.error, PayloadTooBig)


@pytest.mark.parametrize("fragments", [False, True])
def test_fragmented_messages_in_every_cutting(fragments: bool, cuttings: Cuttings, outcome: Outcome) -> None:
    data = (
        encode_frame(1, "é€".encode()[:1], False, masked=True)
        + encode_frame(9, b"p")
        + encode_frame(0, "é€".encode()[1:3], False)
        + encode_frame(0, "é€".encode()[3:])
        + encode_frame(1, "€")
        + encode_frame(2, b"", False)
        + encode_frame(0, b"ab")
    )
    seen = outcome(MessageDecoder(fragments=fragments), [data])
    assert seen[1:] == (type(None), "None", None, False)
    for pieces in cuttings(data):
        assert outcome(MessageDecoder(fragments=fragments), pieces) == seen


# Close


@pytest.mark.parametrize(
    ("payload", "close"),
    [
        ("", Close(1005)),
        ("03e8", Close(1000)),
        ("0fa1c3a9", Close(4001, "é")),
        ("03f6" + "61" * 123, Close(1014, "a" * 123)),
    ],
)
def test_nothing_counts_after_a_close_frame(payload: str, close: Close, cuttings: Cuttings, outcome: Outcome) -> None:
    data = b"\x82\x01a" + encode_frame(8, bytes.fromhex(payload)) + b"\x82\x01b\x88\x00\xff\xff"
    for pieces in cuttings(data) if len(payload) < 20 else [[data]]:
        items, _, _, code, incomplete = outcome(MessageDecoder(), pieces)
        assert items == [(bytes, b"a"), (Close, close)]
        assert code is None
        assert not incomplete


def test_a_close_frame_may_stand_inside_a_message() -> None:
    decoder = MessageDecoder()
    assert decoder.feed(encode_frame(1, b"never", False) + encode_frame(8, b"") + encode_frame(0, b" seen")) == [
        Close(1005)
    ]
    assert decoder.error is None
    assert not decoder.incomplete


# Any stream, any cuts


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[Item]]:
    """Make the bytes of some messages, and what a reader must see of them."""
    wire, items = b"", []
    masked = draw(st.booleans())
    for message in draw(st.lists(st.text(max_size=40) | st.binary(max_size=200), max_size=5)):
        data = message.encode() if isinstance(message, str) else message
        cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=3)))
        for i, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(data)], strict=True)):
            for ping in draw(st.lists(st.binary(max_size=125), max_size=1)):
                wire += encode_frame(9, ping, masked=masked)
                items.append(Ping(ping))
            opcode = 0 if i else 1 if isinstance(message, str) else 2
            wire += encode_frame(opcode, data[start:end], i == len(cuts), masked=masked)
        items.append(message)
    return wire, items


@settings(deadline=None)
@given(stream=streams(), tail=st.binary(max_size=30), fragments=st.booleans(), data=st.data())
def test_random_cuts(
    stream: tuple[bytes, list[Item]], tail: bytes, fragments: bool, data: st.DataObject, outcome: Outcome
) -> None:
    wire, items = stream
    assert MessageDecoder().feed(wire) == items
    wire += tail
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)))))
    pieces = [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    seen = outcome(MessageDecoder(fragments=fragments, max_size=150, max_fragments=3), [wire])
    assert outcome(MessageDecoder(fragments=fragments, max_size=150, max_fragments=3), pieces) == seen


@settings(deadline=None)
@given(data=st.binary(max_size=300), fragments=st.booleans())
def test_garbage_gives_documented_errors_only(data: bytes, fragments: bool) -> None:
    decoder = MessageDecoder(fragments=fragments)
    decoder.feed(data)
    assert decoder.error is None or isinstance(decoder.error, FrameError)
