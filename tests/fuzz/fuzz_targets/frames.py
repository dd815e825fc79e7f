"""The codec: frames, messages, text and Close frames."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from twoway import frames as frames_
from twoway.frames import (
    Close,
    Fragment,
    Frame,
    FrameDecoder,
    FrameError,
    InvalidPayloadError,
    MessageDecoder,
    Utf8Decoder,
    _encoder,
    _mask,
    _utf8,
    apply_mask,
    decode_utf8,
    serialize_frame,
)

from .target import cut

SPEEDUPS = Path(__file__).parent.parent.parent / "speedups"
LIMITS = (None, 0, 5, 125, 126, 300, 1 << 20, 1 << 64)


def frames(data: bytes) -> None:
    """
    Decode frames and messages, whole and in pieces; write the frames and read them again.

    The first two bytes are options, as in ``tests/speedups/corpus``, where there is a third one.
    """
    a, b = data[:2].ljust(2, b"\0")
    wire = data[2:]
    masked, limit, room = (None, True, False, None)[a & 3], LIMITS[b & 7], LIMITS[b >> 3 & 7]
    settings: dict[str, Any] = {"masked": masked, "max_size": limit}
    found = _alike(lambda: FrameDecoder(reserved_bits=a >> 1 & 0x70, **settings), wire)
    again = FrameDecoder(reserved_bits=a >> 1 & 0x70, **settings)
    assert again.feed(b"".join(serialize_frame(frame, masked=bool(masked)) for frame in found)) == found
    many = (None, 0, 2, 4096)[a >> 3 & 3]
    more = {"fragments": bool(a & 4), "max_fragments": many, "max_fragment_size": room}
    for item in _alike(lambda: MessageDecoder(**settings, **more), wire):
        if isinstance(item, str | bytes) and limit is not None:
            assert len(item.encode() if isinstance(item, str) else item) <= limit
        elif isinstance(item, Fragment):
            assert not isinstance(item.data, bytes) or room is None or len(item.data) <= room
        elif isinstance(item, Close):
            Close.parse(item.serialize())
            assert str(item).isprintable()


def text(data: bytes) -> None:
    """Decode UTF-8 as Python does, whole and in pieces; the first byte that no text can have ends it at once."""
    try:
        expected = data.decode()
    except UnicodeDecodeError:
        expected = None
    try:
        found = decode_utf8(data)
    except InvalidPayloadError as exc:
        found, whole = None, str(exc)
    assert found == expected
    decoder, parts = Utf8Decoder(), []
    try:
        for piece in cut(data):
            parts.append(decoder.decode(piece))
        parts.append(decoder.decode(b"", True))
    except InvalidPayloadError as exc:
        assert expected is None
        assert str(exc) == whole
    else:
        assert "".join(parts) == expected


def payloads(data: bytes) -> None:
    """Read the payload of a Close frame, and write it again; mask anything, and unmask it."""
    key, payload = data[:4].ljust(4, b"k"), data[4:]
    masked = apply_mask(payload, key)
    assert masked == bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
    assert b"".join(apply_mask(masked[i : i + 3], key, i) for i in range(0, len(masked), 3)) == payload
    try:
        close = Close.parse(data[:125])
    except FrameError as exc:
        assert exc.close_code in (1002, 1007)
        return
    assert close.serialize() == data[:125]
    assert str(close).isprintable()


def twins(data: bytes) -> None:
    """Feed the pure and the compiled codec, and see no difference."""
    assert not _speedups().differs(data)
    assert _use(_find_pure, data) == _use(partial(getattr, frames_), data)


def _use(find: Callable[[str], Any], data: bytes) -> list[object]:
    """Call what else there are two of; give the results, or what is raised."""
    key, number = data[:4], len(data)
    decoder = find("Utf8Decoder")()
    calls = [
        partial(find("apply_mask"), data, key, number % 7),
        partial(find("decode_utf8"), data),
        partial(find("encode_frame"), number % 16, data, number % 3 > 0, number % 8 << 4, number % 2 > 0, key),
        partial(find("encode_header"), number % 16, int.from_bytes(data[:9]), number % 3 > 0),
        *(partial(decoder.decode, piece) for piece in cut(data)),
        partial(decoder.decode, b"", True),
    ]
    outcomes: list[object] = []
    for call in calls:
        try:
            outcomes.append(call())
        except Exception as exc:
            outcomes.append((type(exc), str(exc)))
            if call.func == decoder.decode:
                break  # it is of no further use
    return outcomes


def _find_pure(name: str) -> Any:
    return next(getattr(module, name) for module in (_encoder, _mask, _utf8) if hasattr(module, name))


def _alike(make: Any, wire: bytes) -> list[Any]:
    whole, pieces = make(), make()
    found = whole.feed(wire)
    assert [item for piece in cut(wire) for item in pieces.feed(piece)] == found
    error, other = whole.error, pieces.error
    assert (type(error), str(error)) == (type(other), str(other))
    assert isinstance(error, FrameError | None)
    assert whole.incomplete is pieces.incomplete
    assert all(not isinstance(item, Frame) or item.data.__class__ is bytes for item in found)
    return found


@cache
def _speedups() -> Any:
    """Load the fuzzer of the compiled codec, which has no package."""
    spec = importlib.util.spec_from_file_location("speedups_fuzz", SPEEDUPS / "fuzz.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
