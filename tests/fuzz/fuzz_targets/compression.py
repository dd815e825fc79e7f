"""permessage-deflate: anything that a peer may call compressed, and the way there and back."""

from __future__ import annotations

from twoway.deflate import ENGINES, PerMessageDeflate, is_installed
from twoway.frames import FrameError, InvalidPayloadError

ENGINE_NAMES = [name for name in ENGINES if is_installed(name)]
LIMITS = (0, 1, 100, 65536)
TEXT = 1
RSV1 = 0x40


def inflate(data: bytes) -> None:
    """
    Decompress two messages within a limit, with each engine; what more than one engine can read is the same.

    The first byte is options, the second one the length of a frame.
    """
    a, size = data[:2].ljust(2, b"\xff")
    limit, bits = LIMITS[a & 3], (8, 9, 12, 15)[a >> 2 & 3]
    wire = data[2:]
    outcomes = [_inflate(name, bool(a & 16), bits, limit, wire, size or 1) for name in ENGINE_NAMES]
    # Engines differ in what they call broken (references beyond the window), never in what they read.
    shortest = min(map(len, outcomes))
    assert all(outcome[:shortest] == outcomes[0][:shortest] for outcome in outcomes)


def _inflate(engine: str, forgets: bool, bits: int, limit: int, wire: bytes, size: int) -> list[bytes]:
    extension = PerMessageDeflate(forgets, True, bits, 15, engine=engine)
    read: list[bytes] = []
    frames = [wire[start : start + size] for start in range(0, len(wire), size)] or [b""]
    for _ in range(2):
        message = b""
        for i, payload in enumerate(frames):
            fin = i == len(frames) - 1
            try:
                part, rsv = extension.decode_payload(0 if i else TEXT, payload, fin, 0 if i else RSV1, limit)
            except FrameError as exc:
                assert exc.close_code in (1007, 1009)
                return _stays_broken(extension, read)
            assert len(part) <= limit
            assert not rsv
            message += part
        read.append(message)
    return read


def _stays_broken(extension: PerMessageDeflate, read: list[bytes]) -> list[bytes]:
    try:
        extension.decode_payload(TEXT, b"\x00", True, RSV1, 100)
    except InvalidPayloadError:
        return read
    raise AssertionError("a message was read after a broken one")


def deflate(data: bytes) -> None:
    """Compress messages in one frame or in several, and decompress them: the same come out."""
    a, size = data[:2].ljust(2, b"\x20")
    bits, forgets = (8, 9, 12, 15)[a & 3], bool(a & 4)
    name = ENGINE_NAMES[(a >> 3 & 3) % len(ENGINE_NAMES)]
    sender = PerMessageDeflate(False, forgets, 15, bits, engine=name, memory=("low", "balanced", "high")[(a >> 5) % 3])
    receiver = PerMessageDeflate(forgets, False, bits, 15)
    for message in (data[2:], data[2:][::-1], data[2:]):
        parts = [message[i : i + (size or 1)] for i in range(0, len(message), size or 1)] or [b""]
        received = b""
        for i, part in enumerate(parts):
            fin = i == len(parts) - 1
            payload, rsv = sender.encode_payload(0 if i else TEXT, part, fin, 0, True)
            assert bool(rsv) is (i == 0)
            assert len(payload) <= receiver.max_encoded_size(len(part))
            part, _ = receiver.decode_payload(0 if i else TEXT, payload, fin, rsv, len(message) - len(received))
            received += part
        assert received == message
