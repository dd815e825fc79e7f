from __future__ import annotations

import array
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from twoway.frames import IMPLEMENTATION, Buffer, _mask, apply_mask, encode_frame, new_masking_key

KEY = b"\x37\xfa\x21\x3d"
PATTERN = bytes(i * 89 % 256 for i in range(70_000))
BOUNDARIES = [125, 126, 127, 1023, 1024, 1025, 1026, 1027, 65535, 65536]


def slow_mask(data: bytes, key: bytes, offset: int = 0) -> bytes:
    """RFC 6455 §5.3, literally."""
    return bytes(octet ^ key[(i + offset) % 4] for i, octet in enumerate(data))


@pytest.mark.parametrize("offset", [0, 1, 2, 3, 4, 7, 2**40 + 1])
@pytest.mark.parametrize("alignment", range(8))
def test_every_short_length(alignment: int, offset: int) -> None:
    source = memoryview(PATTERN)
    for length in range(71):
        data = source[alignment : alignment + length]
        assert apply_mask(data, KEY, offset) == slow_mask(bytes(data), KEY, offset)


@pytest.mark.parametrize("rotation", range(4))
@pytest.mark.parametrize("length", BOUNDARIES)
def test_length_boundaries(length: int, rotation: int) -> None:
    key = KEY[rotation:] + KEY[:rotation]
    assert apply_mask(PATTERN[:length], key) == slow_mask(PATTERN[:length], key)
    assert apply_mask(PATTERN[:length], KEY, rotation) == slow_mask(PATTERN[:length], key)


@pytest.mark.parametrize("key", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\1\0\0\0"])
def test_keys_and_payloads_with_leading_and_trailing_zeros(key: bytes) -> None:
    for data in (b"\0" * 9, b"\xff" * 9, b"\0\0\1\0\0", b""):
        assert apply_mask(data, key) == slow_mask(data, key)


def test_unmasking_is_masking_in_pieces() -> None:
    masked = apply_mask(PATTERN[:100], KEY)
    for position in range(101):
        head, tail = masked[:position], masked[position:]
        assert apply_mask(head, KEY) + apply_mask(tail, KEY, position) == PATTERN[:100]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_buffer(kind: type[Buffer]) -> None:
    result = apply_mask(kind(b"Hello"), kind(KEY))
    assert type(result) is bytes
    assert result == b"\x7f\x9f\x4d\x51\x58"  # RFC 6455 §5.7


def test_the_arguments_are_not_changed() -> None:
    data, key = bytearray(b"Hello"), bytearray(KEY)
    apply_mask(data, key, 1)
    assert (data, key) == (b"Hello", KEY)


def test_memory_views_of_any_shape_are_taken_as_bytes() -> None:
    numbers = memoryview(array.array("I", [1, 2, 3]))
    assert apply_mask(numbers, KEY) == slow_mask(numbers.tobytes(), KEY)
    assert apply_mask(memoryview(b"H.e.l.l.o")[::2], KEY) == slow_mask(b"Hello", KEY)
    assert apply_mask(memoryview(b"abcdef").cast("B", (2, 3)), KEY) == slow_mask(b"abcdef", KEY)
    assert apply_mask(b"Hello", memoryview(array.array("i", [0]))) == b"Hello"


@pytest.mark.parametrize("key", [b"", b"abc", b"abcde"])
def test_a_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match=f"^key must be 4 bytes long, not {len(key)}$"):
        apply_mask(b"Hello", key)


def test_a_negative_offset_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^offset must be >= 0, not -1$"):
        apply_mask(b"Hello", KEY, -1)


def test_each_frame_has_a_key_of_its_own() -> None:
    keys = {encode_frame(2, b"", masked=True)[2:] for _ in range(100)}
    assert len(keys) >= 99  # one collision in 100 draws of 32 bits may be chance, though hardly


@pytest.fixture
def forget_keys() -> Callable[[], object]:
    if IMPLEMENTATION == "pure":
        return _mask._pool.clear
    from twoway.speedups import _frames

    forget: Callable[[], object] = _frames.forget_keys
    return forget


@pytest.fixture
def numbered_source(monkeypatch: pytest.MonkeyPatch, forget_keys: Callable[[], object]) -> Iterator[list[int]]:
    """Replace the random source by one that never repeats four bytes; give the sizes that were asked for."""
    asked: list[int] = []
    numbers = count()

    def urandom(size: int) -> bytes:
        asked.append(size)
        return b"".join(next(numbers).to_bytes(4, "big") for _ in range(size // 4))

    forget_keys()
    monkeypatch.setattr(os, "urandom", urandom)
    yield asked
    forget_keys()


def test_keys_are_what_the_operating_system_gave_each_once(numbered_source: list[int]) -> None:
    keys = [new_masking_key() for _ in range(3000)]
    assert all(len(key) == 4 for key in keys)
    assert len(set(keys)) == 3000
    assert max(int.from_bytes(key, "big") for key in keys) < sum(numbered_source) // 4
    assert len(numbered_source) == 3


def test_threads_never_share_a_key(numbered_source: list[int]) -> None:
    keys: list[bytes] = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=lambda: keys.extend([new_masking_key() for _ in range(3000)])) for _ in "1234"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(set(keys)) == len(keys) == 12_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="NOT TESTED HERE: this platform has no os.fork()")
def test_a_forked_child_does_not_repeat_the_keys_of_its_parent() -> None:
    new_masking_key()  # now both have the same keys in store
    reader, writer = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover - runs in the child
        try:
            os.write(writer, b"".join(new_masking_key() for _ in range(200)))
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(child, 0)
    ours = {new_masking_key() for _ in range(200)}
    assert len(theirs) == 800
    assert len({theirs[i : i + 4] for i in range(0, 800, 4)} & ours) <= 1  # one common key may be chance


def test_platforms_without_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "register_at_fork", raising=False)
    spec = importlib.util.spec_from_file_location("mask_without_fork", _mask.__file__)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert len(module.new_masking_key()) == 4
