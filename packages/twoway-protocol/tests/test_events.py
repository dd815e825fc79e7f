"""Events are values."""

from __future__ import annotations

import pytest

from twoway.http import Headers, Response
from twoway.protocol import (
    Closed,
    ConnectionClosedOK,
    HandshakeFailed,
    InvalidHandshake,
    InvalidStatus,
    PingAcknowledged,
    ServerOptions,
    ServerProtocol,
    TimerLate,
    describe_failure,
)
from twoway.protocol.testing import Pair, connected_pair


def test_events_hold_facts() -> None:
    error, end = InvalidHandshake("no"), ConnectionClosedOK()
    assert HandshakeFailed(error).error is error
    assert Closed(end).error is end
    assert PingAcknowledged(b"1", 0.5) == PingAcknowledged(b"1", 0.5) != PingAcknowledged(b"1", 0.6)
    assert TimerLate(2.0).lag == 2.0


def test_events_are_constant() -> None:
    with pytest.raises(AttributeError):
        TimerLate(2.0).lag = 3.0


def failures(pair: Pair, own_wish: bool = False) -> list[str]:
    lines = (describe_failure(event, pair.server, own_wish) for event in pair.server_events())
    return [line for line in lines if line is not None]


def test_a_handshake_that_failed_is_worth_a_line() -> None:
    server = ServerProtocol(ServerOptions(), 0)
    server.receive_data(b"nonsense\r\n\r\n", 0)
    lines = [describe_failure(event, server, own_wish) for event in server.events() for own_wish in (False, True)]
    assert lines[0] is not None
    assert lines[0].startswith("opening handshake failed: ")
    assert lines[1:] == [None]


def test_what_the_server_itself_has_refused_is_not() -> None:
    event = HandshakeFailed(InvalidStatus(Response(404, "", Headers())))
    assert describe_failure(event, ServerProtocol(ServerOptions(), 0), False) is None


def test_a_peer_that_broke_a_rule_is_worth_a_line() -> None:
    pair = connected_pair()
    pair.server.receive_data(b"\xff\x80" + bytes(4), 0)
    pair.disconnect()
    (line,) = failures(pair)
    assert line.startswith("connection failed: the peer broke a rule")


@pytest.mark.parametrize("how", ["close", "vanish", "abort"])
def test_other_ends_are_not(how: str) -> None:
    pair = connected_pair()
    if how == "close":
        pair.client.close(now=0)
        pair.exchange()
    elif how == "vanish":
        pair.disconnect()
    else:
        pair.server.abort()
    assert failures(pair) == []
