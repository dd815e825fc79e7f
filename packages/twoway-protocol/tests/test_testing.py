"""Two connected peers in memory."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from twoway.frames import Close
from twoway.http import Headers, Response
from twoway.protocol import (
    Cause,
    ClientOptions,
    Closed,
    HandshakeFailed,
    InvalidStatus,
    InvalidURI,
    ServerOptions,
    State,
    TimerLate,
    testing,
)
from twoway.protocol.testing import Pair, connected_pair


def test_example() -> None:
    assert doctest.testmod(testing).failed == 0
    assert doctest.testmod(testing).attempted > 0


@pytest.mark.parametrize("chunk", [None, 1, 5, lambda data: [data[:3], data[3:]]])
def test_conversation(chunk: Any) -> None:
    pair = connected_pair(chunk=chunk)
    pair.client.send_text("to the server")
    pair.server.send_binary(b"to the client")
    assert (pair.client_events(), pair.server_events()) == ([], [])
    pair.exchange()
    assert pair.client_events() == [b"to the client"]
    assert pair.server_events() == ["to the server"]
    assert pair.server_events() == []


def test_closing() -> None:
    pair = connected_pair()
    pair.client.close(now=pair.now)
    pair.exchange()
    assert [type(event) for event in pair.client_events()] == [Close, Closed]
    assert [type(event) for event in pair.server_events()] == [Close, Closed]
    assert pair.client.state is pair.server.state is State.CLOSED
    pair.exchange()


def test_refusal() -> None:
    pair = Pair(answer=lambda server, request: server.reject(403, request.path), uri="ws://localhost/secret")
    pair.client.send_request(pair.client.connect())
    pair.exchange()
    assert isinstance(pair.client.handshake_exc, InvalidStatus)
    assert pair.client.handshake_exc.response.body == b"/secret"
    assert pair.client.state is pair.server.state is State.CLOSED


def test_own_answer() -> None:
    pair = Pair(answer=lambda server, request: Response(200, "OK", Headers(), b"hello")).open()
    assert isinstance(pair.client.handshake_exc, InvalidStatus)
    assert pair.client.handshake_exc.response.body == b"hello"


def test_both_sides_must_open() -> None:
    with pytest.raises(
        AssertionError, match="opening handshake failed: server rejected WebSocket connection: HTTP 403"
    ):
        connected_pair(ClientOptions(origin="https://a"), ServerOptions(origins=["https://b"]))


def test_time_passes() -> None:
    pair = connected_pair(ClientOptions(ping_interval=20), ServerOptions(ping_interval=None))
    pair.advance(19)
    assert pair.server_events() == []
    pair.advance(2)
    assert len(pair.server_events()) == 1
    assert pair.now == 21
    pair.advance(1000)
    assert len(pair.server_events()) == 50
    assert not any(isinstance(event, TimerLate) for event in pair.client_events())


def test_void() -> None:
    pair = connected_pair()
    pair.online = False
    pair.client.send_text("hello?")
    pair.advance(19)
    assert pair.server_events() == []
    pair.advance(1000)
    assert pair.client.cause is pair.server.cause is Cause.HEARTBEAT
    assert pair.client.state is pair.server.state is State.CLOSED


def test_abort_reaches_the_peer() -> None:
    pair = connected_pair()
    pair.client.abort()
    pair.exchange()
    (closed,) = pair.server_events()
    assert isinstance(closed, Closed)
    assert closed.error.cause is Cause.OS_ERROR
    assert isinstance(closed.error.__cause__, ConnectionResetError)


@pytest.mark.parametrize("error", [None, OSError("cable")])
def test_disconnect(error: OSError | None) -> None:
    pair = connected_pair()
    pair.disconnect(error)
    for (closed,) in (pair.client_events(), pair.server_events()):
        assert isinstance(closed, Closed)
        assert closed.error.__cause__ is error
    pair.exchange()


def test_disconnect_during_the_handshake() -> None:
    pair = Pair()
    pair.disconnect()
    assert [type(event) for event in pair.client_events()] == [HandshakeFailed, Closed]
    assert [type(event) for event in pair.server_events()] == [HandshakeFailed, Closed]


def test_wrong_arguments() -> None:
    for chunk in (0, -1):
        with pytest.raises(ValueError, match=f"^chunk must be > 0 bytes, not {chunk}$"):
            connected_pair(chunk=chunk)
    with pytest.raises(InvalidURI):
        Pair(uri="http://localhost/")
    with pytest.raises(ValueError, match="^seconds must be >= 0, not -1$"):
        connected_pair().advance(-1)
