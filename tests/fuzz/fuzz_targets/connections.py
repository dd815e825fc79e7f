"""Whole connections: any bytes, in any state, while their owner uses them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twoway.deflate import enable_client_permessage_deflate, enable_server_permessage_deflate
from twoway.frames import CONTROL_OPCODES, FrameDecoder, Opcode
from twoway.http import HTTPLimits, Request, RequestParser, ResponseParser, accept_key
from twoway.protocol import (
    ClientOptions,
    ClientProtocol,
    Closed,
    ConnectionClosed,
    HandshakeFailed,
    InvalidState,
    Protocol,
    ServerOptions,
    ServerProtocol,
    State,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
EXTENSION = "Sec-WebSocket-Extensions: permessage-deflate"
REQUEST = (
    "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{EXTENSION}\r\n\r\n"
).encode()
RESPONSE = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Accept: {accept_key(KEY)}\r\n{EXTENSION}\r\n\r\n"
).encode()
LIMITS = HTTPLimits(max_line=300, max_headers=10, max_header_bytes=900, max_body=100)
SETTINGS: dict[str, Any] = {"limits": LIMITS, "max_size": 200, "max_fragments": 4, "max_lifetime": 100}
SERVER, SERVER_IN_PARTS = (
    ServerOptions(extensions=enable_server_permessage_deflate(), subprotocols=["a"], **more, **SETTINGS)
    for more in ({}, {"fragments": True, "defer_failure": True, "allowed_hosts": ["example.com"]})
)
CLIENT, CLIENT_IN_PARTS = (
    ClientOptions(extensions=enable_client_permessage_deflate(), subprotocols=["a"], **more, **SETTINGS)
    for more in ({}, {"fragments": True, "defer_failure": True})
)


def server(data: bytes) -> None:
    """
    Be a server.

    The first byte says whether it is open at the beginning (1), gets its bytes in pieces (2), has other options (4);
    the second one what its owner does between the pieces.
    """
    a, actions = data[:2].ljust(2, b"\0")
    protocol = ServerProtocol(SERVER_IN_PARTS if a & 4 else SERVER)
    opening = REQUEST if a & 1 else b""
    _use(protocol, opening, data[2:], (1, 3, 7, 50)[a >> 4 & 3] if a & 2 else 1 << 20, actions)


def client(data: bytes) -> None:
    """Be a client; the first two bytes as for `server`."""
    a, actions = data[:2].ljust(2, b"\0")
    protocol = ClientProtocol("ws://example.com/chat", CLIENT_IN_PARTS if a & 4 else CLIENT)
    protocol.key = KEY
    protocol.send_request(protocol.connect())
    opening = RESPONSE if a & 1 else b""
    _use(protocol, opening, data[2:], (1, 3, 7, 50)[a >> 4 & 3] if a & 2 else 1 << 20, actions)


def _use(protocol: Protocol, opening: bytes, data: bytes, size: int, actions: int) -> None:
    written, events = [], []
    pieces = [opening, *(data[start : start + size] for start in range(0, len(data), size))]
    for now, piece in enumerate(pieces, 1):
        protocol.receive_data(piece, now)
        events += _answer(protocol, now)
        _act(protocol, actions, now)
        written += protocol.data_to_send()
    end = len(pieces)
    protocol.receive_eof(end + 1)
    protocol.handle_deadline(end + 1000)
    protocol.receive_eof(end + 1001)
    events += protocol.events()
    written += protocol.data_to_send()
    assert protocol.state is State.CLOSED
    assert (protocol.handshake_exc is None) is not any(isinstance(event, HandshakeFailed) for event in events)
    assert isinstance(events[-1], Closed)
    assert sum(isinstance(event, Closed) for event in events) == 1
    assert isinstance(protocol.close_exc, ConnectionClosed)
    assert protocol.next_deadline() is None
    _read(protocol, b"".join(written), len(opening) + len(data))


def _answer(protocol: Protocol, now: float) -> Iterable[object]:
    events = protocol.events()
    for event in events:
        if isinstance(event, Request) and isinstance(protocol, ServerProtocol) and protocol.state is State.CONNECTING:
            protocol.send_response(protocol.accept(event), now)
    return [*events, *protocol.events()]


def _act(protocol: Protocol, actions: int, now: float) -> None:
    """Do as an owner may do; one thing for each bit."""
    try:
        if actions & 1:
            protocol.send_text("x" * 300)
        if actions & 2:
            protocol.ping(now=now)
        if actions & 4:
            protocol.handle_deadline(now * 10)
        if actions & 8:
            (protocol.pause_writing if now & 1 else protocol.resume_writing)()
        if actions & 16:
            (protocol.pause_reading if now & 1 else protocol.resume_reading)(now)
        if actions & 32 and now == 3:
            protocol.fail_deferred(now)
            protocol.close(1001, "bye", now=now)
        if actions & 64 and now == 5:
            protocol.fail(1008, now=now)
        if actions & 128 and now == 7:
            protocol.abort()
    except (ConnectionClosed, InvalidState):
        pass


def _read(protocol: Protocol, wire: bytes, received: int) -> None:
    """Read what was written: whatever the peer does, all of it is good HTTP and good frames, and not too much."""
    is_client = isinstance(protocol, ClientProtocol)
    method = protocol.request.method if protocol.request is not None else "GET"
    parser = RequestParser() if is_client else ResponseParser(method=method)
    if not wire:
        return
    assert parser.receive_data(wire) is not None
    decoder = FrameDecoder(masked=is_client, reserved_bits=0x40)
    frames = decoder.feed(parser.take_rest())
    assert decoder.error is None
    assert not decoder.incomplete
    opcodes = [frame.opcode for frame in frames]
    assert Opcode.CLOSE not in opcodes[:-1]
    # A pong for each ping, a ping and a message for each piece, one Close.
    assert sum(opcode in CONTROL_OPCODES for opcode in opcodes) <= 2 * received + 3
    if not is_client and protocol.response is not None and protocol.response.status_code != 101:
        assert not frames
