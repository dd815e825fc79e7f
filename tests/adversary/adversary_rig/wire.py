"""Handshakes and frames, right and wrong ones; nothing here comes from what is tested."""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

TEXT, BINARY, CONT, CLOSE, PING, PONG = 0x81, 0x82, 0x80, 0x88, 0x89, 0x8A
FIN, RSV1 = 0x80, 0x40

_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_MASK = b"\x37\xfa\x21\x3d"
_FIELDS = {
    b"Host": b"localhost",
    b"Upgrade": b"websocket",
    b"Connection": b"Upgrade",
    b"Sec-WebSocket-Key": _KEY,
    b"Sec-WebSocket-Version": b"13",
}


def request(
    changes: Mapping[bytes, bytes | None] | None = None, *, extra: bytes = b"", line: bytes = b"GET / HTTP/1.1"
) -> bytes:
    """Make an opening handshake: `changes` replaces fields, or with None removes them, `extra` is put behind them."""
    fields = {**_FIELDS, **(changes or {})}
    lines = [line, *(name + b": " + value for name, value in fields.items() if value is not None)]
    return b"\r\n".join([*lines, *([extra] if extra else []), b"", b""])


def accept_of(head: bytes) -> bytes:
    """Give the right Sec-WebSocket-Accept for a request."""
    key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    return base64.b64encode(hashlib.sha1(key + _GUID).digest())


def response(accept: bytes, extra: bytes = b"", status: bytes = b"101 Switching Protocols") -> bytes:
    """Make the answer to an opening handshake."""
    fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept
    return b"HTTP/1.1 " + status + b"\r\n" + fields + (b"\r\n" + extra if extra else b"") + b"\r\n\r\n"


@dataclass(frozen=True)
class Frame:
    """
    Hold one frame, which may lie.

    `length` is what the header says instead of the truth, `bits` how the length is written (7, 16 or 64) instead of
    the shortest way, `masked` whether it is masked instead of what the role demands.
    """

    first: int
    payload: bytes = b""
    length: int | None = None
    bits: int | None = None
    masked: bool | None = None

    def serialize(self, client: bool) -> bytes:
        """Make the bytes that a client or a server sends."""
        masked = client if self.masked is None else self.masked
        size = len(self.payload) if self.length is None else self.length
        bits = self.bits or (7 if size < 126 else 16 if size < 65536 else 64)
        flag = 0x80 if masked else 0
        if bits == 7:
            head = struct.pack("!BB", self.first, flag | size)
        elif bits == 16:
            head = struct.pack("!BBH", self.first, flag | 126, size)
        else:
            head = struct.pack("!BBQ", self.first, flag | 127, size)
        if not masked:
            return head + self.payload
        # A long payload with a key of zeros costs nobody time.
        key = _MASK if len(self.payload) < 1000 else bytes(4)
        return head + key + apply(key, self.payload)


def apply(key: bytes, payload: bytes) -> bytes:
    """Mask or unmask."""
    if not any(key):
        return payload
    size = len(payload)
    keys = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(keys, "big")).to_bytes(size, "big")


def closing(code: int, reason: bytes = b"") -> Frame:
    """Make a Close frame."""
    return Frame(CLOSE, struct.pack("!H", code) + reason)


def read_frames(data: bytes) -> list[tuple[int, bytes, bool]]:
    """Give first byte, payload and whether it was masked, for each whole frame."""
    frames = []
    at = 0
    while len(data) - at >= 2:
        first, second = data[at], data[at + 1]
        size, start = second & 0x7F, at + 2
        if size > 125:
            width = 2 if size == 126 else 8
            size, start = int.from_bytes(data[start : start + width], "big"), start + width
        key = data[start : start + 4] if second & 0x80 else b""
        start += len(key)
        if start + size > len(data):
            break
        payload = data[start : start + size]
        frames.append((first, apply(key, payload) if key else payload, bool(second & 0x80)))
        at = start + size
    return frames


def deflate(data: bytes, *, final: bool = False, tail: bool = False) -> bytes:
    """Compress the payload of a message; `final` ends the deflate stream, `tail` leaves its last four bytes."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -12)
    compressed = engine.compress(data) + engine.flush(zlib.Z_FINISH if final else zlib.Z_SYNC_FLUSH)
    return compressed if final or tail else compressed[:-4]


def zeros(size: int) -> bytes:
    """Compress so many zeros without having them all in memory."""
    engine = zlib.compressobj(9, zlib.DEFLATED, -12)
    block = bytes(1 << 20)
    parts = [engine.compress(block[: min(len(block), size - at)]) for at in range(0, size, len(block))]
    return (b"".join(parts) + engine.flush(zlib.Z_SYNC_FLUSH))[:-4]
