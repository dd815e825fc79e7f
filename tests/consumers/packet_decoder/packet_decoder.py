"""
Show the WebSocket messages in a capture of TCP payloads, one JSON object on each line.

    packet-decoder FILE

FILE is a capture of tcpdump (``.pcap``: Ethernet or raw IP, version 4) or a list of JSON objects, one on each line,
with ``connection``, ``from`` ("client" or "server") and ``data`` in hexadecimal. Nothing but twoway-frames is needed;
with twoway-deflate compressed messages are read, and otherwise only counted.
"""

from __future__ import annotations

import importlib.util
import json
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from twoway.frames import Close, Extension, Frame, FrameDecoder, MessageDecoder, Ping, Pong

HAS_DEFLATE = importlib.util.find_spec("twoway.deflate") is not None
_HEAD_END = b"\r\n\r\n"

# What was sent: connection, whether by its client, payload.
Payload = tuple[Any, bool, bytes]


# Captures


def read_json_lines(path: Path) -> Iterator[Payload]:
    """Read payloads, one on each line."""
    for line in path.read_text(encoding="utf-8").splitlines():
        packet = json.loads(line)
        yield packet["connection"], packet["from"] == "client", bytes.fromhex(packet["data"])


def read_pcap(path: Path) -> Iterator[Payload]:
    """Read the TCP segments of a capture, put in order; what comes twice is left out."""
    data = path.read_bytes()
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link_type = struct.unpack_from(f"{order}I", data, 20)[0]
    streams: dict[Any, Stream] = {}
    clients: dict[Any, Any] = {}  # who sends the first SYN
    at = 24
    while at < len(data):
        size = struct.unpack_from(f"{order}I", data, at + 8)[0]
        packet = data[at + 16 : at + 16 + size]
        at += 16 + size
        segment = read_segment(packet[14:] if link_type == 1 else packet)
        if segment is None:
            continue
        source, target, sequence, starts, payload = segment
        if starts:
            streams[source, target] = Stream(sequence + 1)
            clients.setdefault(frozenset((source, target)), source)
        elif (source, target) in streams:
            pair = frozenset((source, target))
            for piece in streams[source, target].add(sequence, payload):
                yield pair, clients[pair] == source, piece


def read_segment(packet: bytes) -> tuple[Any, Any, int, bool, bytes] | None:
    """Give source, target, sequence number, whether it starts a connection, and payload; None if it is no TCP."""
    if packet[0] >> 4 != 4 or packet[9] != 6:
        return None
    total, start = struct.unpack_from("!H", packet, 2)[0], (packet[0] & 15) * 4
    source_port, target_port, sequence = struct.unpack_from("!HHI", packet, start)
    offset, flags = (packet[start + 12] >> 4) * 4, packet[start + 13]
    payload = packet[start + offset : total]
    return (packet[12:16], source_port), (packet[16:20], target_port), sequence, bool(flags & 2), payload


class Stream:
    """One direction of a connection: segments may come late, and more than once."""

    def __init__(self, sequence: int) -> None:
        self._next = sequence
        self._early: dict[int, bytes] = {}

    def add(self, sequence: int, payload: bytes) -> Iterator[bytes]:
        """Take a segment; give what is complete now."""
        if payload:
            self._early[(sequence - self._next) % 2**32] = payload
        while 0 in self._early:
            piece = self._early.pop(0)
            self._next += len(piece)
            self._early = {at - len(piece): early for at, early in self._early.items() if at >= len(piece)}
            yield piece


# Conversations


class Conversation:
    """Both directions of one connection, from the opening handshake on."""

    def __init__(self) -> None:
        self._heads = {True: b"", False: b""}
        self._open: set[bool] = set()  # whose handshake is over
        self._parameters: dict[str, str] | None = None  # of permessage-deflate
        self._feeds: dict[bool, Callable[[bytes], Iterable[object]]] = {}

    def add(self, client: bool, data: bytes) -> Iterator[dict[str, Any]]:
        """Take bytes of one side; give what it has said."""
        if client not in self._open:
            self._heads[client], end, data = (self._heads[client] + data).partition(_HEAD_END)
            if not end:
                return
            self._open.add(client)
            if not client:
                self._parameters = read_parameters(self._heads[client])
        if data:
            if client not in self._feeds:
                self._feeds[client] = self._make_feed(client)
            yield from map(describe, self._feeds[client](data))

    def _make_feed(self, client: bool) -> Callable[[bytes], Iterable[object]]:
        if self._parameters is not None and not HAS_DEFLATE:
            return FrameDecoder(masked=client, reserved_bits=0x40).feed
        extensions = [] if self._parameters is None else [make_inflater(self._parameters, client)]
        return MessageDecoder(masked=client, extensions=extensions).feed


def read_parameters(head: bytes) -> dict[str, str] | None:
    """Read the parameters of permessage-deflate from the server's answer; None if it was not agreed upon."""
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        first, *parameters = (part.strip() for part in value.split(";"))
        if name.lower() == "sec-websocket-extensions" and first == "permessage-deflate":
            return {key.strip(): given.strip(' "') for key, _, given in (each.partition("=") for each in parameters)}
    return None


def make_inflater(parameters: dict[str, str], client: bool) -> Extension:
    """Make the extension that reads what one side compresses (RFC 7692 §7.1)."""
    from twoway.deflate import PerMessageDeflate

    side = "client" if client else "server"
    forgets = f"{side}_no_context_takeover" in parameters
    bits = int(parameters.get(f"{side}_max_window_bits") or 15)
    return PerMessageDeflate(forgets, False, bits, 15)


def describe(item: object) -> dict[str, Any]:
    """Say what was sent, in JSON."""
    if isinstance(item, str):
        return {"text": item}
    if isinstance(item, bytes):
        return {"bytes": item.hex()}
    if isinstance(item, Close):
        return {"close": int(item.code), "reason": item.reason}
    if isinstance(item, (Ping, Pong)):
        return {type(item).__name__.lower(): item.data.hex()}
    assert isinstance(item, Frame)
    return {"frame": item.opcode.name, "size": len(item.data), "compressed": item.rsv1}


def decode(payloads: Iterable[Payload]) -> Iterator[dict[str, Any]]:
    """Give what each side of each connection has said, in order."""
    conversations: dict[Any, tuple[int, Conversation]] = {}
    for connection, client, data in payloads:
        if connection not in conversations:
            conversations[connection] = (len(conversations), Conversation())
        number, conversation = conversations[connection]
        for said in conversation.add(client, data):
            yield {"connection": number, "from": "client" if client else "server", **said}


def main() -> None:
    """Print what is in a file."""
    path = Path(sys.argv[1])
    for said in decode((read_pcap if path.suffix == ".pcap" else read_json_lines)(path)):
        print(json.dumps(said, ensure_ascii=False))
