from __future__ import annotations

import math

import pytest

from twoway.deflate._deflater import TAIL, Deflater
from twoway.deflate._engines import Compressor, load_engine
from twoway.frames import Buffer

ZLIB = load_engine("zlib")
TEXT = b"a message that is long enough to be worth a reference: 0123456789"


class Maker:
    """Makes compressors and counts them."""

    def __init__(self) -> None:
        self.histories: list[bytes] = []

    def __call__(self, history: Buffer | None) -> Compressor:
        self.histories.append(bytes(history or b""))
        return ZLIB.compressor(12, {"level": 6}, history)


@pytest.fixture
def maker() -> Maker:
    return Maker()


def test_nothing_is_made_before_the_first_message(maker: Maker) -> None:
    deflater = Deflater(maker, True, 0, 12)
    deflater.release()
    deflater.forget()
    assert maker.histories == []


def test_keeping_at_once(maker: Maker) -> None:
    deflater = Deflater(maker, True, 0, 12)
    sizes = [len(deflater.deflate(TEXT, True)) for _ in range(5)]
    assert maker.histories == [b""]
    assert max(sizes[1:]) < sizes[0] / 3


def test_keeping_after_some_messages(maker: Maker) -> None:
    deflater = Deflater(maker, True, 2, 12)
    sizes = [len(deflater.deflate(TEXT, True)) for _ in range(6)]
    assert maker.histories == [b"", TEXT, TEXT * 2]
    assert max(sizes[1:]) < sizes[0] / 3


def test_never_keeping_still_refers_back(maker: Maker) -> None:
    deflater = Deflater(maker, True, math.inf, 12)
    sizes = [len(deflater.deflate(TEXT, True)) for _ in range(4)]
    assert maker.histories == [TEXT * count for count in range(4)]
    assert max(sizes[1:]) < sizes[0] / 3


def test_without_context_takeover_nothing_is_remembered(maker: Maker) -> None:
    deflater = Deflater(maker, False, 0, 12)
    assert len({deflater.deflate(TEXT, True) for _ in range(4)}) == 1
    assert maker.histories == [b""] * 4


def test_the_history_is_limited_by_the_window_and_by_4_kib(maker: Maker) -> None:
    for bits, size in ((9, 512), (15, 4096)):
        deflater = Deflater(maker, True, math.inf, bits)
        deflater.deflate(TEXT * 1000, True)
        deflater.deflate(TEXT, True)
        assert maker.histories[-1] == (TEXT * 1000)[-size:]


def test_release_between_messages(maker: Maker) -> None:
    deflater = Deflater(maker, True, 0, 12)
    deflater.deflate(TEXT, True)
    deflater.release()
    deflater.deflate(TEXT, True)
    assert maker.histories == [b"", b""]


def test_release_inside_a_message_is_put_off(maker: Maker) -> None:
    deflater = Deflater(maker, True, 1, 12)
    deflater.deflate(TEXT, False)
    assert deflater.inside
    deflater.release()
    deflater.deflate(TEXT, True)
    assert not deflater.inside
    assert maker.histories == [b""]


def test_release_inside_a_message_leaves_no_gap_in_the_history(maker: Maker) -> None:
    deflater = Deflater(maker, True, 1, 12)
    stream = ZLIB.decompressor(-12, b"")
    for number in range(20):
        parts = [bytes([number]) + TEXT[:40], bytes([number, 7]) + TEXT[20:]]
        first = deflater.deflate(parts[0], False)
        if number % 5:
            deflater.release()
        second = deflater.deflate(parts[1], True)
        if number % 3:
            deflater.release()
        assert stream.decompress(first + second + TAIL, 1000) == b"".join(parts)


def test_fragments_keep_their_flush_and_the_last_one_loses_its_tail(maker: Maker) -> None:
    deflater = Deflater(maker, True, 1, 12)
    assert deflater.deflate(TEXT, False).endswith(TAIL)
    assert not deflater.deflate(TEXT, True).endswith(TAIL)


class Silent:
    """A compressor as libraries may be: without new input it has nothing to flush."""

    def __init__(self) -> None:
        self.compressor = ZLIB.compressor(12, {})
        self.pending = True

    def compress(self, data: Buffer, /) -> bytes:
        self.pending = self.pending or bool(data)
        return self.compressor.compress(data)

    def flush(self, mode: int, /) -> bytes:
        pending, self.pending = self.pending, False
        return self.compressor.flush(mode) if pending else b""


def test_an_empty_last_fragment() -> None:
    """RFC 7692 §7.2.3.6: it needs one octet, whatever the library makes of nothing."""
    for maker in (lambda history: Silent(), lambda history: ZLIB.compressor(12, {})):
        deflater = Deflater(maker, True, 1, 12)
        parts = [deflater.deflate(data, fin) for data, fin in ((TEXT, False), (b"", False), (b"", True))]
        stream = ZLIB.decompressor(-12, b"")
        assert parts[2] == b"\x00"
        assert stream.decompress(b"".join(parts) + TAIL, 1000) == TEXT


def test_forget(maker: Maker) -> None:
    deflater = Deflater(maker, True, 1, 12)
    deflater.deflate(TEXT, True)
    deflater.deflate(TEXT, True)
    deflater.forget()
    deflater.deflate(TEXT, True)
    assert maker.histories == [b"", TEXT, b""]


def test_after_an_error_nothing_refers_to_what_was_not_sent(maker: Maker) -> None:
    """A message that could not be compressed to its end never reaches the peer."""
    deflater = Deflater(maker, True, 0, 12)
    deflater.deflate(TEXT, True)
    with pytest.raises(TypeError):
        deflater.deflate("text", True)  # type: ignore[arg-type]
    deflater.deflate(TEXT, True)
    assert maker.histories == [b"", b""]
