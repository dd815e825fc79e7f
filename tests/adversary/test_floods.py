"""Peers that never stop, never read, never answer, or never go."""

from __future__ import annotations

import time

import pytest
from adversary_rig.attack import Framed, table, wait_for_close
from adversary_rig.memory import peak
from adversary_rig.wire import BINARY, PING, PONG, TEXT, Frame, closing, read_frames

MIB = 1 << 20
#: What one connection may need at its worst, and what an attacker holds; bytes.
ROOM = 12 * MIB
BAD = Frame(0x83)
#: Far more than the timeouts of those in a hurry, far less than a test may take; seconds.
SOON = 5.0


@pytest.mark.threat("ping floods")
def test_pings_are_answered_while_the_answers_are_read(victim):
    pings = [b"%d" % number for number in range(1000, 3000)]

    def act(peer):
        peer.send_frames(Frame(PING, data) for data in pings)
        peer.wait(done=lambda: pings[-1] in [payload for _, payload, _ in read_frames(bytes(peer.received))])
        peer.send_frames([closing(1000)])
        wait_for_close(peer)

    result = victim.meet(act)
    pongs = [payload for first, payload in result.frames if first == PONG]
    # Older ones may be left out (RFC 6455 §5.5.3), the order may not change.
    assert pongs == [data for data in pings if data in set(pongs)]
    assert pongs[-1] == pings[-1]
    assert result.code == 1000


@pytest.mark.threat("ping floods")
def test_pongs_that_nobody_reads_are_not_kept(victim):
    def act(peer):
        data = Frame(PING, b"x" * 125).serialize(peer.client)
        peer.stuff(data * 400, most=4 * MIB)
        peer.reset()

    assert peak(lambda: victim.meet(act, name="narrow")) < 2 * MIB


@pytest.mark.threat("peers that do not read")
@pytest.mark.parametrize("size", [2000, 60_000])
def test_whoever_does_not_read_is_not_listened_to(victim, size):
    sent = []

    def act(peer):
        data = Frame(BINARY, bytes(size)).serialize(peer.client)
        sent.append(peer.stuff(data * (60_000 // size)))
        peer.reset()

    assert peak(lambda: victim.meet(act)) < ROOM
    # What the buffers of the system take, which grow up to some MiB each, and then no more.
    assert sent[0] < 48 * MIB


@pytest.mark.threat("peers that do not read")
def test_a_peer_that_neither_reads_nor_answers_pings_is_dropped(victim):
    def act(peer):
        data = Frame(BINARY, bytes(MIB // 2)).serialize(peer.client)
        at = 0
        while at < 10 * len(data):
            step = peer.stuff(data[at % len(data) :], most=len(data) - at % len(data))
            if not step:
                break
            at += step
        peer.sock.settimeout(SOON)
        time.sleep(0.7)
        peer.wait(SOON)

    result = victim.meet(act, name="hasty")
    assert result.ended is not None


def keeps_talking(peer):
    """Break a rule, and go on as if nothing had happened."""
    peer.send_frames([BAD])
    until = time.monotonic() + SOON
    flood = Frame(BINARY, bytes(60_000)).serialize(peer.client)
    while peer.ended is None and time.monotonic() < until:
        peer.send(flood, 0.1)


def keeps_talking_after_close(peer):
    peer.send_frames([closing(1000)])
    until = time.monotonic() + SOON
    flood = Frame(TEXT, b"more").serialize(peer.client) * 1000
    while peer.ended not in ("reset",) and time.monotonic() < until:
        if not peer.stuff(flood, quiet=0.1, most=MIB):
            break


@pytest.mark.threat("talk after the end")
@table({"a violation": keeps_talking, "a Close frame": keeps_talking_after_close})
def test_what_comes_after_the_end_is_thrown_away_and_soon_cut_off(victim, attack):
    started = time.monotonic()
    assert peak(lambda: victim.meet(attack, name="hasty without pings")) < ROOM
    assert time.monotonic() - started < SOON


def says_nothing(peer):
    peer.wait(SOON)


def leaves_our_close_frame_without_an_answer(peer):
    peer.send_frames([BAD])
    peer.wait(SOON)


def leaves_tcp_open(peer):
    peer.send_frames([closing(1000)])
    peer.wait(SOON)


def answers_no_ping(peer):
    peer.wait_for_frames(1)
    peer.wait(SOON)


def stops_inside_a_frame(peer):
    peer.send(Frame(TEXT, b"never whole", length=100).serialize(peer.client))
    peer.wait(SOON)


def stops_inside_a_message(peer):
    peer.send_frames([Frame(0x01, b"never whole")])
    peer.wait(SOON)


@pytest.mark.threat("peers that never finish")
@table(
    {
        "silence": Framed(says_nothing, 1011, victim="hasty"),
        "no pong": Framed(answers_no_ping, 1011, victim="hasty"),
        "no end of a frame": Framed(stops_inside_a_frame, 1011, victim="hasty"),
        "no end of a message": Framed(stops_inside_a_message, 1011, victim="hasty"),
        "no answer to our Close frame": Framed(
            leaves_our_close_frame_without_an_answer, 1002, victim="hasty without pings"
        ),
        "no end of TCP": Framed(leaves_tcp_open, 1000, victim="hasty without pings"),
    }
)
def test_whoever_never_finishes_is_dropped(victim, attack):
    started = time.monotonic()
    result = victim.suffer(attack)
    assert time.monotonic() - started < SOON
    assert result.code == attack.code
    assert result.ended is not None
    assert result.delivered == []


@pytest.mark.threat("peers that never finish")
def test_a_full_write_buffer_does_not_hold_up_the_end(victim):
    def act(peer):
        data = Frame(BINARY, bytes(MIB)).serialize(peer.client)
        for _ in range(8):
            if peer.stuff(data, most=len(data)) < len(data):
                break
        else:
            peer.stuff(BAD.serialize(peer.client), most=2)
        time.sleep(0.6)
        peer.wait(SOON)

    started = time.monotonic()
    assert victim.meet(act, name="hasty").ended is not None
    assert time.monotonic() - started < 2 * SOON
