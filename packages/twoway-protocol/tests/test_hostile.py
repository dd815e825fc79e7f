"""Whatever bytes arrive, in whatever state: a documented end, and never an internal exception."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from twoway.frames import Opcode, encode_frame
from twoway.http import HTTPLimits, Request, accept_key
from twoway.protocol import (
    Cause,
    ClientOptions,
    ClientProtocol,
    Closed,
    HandshakeFailed,
    Protocol,
    ServerOptions,
    ServerProtocol,
    State,
)
from twoway.protocol.testing import connected_pair

Describe = Callable[[Iterable[object]], list[object]]

LIMITS = HTTPLimits(max_line=200, max_headers=10, max_header_bytes=500, max_body=100)
SETTINGS: dict[str, Any] = {"limits": LIMITS, "max_size": 200, "max_fragments": 4}
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
REQUEST = (
    "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nOrigin: https://example.com\r\n"
    "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: rot; turn=1\r\n\r\n"
).encode()
RESPONSE = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Accept: {accept_key(KEY)}\r\nSec-WebSocket-Protocol: a\r\n\r\n"
).encode()


def client(state: State) -> Protocol:
    protocol = ClientProtocol("ws://example.com/chat", ClientOptions(subprotocols=["a"], **SETTINGS))
    protocol.key = KEY
    protocol.send_request(protocol.connect())
    if state is not State.CONNECTING:
        protocol.receive_data(RESPONSE, 0)
    return ready(protocol, state)


def server(state: State) -> Protocol:
    if state is State.CONNECTING:
        return ServerProtocol(ServerOptions(allowed_hosts=["example.com"], subprotocols=["a"], **SETTINGS))
    return ready(connected_pair(None, ServerOptions(**SETTINGS)).server, state)


def ready(protocol: Protocol, state: State) -> Protocol:
    if state is State.CLOSING:
        protocol.close(now=0)
    assert protocol.state is state
    protocol.events()
    protocol.data_to_send()
    return protocol


def feed(protocol: Protocol, pieces: Iterable[bytes], describe: Describe) -> list[object]:
    """Feed bytes, answer requests, end the stream; give all that can be seen."""
    events: list[object] = []
    written = 0
    for piece in pieces:
        protocol.receive_data(piece, 1)
        new = protocol.events()
        for event in new:
            if isinstance(event, Request) and isinstance(protocol, ServerProtocol):
                protocol.send_response(protocol.accept(event), 1)
        events += [*new, *protocol.events()]
        written += sum(map(len, protocol.data_to_send()))
        # Each error has an owner, and is visible in the state.
        assert (protocol.cause is None) is (protocol.state <= State.OPEN)
        assert (protocol.handshake_exc is not None) is any(isinstance(event, HandshakeFailed) for event in events)
    seen: list[object] = [protocol.state, protocol.cause, protocol.close_sent, protocol.close_rcvd, written]
    protocol.receive_eof(2)
    protocol.handle_deadline(1000)
    events += protocol.events()
    assert protocol.state is State.CLOSED
    assert isinstance(events[-1], Closed)
    assert isinstance(protocol.cause, Cause)
    return [*seen, *describe(events)]


def check(make: Callable[[State], Protocol], state: State, data: bytes, describe: Describe) -> None:
    whole = feed(make(state), [data], describe)
    assert feed(make(state), [data[i : i + 1] for i in range(len(data))], describe) == whole


@st.composite
def mutated(draw: st.DrawFn, base: bytes) -> bytes:
    """Change a valid stream in a few places."""
    data = bytearray(base)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0:
                data[place:place] = draw(st.binary(min_size=1, max_size=4))
            case 1:
                del data[place : place + draw(st.integers(1, 8))]
            case 2:
                data[place : place + 1] = draw(st.sampled_from([b"\r", b"\n", b"\0", b":", b" ", b",", b"\xff", b""]))
            case _:
                end = place + draw(st.integers(1, 40))
                data[place:place] = data[place:end]
    return bytes(data)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Make frames that are nearly right."""
    data = b""
    for _ in range(draw(st.integers(1, 5))):
        opcode = draw(st.sampled_from([*map(int, Opcode), 0, 0, 3, 11]))
        payload = draw(st.binary(max_size=20) | st.text(max_size=10).map(str.encode) | st.just(b"\x03\xe8"))
        rsv = draw(st.sampled_from([0] * 9 + [0x40]))
        frame = encode_frame(opcode, payload, draw(st.booleans()), rsv, draw(st.booleans()))
        data += frame[: draw(st.integers(1, len(frame)))] if draw(st.integers(0, 9)) == 0 else frame
    return data


STATES = [State.CONNECTING, State.OPEN, State.CLOSING]


@pytest.mark.feature("limits against hostile peers")
@pytest.mark.parametrize("make", [client, server])
@pytest.mark.parametrize("state", STATES)
@given(data=st.binary(max_size=300))
@settings(deadline=None)
@example(data=b"\x88\x00" * 5)
@example(data=b"\x88\x80\0\0\0\0" * 5)
@example(data=b"\r\n" * 5)
@example(data=b"\0" * 300)
def test_any_bytes(make: Callable[[State], Protocol], state: State, describe: Describe, data: bytes) -> None:
    check(make, state, data, describe)


@pytest.mark.feature("limits against hostile peers")
@given(data=mutated(REQUEST + encode_frame(Opcode.TEXT, "x", masked=True)))
@settings(deadline=None, max_examples=300)
def test_damaged_requests(describe: Describe, data: bytes) -> None:
    check(server, State.CONNECTING, data, describe)


@pytest.mark.feature("limits against hostile peers")
@given(data=mutated(RESPONSE + encode_frame(Opcode.TEXT, "x")))
@settings(deadline=None, max_examples=300)
def test_damaged_responses(describe: Describe, data: bytes) -> None:
    check(client, State.CONNECTING, data, describe)


@pytest.mark.feature("limits against hostile peers")
@pytest.mark.parametrize("make", [client, server])
@pytest.mark.parametrize("state", [State.OPEN, State.CLOSING])
@given(data=frames())
@settings(deadline=None)
def test_damaged_frames(make: Callable[[State], Protocol], state: State, describe: Describe, data: bytes) -> None:
    check(make, state, data, describe)


@pytest.mark.feature("limits against hostile peers")
@pytest.mark.parametrize("make", [client, server])
@pytest.mark.parametrize("state", [State.OPEN, State.CLOSING])
def test_bytes_after_a_violation_are_not_kept(make: Callable[[State], Protocol], state: State) -> None:
    import tracemalloc

    protocol = make(state)
    protocol.receive_data(b"\x83\x00", 1)
    junk = bytes(1 << 16)
    tracemalloc.start()
    try:
        for _ in range(100):
            protocol.receive_data(junk, 1)
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current < 1 << 16
    assert len(protocol.data_to_send()) <= 1
