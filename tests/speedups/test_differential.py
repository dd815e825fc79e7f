"""The twins do what the reference does, whatever they get: hypothesis looks for a difference."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twoway.deflate import PerMessageDeflate
from twoway.frames import Extension, Frame, Opcode, encode_frame

FIRST_BYTES = st.sampled_from([0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0xC1, 0x41, 0xA2, 0x03, 0x08])
TEXTS = st.text(max_size=40) | st.text("ab\x00\x7f", max_size=300) | st.text("aé€😀", max_size=100)
# Whole characters, cut ones, and what RFC 3629 has no place for.
OCTETS = [
    "61",
    "c3a9",
    "e282ac",
    "f09f9880",
    "c3",
    "e282",
    "f09f98",
    "80",
    "ff",
    "eda080",
    "ed9fbf",
    "f4908080",
    "f48fbfbf",
    "e08080",
    "c080",
    "f08f8080",
]
BAD_TEXTS = st.lists(st.sampled_from(OCTETS), max_size=8).map("".join).map(bytes.fromhex)
PAYLOADS = st.binary(max_size=40) | TEXTS.map(str.encode) | BAD_TEXTS | st.integers(100, 300).map(bytes)
CLOSE_PAYLOADS = st.builds(
    lambda code, reason: code.to_bytes(2, "big") + reason,
    st.sampled_from([0, 999, 1000, 1001, 1005, 1006, 1015, 3000, 4999, 5000]),
    BAD_TEXTS,
)
LIMITS = st.sampled_from([None, 0, 1, 10, 125, 126, 1000, 2**63, 2**64, 2**80])
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "masked": st.sampled_from([None, True, False]),
        "max_size": LIMITS,
        "max_fragment_size": LIMITS,
        "max_fragments": st.sampled_from([None, 0, 1, 3]),
        "fragments": st.booleans(),
    },
)
RARELY = st.sampled_from([False] * 15 + [True])
Pieces = list[bytes]


class Marker(Extension):
    """Turn the payloads of messages that have RSV2 round, and know no limits."""

    name = "x-marker"
    reserved_bits: Mapping[int, int] = {Opcode.TEXT: 0x20, Opcode.BINARY: 0x20}

    def encode(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        return frame

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        return frame.replace(data=frame.data[::-1] * 2, rsv2=False)

    def max_encoded_size(self, max_size: int) -> int:
        return max_size // 2


def deflate() -> PerMessageDeflate:
    return PerMessageDeflate(False, False, 15, 15)


EXTENSIONS: list[Callable[[], list[Extension]]] = [
    list,
    lambda: [deflate()],
    lambda: [Marker()],
    lambda: [Marker(), deflate()],
]


@st.composite
def messages(draw: st.DrawFn, masked: bool) -> bytes:
    """Make a message in some frames, with control frames between them; marked now and then."""
    payload, wire = draw(PAYLOADS), b""
    first, rsv = draw(st.sampled_from([1, 1, 1, 2])), draw(st.sampled_from([0, 0, 0, 0x20]))
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
    for i, (start, end) in enumerate(pairwise([0, *cuts, len(payload)])):
        if draw(RARELY):
            wire += encode_frame(9, b"p", masked=masked)
        wire += encode_frame(0 if i else first, payload[start:end], i == len(cuts), 0 if i else rsv, masked)
    return wire


@st.composite
def wires(draw: st.DrawFn) -> bytes:
    """Make frames, most of them good ones, some compressed, with garbage here and there."""
    wire, masked, compressor = b"", draw(st.booleans()), deflate()
    for _ in range(draw(st.integers(0, 5))):
        if draw(st.booleans()):
            wire += draw(messages(masked))
            continue
        first = draw(FIRST_BYTES)
        payload = draw(CLOSE_PAYLOADS if first == 0x88 else PAYLOADS)
        if first == 0xC1:
            payload = compressor.encode(Frame(Opcode.TEXT, payload), compress=True).data
        wire += encode_frame(first & 0x0F, payload, bool(first & 0x80), first & 0x70, masked ^ draw(RARELY))
        if draw(RARELY):
            wire += draw(st.binary(max_size=8))
    return wire


@st.composite
def cut(draw: st.DrawFn, wire: bytes) -> Pieces:
    if draw(RARELY):
        return [bytes([octet]) for octet in wire]
    cuts = sorted(draw(st.lists(st.integers(0, len(wire)), max_size=6)))
    return [wire[start:end] for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True)]


@settings(deadline=None, max_examples=1500)
@given(wire=wires(), options=OPTIONS, extensions=st.sampled_from(EXTENSIONS), data=st.data())
def test_messages(
    wire: bytes,
    options: dict[str, Any],
    extensions: Callable[[], list[Extension]],
    data: st.DataObject,
    pure: Any,
    compiled: Any,
    run: Any,
) -> None:
    pieces = data.draw(cut(wire))
    twins = [each.MessageDecoder(**options, extensions=extensions()) for each in (pure, compiled)]
    expected, found = (run(twin, pieces) for twin in twins)
    assert found == expected
    for twin in twins:
        twin.stop()
        assert not twin.incomplete
        assert twin.feed(encode_frame(1, "later")) == []


@settings(deadline=None, max_examples=700)
@given(wire=wires(), options=OPTIONS, bits=st.sampled_from(range(0, 0x80, 0x10)), data=st.data())
def test_frames(
    wire: bytes, options: dict[str, Any], bits: int, data: st.DataObject, pure: Any, compiled: Any, run: Any
) -> None:
    pieces = data.draw(cut(wire))
    options = {name: value for name, value in options.items() if name in ("masked", "max_size")}
    expected, found = (run(each.FrameDecoder(reserved_bits=bits, **options), pieces) for each in (pure, compiled))
    assert found == expected


@settings(deadline=None, max_examples=700)
@given(data=st.binary(max_size=200), cuts=st.data(), options=OPTIONS)
def test_garbage(data: bytes, cuts: st.DataObject, options: dict[str, Any], pure: Any, compiled: Any, run: Any) -> None:
    pieces = cuts.draw(cut(data))
    expected, found = (run(each.MessageDecoder(**options), pieces) for each in (pure, compiled))
    assert found == expected


@settings(deadline=None, max_examples=1000)
@given(text=BAD_TEXTS | st.binary(max_size=12), data=st.data())
def test_text(text: bytes, data: st.DataObject, pure: Any, compiled: Any, seen: Any) -> None:
    assert seen(compiled.decode_utf8, text) == seen(pure.decode_utf8, text)
    twins = pure.Utf8Decoder(), compiled.Utf8Decoder()
    pieces = data.draw(cut(text))
    for i, piece in enumerate(pieces):
        expected, found = (seen(twin.decode, piece, i == len(pieces) - 1) for twin in twins)
        assert found == expected
        if issubclass(expected[0], Exception):
            return


@settings(deadline=None, max_examples=700)
@given(
    opcode=st.sampled_from([*Opcode, *range(16)]),
    payload=st.binary(max_size=300) | st.text(max_size=100) | st.binary(max_size=30).map(bytearray),
    fin=st.booleans(),
    rsv=st.sampled_from(range(0, 0x80, 0x10)),
    masked=st.booleans(),
    key=st.binary(min_size=4, max_size=4) | st.binary(max_size=5),
)
def test_encoding(
    opcode: int,
    payload: Any,
    fin: bool,
    rsv: int,
    masked: bool,
    key: bytes,
    pure: Any,
    compiled: Any,
    seen: Any,
) -> None:
    arguments = opcode, payload, fin, rsv, masked, key
    assert seen(compiled.encode_frame, *arguments) == seen(pure.encode_frame, *arguments)
    try:
        frame = Frame(Opcode(opcode), bytes(payload), fin, *(bool(rsv & bit) for bit in (0x40, 0x20, 0x10)))
    except (TypeError, ValueError):
        return
    expected = seen(pure.serialize_frame, frame, masked=masked, key=key)
    assert seen(compiled.serialize_frame, frame, masked=masked, key=key) == expected


@given(
    length=st.integers(0, 2**16 + 1) | st.integers(-2, 2**63 + 1) | st.just(-(2**70)),
    first=st.tuples(st.integers(0, 15), st.booleans(), st.booleans()),
)
def test_headers(length: int, first: tuple[int, bool, bool], pure: Any, compiled: Any, seen: Any) -> None:
    opcode, fin, masked = first
    arguments = opcode, length, fin, 0x40, masked
    assert seen(compiled.encode_header, *arguments) == seen(pure.encode_header, *arguments)


@given(
    data=st.binary(max_size=300),
    key=st.binary(min_size=4, max_size=4) | st.binary(max_size=5),
    offset=st.integers(-1, 9) | st.integers(-(2**70), 2**70),
)
def test_masking(data: bytes, key: bytes, offset: int, pure: Any, compiled: Any, seen: Any) -> None:
    assert seen(compiled.apply_mask, data, key, offset) == seen(pure.apply_mask, data, key, offset)


TWINS = [
    "FrameDecoder", "MessageDecoder", "Utf8Decoder", "apply_mask", "decode_utf8", "encode_frame", "encode_header",
    "new_masking_key", "serialize_frame",
]  # fmt: skip
MEMBERS = [
    *(f"{name}.{member}" for name in TWINS[:2] for member in ("feed", "stop", "error", "incomplete")),
    "Utf8Decoder.decode",
]


@pytest.mark.parametrize("name", [*TWINS, *MEMBERS])
def test_twins_are_called_and_described_alike(name: str, pure: Any, compiled: Any) -> None:
    expected, found = _look_up(pure, name), _look_up(compiled, name)
    if callable(expected):
        assert _parameters(found) == _parameters(expected)
    if not inspect.ismemberdescriptor(expected):
        assert _summary(found) == _summary(expected)


def _look_up(thing: Any, name: str) -> Any:
    for part in name.split("."):
        thing = getattr(thing, part)
    return thing


def _parameters(function: Callable[..., object]) -> list[tuple[str, object, object]]:
    parameters = inspect.signature(function).parameters.values()
    return [(each.name, each.kind, each.default) for each in parameters if each.name != "self"]


def _summary(thing: object) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("MessageDecoder", (True,), {}),
        ("MessageDecoder", (), {"unknown": 1}),
        ("MessageDecoder", (), {"extensions": 5}),
        ("FrameDecoder", (), {"reserved_bits": 1.5}),
        ("encode_frame", (1,), {}),
        ("encode_frame", (1, b""), {"unknown": 1}),
        ("encode_frame", (1, b"", True, 0, False, None, 1), {}),
        ("encode_frame", (1, b""), {"opcode": 1}),
        ("encode_frame", (1, 5), {}),
        ("encode_frame", (1, None), {}),
        ("encode_header", (1, 1.5), {}),
        ("serialize_frame", (b"", False), {}),
        ("apply_mask", ("text", b"abcd"), {}),
        ("apply_mask", (b"", "text"), {}),
        ("apply_mask", (b"", b"abcd", 1.5), {}),
        ("decode_utf8", (5,), {}),
        ("new_masking_key", (1,), {}),
        ("Utf8Decoder", (1,), {}),
    ],
)
def test_wrong_arguments_are_refused_alike(
    name: str, args: tuple[object, ...], kwargs: dict[str, object], pure: Any, compiled: Any
) -> None:
    for each in (pure, compiled):
        with pytest.raises(TypeError):
            getattr(each, name)(*args, **kwargs)
