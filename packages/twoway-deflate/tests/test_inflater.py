"""Whatever a peer sends as compressed data: the whole message, or one of three errors, within the limit."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.deflate._engines import Engine, load_engine
from twoway.deflate._inflater import Inflater
from twoway.frames import InvalidPayloadError, PayloadTooBig

TAIL = b"\x00\x00\xff\xff"


def deflate(data: bytes, level: int = 6, bits: int = 12) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -bits, 5)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def finished(data: bytes) -> bytes:
    """Compress with a final block at the end."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -12, 5)
    return compressor.compress(data) + compressor.flush(zlib.Z_FINISH)


@pytest.fixture
def inflater(engine: Engine) -> Inflater:
    return Inflater(engine, True, 12)


SIZES = [0, 1, 257, 258, 259, 1000, 16384, 65535, 65536, 65537, 131072, 300000]


@pytest.mark.feature("limits against hostile peers")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["zeros", "text", "stored"])
def test_the_limit_is_exact(engine: Engine, size: int, kind: str) -> None:
    data = bytes(size) if kind == "zeros" else (b"0123456789abcdef-" * (size // 17 + 1))[:size]
    payload = deflate(data, 0 if kind == "stored" else 6)
    assert Inflater(engine, True, 12).inflate(payload, True, size) == data
    assert Inflater(engine, True, 12).inflate(payload, True, None) == data
    if size:
        with pytest.raises(PayloadTooBig) as info:
            Inflater(engine, True, 12).inflate(payload, True, size - 1)
        assert (info.value.limit, info.value.close_code) == (size - 1, 1009)


@pytest.mark.feature("limits against hostile peers")
@pytest.mark.parametrize("limit", [0, 1000, 1 << 20, 4 << 20])
def test_a_bomb_costs_the_limit_and_a_block(engine: Engine, limit: int) -> None:
    payload = deflate(bytes(64 << 20), 9)
    inflater = Inflater(engine, True, 15)
    inflater.inflate(deflate(b"imports"), True, None)
    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooBig):
            inflater.inflate(payload, True, limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit + (1 << 18)


@pytest.mark.feature("limits against hostile peers")
def test_a_bomb_in_fragments(inflater: Inflater) -> None:
    payload = deflate(bytes(1 << 20))
    room = 5000
    with pytest.raises(PayloadTooBig):
        for start in range(0, len(payload), 7):
            room -= len(inflater.inflate(payload[start : start + 7], False, room))


@pytest.mark.parametrize("size", [1, 3, 100, 20000])
def test_fragments_at_any_place(inflater: Inflater, size: int) -> None:
    data = b"The quick brown fox jumps over the lazy dog. " * 2000
    payload = deflate(data, 0 if size == 20000 else 6)
    pieces = [payload[start : start + size] for start in range(0, len(payload), size)]
    parts = [inflater.inflate(piece, False, len(data)) for piece in pieces] + [inflater.inflate(b"", True, 0)]
    assert b"".join(parts) == data
    assert not inflater.inside


@pytest.mark.parametrize("takeover", [True, False])
def test_context_takeover(engine: Engine, takeover: bool) -> None:
    compressor = zlib.compressobj(6, zlib.DEFLATED, -12, 5)
    inflater = Inflater(engine, takeover, 12)
    texts = [b"a text which comes twice"] * 2
    first, second = [(compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4] for text in texts]
    assert inflater.inflate(first, True, 100) == texts[0]
    if takeover:
        assert inflater.inflate(second, True, 100) == texts[1]
    else:  # a peer that breaks its promise
        with pytest.raises(InvalidPayloadError):
            inflater.inflate(second, True, 100)


# RFC 7692 §7.2.3.4, §7.2.3.5: final blocks, and several blocks, in one message.
FINAL_BLOCKS = [
    (finished(b"Hello") + b"\x00", b"Hello"),
    (finished(b"Hello"), b"Hello"),  # a peer that leaves out the last octet
    (finished(b"Hello") * 3 + b"\x00", b"HelloHelloHello"),
    (finished(b"Hello") + deflate(b", world"), b"Hello, world"),
    (deflate(b"Hello") + TAIL + finished(b", world") + b"\x00", b"Hello, world"),
    (finished(b"") + b"\x00", b""),
    (finished(bytes(100000)) + deflate(b"x" * 70000), bytes(100000) + b"x" * 70000),
]


@pytest.mark.parametrize(("payload", "data"), FINAL_BLOCKS)
def test_final_blocks_lose_nothing(inflater: Inflater, payload: bytes, data: bytes) -> None:
    for _ in range(2):
        assert inflater.inflate(payload, True, len(data)) == data
    assert inflater.inflate(deflate(b"and after it"), True, None) == b"and after it"


@pytest.mark.parametrize(("payload", "data"), FINAL_BLOCKS)
def test_final_blocks_in_fragments(inflater: Inflater, payload: bytes, data: bytes) -> None:
    parts = [inflater.inflate(payload[start : start + 1], False, None) for start in range(len(payload))]
    assert b"".join(parts) + inflater.inflate(b"", True, None) == data


def test_final_blocks_may_refer_to_what_was_before_them(inflater: Inflater) -> None:
    text = b"a text which comes twice"
    compressor = zlib.compressobj(6, zlib.DEFLATED, -12, 5, zdict=text)
    payload = finished(text) + compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)[:-4]
    assert inflater.inflate(payload, True, None) == text * 2


@pytest.mark.feature("limits against hostile peers")
def test_a_flood_of_final_blocks_ends(inflater: Inflater) -> None:
    assert inflater.inflate(finished(b"") * 1000, True, None) == b""
    with pytest.raises(InvalidPayloadError, match="more than 1024 final blocks"):
        inflater.inflate(finished(b"") * 2000, True, None)


def bad_payloads() -> Iterator[tuple[str, bytes]]:
    whole = deflate(b"a message that is cut somewhere, a message that is cut")
    yield from ((f"cut at {at}", whole[:at]) for at in range(1, len(whole)))
    yield "reserved block type", b"\x07"
    yield "stored block with wrong length", b"\x00\x05\x00\x00\x00Hello"
    yield "reference before the beginning", b"\x02\x05\x00"
    yield "stored block that swallows the tail", b"\x00\x04\x00\xfb\xff"
    yield "final stored block that swallows what is appended", b"\x01\x09\x00\xf6\xff"
    yield "stored block that wants more", b"\x00\x64\x00\x9b\xff"
    yield "flush left in", deflate(b"Hello") + TAIL
    yield "garbage after a final block", finished(b"Hello") + b"\xff\xff\xff"


@pytest.mark.parametrize(
    "payload", [payload for _, payload in bad_payloads()], ids=[name for name, _ in bad_payloads()]
)
def test_bad_payloads(engine: Engine, payload: bytes) -> None:
    inflater = Inflater(engine, True, 12)
    with pytest.raises(InvalidPayloadError) as info:
        inflater.inflate(payload, True, 1000)
    assert info.value.close_code == 1007
    for later in (payload, deflate(b"good")):
        with pytest.raises(InvalidPayloadError, match="after broken"):
            inflater.inflate(later, True, 1000)


def test_errors_do_not_keep_payloads_alive(inflater: Inflater) -> None:
    with pytest.raises(InvalidPayloadError) as info:
        inflater.inflate(b"\x07", True, None)
    assert info.value.__cause__ is not None
    assert info.value.__cause__.__traceback__ is None


def test_nothing_at_all_is_an_empty_message(inflater: Inflater) -> None:
    assert inflater.inflate(b"", True, 0) == b""
    assert inflater.inflate(b"", False, 0) + inflater.inflate(b"", True, 0) == b""


def test_nothing_at_all_does_not_disturb_what_comes_next(inflater: Inflater) -> None:
    compressor = zlib.compressobj(wbits=-15)
    payloads = []
    for message in (b"again and again", b"", b"again and again"):
        # As a peer does it that hands on what zlib gives: a second flush gives nothing, not even the tail.
        written = (compressor.compress(message) if message else b"") + compressor.flush(zlib.Z_SYNC_FLUSH)
        payloads.append(written.removesuffix(b"\0\0\xff\xff"))
    assert payloads[1] == b""
    assert [inflater.inflate(payload, True, None) for payload in payloads] == [
        b"again and again",
        b"",
        b"again and again",
    ]


@given(st.binary(max_size=400), st.integers(0, 2000))
def test_any_bytes_give_a_message_or_a_documented_error(payload: bytes, limit: int) -> None:
    for name in ("zlib", "zlib-ng", "isal"):
        try:
            engine = load_engine(name)
        except ValueError:
            continue
        with suppress(InvalidPayloadError, PayloadTooBig):
            assert len(Inflater(engine, True, 12).inflate(payload, True, limit)) <= limit


def test_close(inflater: Inflater) -> None:
    inflater.inflate(deflate(b"unfinished"), False, None)
    assert inflater.inside
    inflater.close()
    assert not inflater.inside
