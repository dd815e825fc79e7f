"""Frames and messages come back as they were sent, however the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.frames import (
    Close,
    CloseCode,
    Fragment,
    Frame,
    FrameDecoder,
    FrameError,
    InvalidPayloadError,
    MessageDecoder,
    Opcode,
    PayloadTooBig,
    Ping,
    Pong,
    Utf8Decoder,
    apply_mask,
    decode_utf8,
    encode_frame,
    is_valid_close_code,
    serialize_frame,
)

SIZES = st.sampled_from([0, 1, 125, 126, 127, 65535, 65536, 70_000])
PAYLOADS = st.binary(max_size=300) | SIZES.map(bytes)
CUTS = st.lists(st.floats(0, 1), max_size=8)
RSV = st.fixed_dictionaries({name: st.booleans() for name in ("rsv1", "rsv2", "rsv3")})
CONTROL_FRAMES = st.builds(Frame, st.sampled_from([Opcode.PING, Opcode.PONG]), st.binary(max_size=125))


@st.composite
def messages(draw: st.DrawFn) -> list[Frame]:
    """Make the frames of a message, with control frames between them."""
    payloads = draw(st.lists(PAYLOADS, min_size=1, max_size=3))
    frames = []
    for number, payload in enumerate(payloads):
        opcode = Opcode.CONT if number else draw(st.sampled_from([Opcode.TEXT, Opcode.BINARY]))
        frames.append(Frame(opcode, payload, fin=number == len(payloads) - 1, **draw(RSV)))
        frames += draw(st.lists(CONTROL_FRAMES, max_size=1))
    return frames


def cut(data: bytes, places: list[float]) -> list[bytes]:
    """Cut at these places, 0 to 1, and into single bytes where there are few."""
    if len(data) < 40 and len(places) == 8:
        return [data[at : at + 1] for at in range(len(data))]
    positions = sorted(int(place * len(data)) for place in places)
    return [data[start:end] for start, end in pairwise([0, *positions, len(data)])]


@given(
    sent=st.lists(messages() | CONTROL_FRAMES.map(lambda frame: [frame]), max_size=3), masked=st.booleans(), places=CUTS
)
def test_frames_come_back(sent: list[list[Frame]], masked: bool, places: list[float]) -> None:
    frames = [frame for message in sent for frame in message]
    wire = b"".join(serialize_frame(frame, masked=masked) for frame in frames)
    decoder = FrameDecoder(masked=masked, reserved_bits=0x70, max_size=None)
    seen = [frame for piece in cut(wire, places) for frame in decoder.feed(piece)]
    assert decoder.error is None
    assert seen == frames
    assert not decoder.incomplete


@given(
    messages=st.lists(st.text(max_size=100) | PAYLOADS, max_size=4),
    parts=st.lists(st.floats(0, 1), max_size=4),
    masked=st.booleans(),
    whole=st.booleans(),
    places=CUTS,
)
def test_messages_come_back_with_pings_between(
    messages: list[str | bytes], parts: list[float], masked: bool, whole: bool, places: list[float]
) -> None:
    wire, pings = b"", 0
    for message in messages:
        opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
        fragments = cut(message.encode() if isinstance(message, str) else message, parts[:3])
        for number, fragment in enumerate(fragments):
            wire += encode_frame(Opcode.CONT if number else opcode, fragment, number == len(fragments) - 1, 0, masked)
            wire += encode_frame(Opcode.PING, b"%d" % pings, True, 0, masked)
            pings += 1
    decoder = MessageDecoder(masked=masked, fragments=not whole)
    items = [item for piece in cut(wire, places) for item in decoder.feed(piece)]
    assert decoder.error is None
    assert [item.data for item in items if isinstance(item, Ping)] == [b"%d" % number for number in range(pings)]
    assert join(item for item in items if not isinstance(item, Ping)) == messages


def join(items):
    """Join fragments to messages."""
    messages, parts = [], []
    for item in items:
        if not isinstance(item, Fragment):
            messages.append(item)
            continue
        assert item.first is (not parts)
        parts.append(item.data)
        if item.final:
            messages.append(("" if isinstance(item.data, str) else b"").join(parts))
            parts = []
    assert not parts
    return messages


@given(wire=st.binary(max_size=60), places=CUTS, masked=st.sampled_from([True, False, None]), limit=st.integers(0, 50))
def test_any_bytes_end_in_the_same_way_however_they_are_cut(
    wire: bytes, places: list[float], masked: bool | None, limit: int
) -> None:
    outcomes = []
    for pieces in ([wire], cut(wire, places), [wire[at : at + 1] for at in range(len(wire))]):
        decoder = MessageDecoder(masked=masked, max_size=limit)
        items = [item for piece in pieces for item in decoder.feed(piece)]
        assert decoder.error is None or isinstance(decoder.error, FrameError)
        outcomes.append((items, type(decoder.error), str(decoder.error)))
        assert decoder.feed(b"\x8a\x00") in ([], [Pong(b"")]) or decoder.error is None
    assert outcomes[0] == outcomes[1] == outcomes[2]


@given(size=st.integers(0, 300), limit=st.integers(0, 300), parts=st.lists(st.floats(0, 1), max_size=4))
def test_the_limit_is_exact(size: int, limit: int, parts: list[float]) -> None:
    fragments = cut(bytes(size), parts[:3])
    wire = b"".join(
        encode_frame(Opcode.CONT if number else Opcode.BINARY, data, number == len(fragments) - 1, 0, True)
        for number, data in enumerate(fragments)
    )
    decoder = MessageDecoder(masked=True, max_size=limit)
    items = decoder.feed(wire)
    assert (items == [bytes(size)]) is (size <= limit)
    assert isinstance(decoder.error, PayloadTooBig) is (size > limit)


@given(data=PAYLOADS, key=st.binary(min_size=4, max_size=4), at=st.integers(0, 400))
def test_masking_twice_is_nothing_and_goes_on_anywhere(data: bytes, key: bytes, at: int) -> None:
    masked = apply_mask(data, key)
    assert apply_mask(masked, key) == data
    assert apply_mask(data[:at], key) + apply_mask(data[at:], key, len(data[:at])) == masked
    assert all(byte ^ key[place % 4] == data[place] for place, byte in enumerate(masked[:300]))


BYTES = st.binary(max_size=30) | st.lists(
    st.sampled_from(
        ["é".encode(), "€".encode(), "😀".encode(), b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"]
    )
).map(b"".join)


@given(data=BYTES, places=CUTS)
def test_utf8_is_what_python_says_however_it_is_cut(data: bytes, places: list[float]) -> None:
    try:
        expected = data.decode()
    except UnicodeDecodeError:
        expected = None
    decoder = Utf8Decoder()
    try:
        text = "".join(decoder.decode(piece) for piece in cut(data, places)) + decoder.decode(b"", final=True)
    except InvalidPayloadError:
        text = None
    assert text == expected
    if expected is None:
        with pytest.raises(InvalidPayloadError):
            decode_utf8(data)
    else:
        assert decode_utf8(data) == expected


@given(code=st.integers(0, 65535), reason=st.text(max_size=60))
def test_close_frames_come_back_or_cannot_be_made(code: int, reason: str) -> None:
    allowed = is_valid_close_code(code) and len(reason.encode()) <= 123
    if not allowed:
        if code == CloseCode.NO_STATUS_RCVD:
            return
        with pytest.raises(ValueError):
            Close(code, reason).serialize()
        payload = code.to_bytes(2, "big") + reason.encode()[:123].decode(errors="ignore").encode()
        if is_valid_close_code(code):
            return
    else:
        payload = Close(code, reason).serialize()
    decoder = MessageDecoder(masked=True)
    items = decoder.feed(encode_frame(Opcode.CLOSE, payload, True, 0, True))
    assert items == ([Close(code, reason)] if allowed else [])
    assert (decoder.error is None) is allowed
