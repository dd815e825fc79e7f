"""Events are values."""

from __future__ import annotations

import pytest

from twoway.protocol import Closed, ConnectionClosedOK, HandshakeFailed, InvalidHandshake, PingAcknowledged, TimerLate


def test_events_hold_facts() -> None:
    error, end = InvalidHandshake("no"), ConnectionClosedOK()
    assert HandshakeFailed(error).error is error
    assert Closed(end).error is end
    assert PingAcknowledged(b"1", 0.5) == PingAcknowledged(b"1", 0.5) != PingAcknowledged(b"1", 0.6)
    assert TimerLate(2.0).lag == 2.0


def test_events_are_constant() -> None:
    with pytest.raises(AttributeError):
        TimerLate(2.0).lag = 3.0
