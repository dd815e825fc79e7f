from __future__ import annotations

import sys
import zlib

import pytest

from twoway.deflate import _engines
from twoway.deflate._engines import (
    ENGINES,
    Engine,
    choose_compressing,
    choose_decompressing,
    is_installed,
    load_engine,
)


def decompress_strictly(payload: bytes, bits: int, history: bytes) -> bytes:
    """Decompress byte by byte, so that a reference beyond the window is an error and not luck."""
    stream = load_engine("zlib").decompressor(-bits, history)
    out = [stream.decompress(payload, 1)]
    while out[-1]:
        out.append(stream.decompress(stream.unconsumed_tail, 1))
    return b"".join(out)


@pytest.mark.parametrize("bits", range(8, 16))
def test_output_fits_the_window(engine: Engine, bits: int) -> None:
    """The data repeats at a distance just over the window, as well as within it."""
    sender = choose_compressing(engine.name, ("zlib",), bits)
    period = bytes(range(256)) * 2 + b"x" * ((1 << bits) - 500)
    data = period * 3 + b"abc" * 200 + period
    compressor = sender.compressor(bits, {})
    sent = b""
    for _ in range(2):
        payload = compressor.compress(data) + compressor.flush(2)
        assert payload.endswith(b"\x00\x00\xff\xff")
        assert decompress_strictly(payload, bits, sent[-(1 << bits) :]) == data
        sent += data


def test_a_window_of_256_bytes_is_done_without_one(engine: Engine) -> None:
    sender = choose_compressing(engine.name, ("zlib",), 8)
    assert sender.name == ("zlib" if engine.name == "isal" else engine.name)
    data = b"a history that must not be referred to"
    compressor = sender.compressor(8, {"memLevel": 5}, data)
    payload = compressor.compress(data * 3) + compressor.flush(2)
    assert len(data) < len(payload) < len(data) * 3
    assert decompress_strictly(payload, 8, b"") == data * 3


def test_a_compressor_refers_to_its_history(engine: Engine) -> None:
    data = bytes(range(200))
    compressor = engine.compressor(12, {}, bytearray(data))
    payload = compressor.compress(data) + compressor.flush(2)
    assert len(payload) < 50
    assert engine.decompressor(-12, bytearray(data)).decompress(payload, 1000) == data


def test_errors_of_an_engine_are_known(engine: Engine) -> None:
    with pytest.raises(engine.error):
        engine.decompressor(-12, b"").decompress(b"\x07", 10)


def test_zlib_is_always_there() -> None:
    assert is_installed("zlib")
    assert choose_compressing(None, ("zlib",), 12).name == "zlib"
    assert choose_decompressing("zlib").name == "zlib"


def test_engines_are_loaded_once(engine: Engine) -> None:
    assert load_engine(engine.name) is engine
    assert choose_compressing(engine.name, ("zlib",), 12) is engine
    assert choose_decompressing(engine.name) is engine


def test_unknown_engine() -> None:
    with pytest.raises(ValueError, match="engine must be None or one of 'zlib', 'zlib-ng', 'isal', not 'zopfli'"):
        load_engine("zopfli")


@pytest.fixture
def only_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engines, "is_installed", lambda name: name == "zlib")
    monkeypatch.setattr(_engines, "load_engine", load_engine.__wrapped__)


@pytest.mark.usefixtures("only_zlib")
@pytest.mark.parametrize("name", ["zlib-ng", "isal"])
def test_an_engine_that_is_not_installed_says_what_to_install(name: str) -> None:
    with pytest.raises(ValueError, match=rf"'{name}' is not installed; pip install 'twoway-deflate\[{name}\]'"):
        choose_compressing(name, ("zlib",), 12)


@pytest.mark.usefixtures("only_zlib")
def test_without_extras_zlib_does_everything() -> None:
    assert choose_compressing(None, ("zlib-ng", "zlib"), 15).name == "zlib"
    assert choose_decompressing(None).name == "zlib"


def test_a_broken_library_is_loud(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is installed, and its import fails."""
    monkeypatch.setattr(_engines, "is_installed", lambda name: True)
    monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
    with pytest.raises(ImportError):
        load_engine.__wrapped__("isal")


def test_installed_tells_of_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engines, "find_spec", lambda name: None)
    assert not any(map(is_installed, ENGINES))


def test_an_engine_without_the_strategy_leaves_small_windows_to_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether isal is installed or not."""
    monkeypatch.setattr(_engines, "load_engine", lambda name: Engine(name, zlib))
    assert choose_compressing("isal", ("zlib",), 9).name == "isal"
    assert choose_compressing("isal", ("zlib",), 8).name == "zlib"
