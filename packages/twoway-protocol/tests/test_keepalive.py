"""When to ping, and when the peer is gone."""

from __future__ import annotations

import math

import pytest

from twoway.protocol import InvalidState
from twoway.protocol._keepalive import LATE, MAX_PENDING_PINGS, Keepalive, PendingPings, Verdict

NOTHING = (Verdict.NOTHING, 0.0)
PING = (Verdict.PING, 0.0)
VANISHED = (Verdict.VANISHED, 0.0)


@pytest.fixture
def keepalive() -> Keepalive:
    """Make one whose peer has 5 s to answer a ping that is sent after each 20 s."""
    keepalive = Keepalive(20, 5)
    keepalive.start(100)
    return keepalive


def test_nothing_before_the_start() -> None:
    keepalive = Keepalive(20, 5)
    assert keepalive.next_deadline() == math.inf
    assert keepalive.check(1000) == NOTHING


@pytest.mark.feature("keepalive: pings in a quiet time")
def test_no_interval_no_pings() -> None:
    keepalive = Keepalive(None, 5)
    keepalive.start(100)
    assert keepalive.next_deadline() == math.inf
    assert keepalive.check(1000) == NOTHING


@pytest.mark.feature("heartbeat: a dead peer is noticed")
def test_silent_peer(keepalive: Keepalive) -> None:
    assert keepalive.next_deadline() == 120
    assert keepalive.check(119.9) == NOTHING
    assert keepalive.check(120) == PING
    assert keepalive.next_deadline() == 125
    assert keepalive.check(124.9) == NOTHING
    assert keepalive.check(125) == VANISHED


@pytest.mark.feature("heartbeat: a dead peer is noticed")
def test_any_byte_is_a_sign_of_life(keepalive: Keepalive) -> None:
    keepalive.check(120)
    keepalive.received_at = 121
    assert keepalive.check(125) == NOTHING
    assert keepalive.next_deadline() == 140
    assert keepalive.check(140) == PING


def test_bytes_before_the_ping_do_not_count(keepalive: Keepalive) -> None:
    keepalive.received_at = 119
    keepalive.check(120)
    assert keepalive.check(125) == VANISHED


@pytest.mark.feature("heartbeat: a dead peer is noticed")
def test_our_own_late_timer_gives_the_peer_another_chance(keepalive: Keepalive) -> None:
    keepalive.check(120)
    assert keepalive.check(200) == (Verdict.NOTHING, 75)
    assert keepalive.check(200) == NOTHING  # it is told once
    assert keepalive.next_deadline() == pytest.approx(200 + LATE)
    assert keepalive.check(200 + LATE + 0.01) == VANISHED


def test_bytes_that_waited_while_we_were_late_are_found(keepalive: Keepalive) -> None:
    keepalive.check(120)
    keepalive.check(200)
    keepalive.received_at = 200.05
    assert keepalive.check(200 + LATE + 0.01) == PING


@pytest.mark.feature("heartbeat: a dead peer is noticed")
def test_clock_stands_while_we_do_not_read(keepalive: Keepalive) -> None:
    keepalive.check(120)
    keepalive.pause(122)
    keepalive.pause(123)  # the first call counts
    assert keepalive.check(125) == NOTHING
    assert keepalive.check(140) == NOTHING
    assert keepalive.next_deadline() == math.inf
    keepalive.resume(152)
    keepalive.resume(153)
    assert keepalive.next_deadline() == 155
    assert keepalive.check(155) == VANISHED


def test_pings_go_on_while_we_do_not_read(keepalive: Keepalive) -> None:
    keepalive.pause(110)
    assert keepalive.check(120) == PING
    keepalive.resume(150)
    assert keepalive.check(150) == NOTHING
    assert keepalive.next_deadline() == 155
    keepalive.received_at = 151
    assert keepalive.check(155) == PING


def test_pause_before_the_ping_gives_no_credit(keepalive: Keepalive) -> None:
    keepalive.pause(101)
    keepalive.resume(111)
    assert keepalive.check(120) == PING
    assert keepalive.check(125) == VANISHED


def test_timeout_longer_than_the_interval() -> None:
    keepalive = Keepalive(20, 50)
    keepalive.start(100)
    assert keepalive.check(120) == PING
    assert keepalive.next_deadline() == 140
    assert keepalive.check(140) == NOTHING  # one unanswered ping is enough
    assert keepalive.next_deadline() == 170
    assert keepalive.check(170) == VANISHED


def test_timeout_longer_than_the_interval_with_a_late_answer() -> None:
    keepalive = Keepalive(20, 50)
    keepalive.start(100)
    keepalive.check(120)
    keepalive.check(140)
    keepalive.received_at = 141
    assert keepalive.check(170) == PING
    assert keepalive.next_deadline() == 190


@pytest.mark.feature("keepalive: pings in a quiet time")
def test_without_a_timeout_pings_go_on_for_ever() -> None:
    keepalive = Keepalive(20, None)
    keepalive.start(100)
    for time in (120, 140, 160):
        assert keepalive.next_deadline() == time
        assert keepalive.check(time) == PING
    keepalive.received_at = 161
    assert keepalive.check(180) == PING


def test_answer_to_one_ping_answers_those_before() -> None:
    pings = PendingPings()
    for number, data in enumerate((b"a", b"b", b"c")):
        assert pings.add(data, number) == data
    assert pings.acknowledge(b"b", 10) == [(b"a", 10), (b"b", 9)]
    assert pings.acknowledge(b"b", 11) == []
    assert pings.acknowledge(b"?", 11) == []
    assert pings.acknowledge(b"c", 12) == [(b"c", 10)]


def test_own_data_is_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    values = iter([b"same", b"same", b"else"])
    monkeypatch.setattr("os.urandom", lambda size: next(values))
    pings = PendingPings()
    assert [pings.add(None, 0), pings.add(None, 0)] == [b"same", b"else"]


def test_data_in_use() -> None:
    pings = PendingPings()
    pings.add(b"a", 0)
    with pytest.raises(ValueError, match="data must differ from that of every ping that waits"):
        pings.add(b"a", 1)
    pings.forget(b"a")
    pings.forget(b"a")
    pings.add(b"a", 1)


def test_pings_are_bounded() -> None:
    pings = PendingPings()
    for _ in range(MAX_PENDING_PINGS):
        pings.add(None, 0)
    with pytest.raises(InvalidState, match="1024 pings wait"):
        pings.add(None, 0)
    pings.add(None, 0, limit=False)
