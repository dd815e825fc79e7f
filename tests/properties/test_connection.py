"""
A client and a server, with a wire between them that carries any number of bytes at any time.

The model is a ledger: who sent what, while it was allowed. What arrives is the beginning of that, in order; when
nothing was cut and nobody broke a rule, it is all of it. States, Close frames and pings of both sides fit together, and
nobody stays in a state for longer than its timeout.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from twoway.deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from twoway.frames import Fragment
from twoway.http import Request
from twoway.protocol import (
    Cause,
    ClientOptions,
    ClientProtocol,
    Closed,
    ConnectionClosed,
    HandshakeFailed,
    InvalidState,
    PingAcknowledged,
    Protocol,
    ServerOptions,
    ServerProtocol,
    SharedMessage,
    State,
)

OPEN_TIMEOUT, CLOSE_TIMEOUT, PING_INTERVAL, PING_TIMEOUT = 10.0, 8.0, 20.0, 15.0
TIMEOUTS = {
    "open_timeout": OPEN_TIMEOUT,
    "close_timeout": CLOSE_TIMEOUT,
    "ping_interval": PING_INTERVAL,
    "ping_timeout": PING_TIMEOUT,
}
#: How a connection may end without anybody to blame, and so without loss.
CLEAN = {None, Cause.LOCAL_CLOSE, Cause.REMOTE_CLOSE, Cause.LIFETIME}
OTHER = {"client": "server", "server": "client"}
SIDES = st.sampled_from(sorted(OTHER))
TEXTS = (
    st.text(max_size=30)
    | st.text("aé€😀", max_size=200)
    | st.sampled_from([500, 15_000]).map(lambda size: "long " * size)
)
PAYLOADS = TEXTS | st.binary(max_size=300) | st.sampled_from([2000, 70_000]).map(bytes)
COMPRESS = st.sampled_from([None, True, False])
HOW = st.sampled_from(["", "as it is", "shared"])
CODES = st.sampled_from([1000, 1001, 1005, 1011, 3000, 4999])
FACTORIES = [
    {},
    {"server_no_context_takeover": True, "client_no_context_takeover": True},
    {"server_max_window_bits": 9, "client_max_window_bits": 9},
]


def cut_text(text: str, at: int) -> tuple[bytes, bytes]:
    """Cut the bytes of a text, also inside a character."""
    data = text.encode()
    return data[:at], data[at:]


class Conversation(RuleBasedStateMachine):
    """Do anything in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.peers: dict[str, Protocol] = {}
        self.on_the_way = {side: bytearray() for side in OTHER}  # by who sent it
        self.ending: dict[str, OSError | None] = {}  # who has ended its side, and how
        self.told: set[str] = set()  # who knows that the other has
        self.sent: dict[str, list[Any]] = {side: [] for side in OTHER}
        self.received: dict[str, list[Any]] = {side: [] for side in OTHER}
        self.parts: dict[str, list[bytes]] = {side: [] for side in OTHER}
        self.is_text = dict.fromkeys(OTHER, False)
        self.open_part: dict[str, Any] = {}  # what has arrived of a message that is not complete
        self.pinged: dict[str, list[bytes]] = {side: [] for side in OTHER}
        self.acknowledged: dict[str, list[bytes]] = {side: [] for side in OTHER}
        self.requests: list[Request] = []
        self.closed: dict[str, list[Closed]] = {side: [] for side in OTHER}
        self.states = dict.fromkeys(OTHER, State.CONNECTING)
        self.closing_since: dict[str, float] = {}
        self.heard = dict.fromkeys(OTHER, self.now)
        self.paused: set[str] = set()
        self.hostile = False  # whether anything else than the two sides may do harm
        self.harmed = False

    @initialize(
        fragments=st.booleans(),
        defer=st.booleans(),
        deflate=st.none() | st.sampled_from(FACTORIES),
        lifetime=st.none() | st.just(200.0),
        opened=st.sampled_from([True, True, True, False]),
        hostile=st.sampled_from([False, False, True]),
    )
    def begin(
        self,
        fragments: bool,
        defer: bool,
        deflate: dict[str, Any] | None,
        lifetime: float | None,
        opened: bool,
        hostile: bool,
    ) -> None:
        self.hostile = hostile
        options: dict[str, Any] = {**TIMEOUTS, "fragments": fragments, "defer_failure": defer, "max_lifetime": lifetime}
        ours = [] if deflate is None else [ClientPerMessageDeflateFactory(threshold=10, **deflate)]
        theirs = [] if deflate is None else [ServerPerMessageDeflateFactory(threshold=10)]
        client = ClientProtocol("ws://localhost/", ClientOptions(extensions=ours, **options), self.now)
        server = ServerProtocol(ServerOptions(extensions=theirs, **options), self.now)
        self.peers = {"client": client, "server": server}
        client.send_request(client.connect())
        self.began = self.now
        self.collect("client")
        if opened:
            self.open_at_once()

    # The wire

    def collect(self, side: str) -> None:
        """Take what a side writes and what has happened there."""
        peer, other = self.peers[side], OTHER[side]
        data = b"".join(peer.data_to_send())
        if side not in self.ending:
            self.on_the_way[side] += data
        for event in peer.events():
            assert not self.closed[side], "something happens after the end"
            if isinstance(event, (str, bytes)):
                self.received[other].append(event)
            elif isinstance(event, Fragment):
                self.take_fragment(other, event)
            elif isinstance(event, PingAcknowledged):
                self.acknowledged[side].append(event.data)
                assert 0 <= event.latency <= self.now - self.began
            elif isinstance(event, Request):
                self.requests.append(event)
            elif isinstance(event, Closed):
                self.closed[side].append(event)
            elif isinstance(event, HandshakeFailed):
                self.harmed = True
        if peer.aborted:
            self.on_the_way[side].clear()
            self.ending.setdefault(side, ConnectionResetError("aborted"))
        elif peer.half_close:
            self.ending.setdefault(side, None)

    def take_fragment(self, sender: str, fragment: Fragment) -> None:
        before = self.open_part.pop(sender, None)
        assert (before is None) is fragment.first
        data = fragment.data if before is None else before + fragment.data  # type: ignore[operator]
        if fragment.final:
            self.received[sender].append(data)
        else:
            self.open_part[sender] = data

    def call(self, side: str, function: Callable[[Protocol], object]) -> None:
        """Call something that only an open connection can do, and check that just the right state lets it."""
        peer = self.peers[side]
        state = peer.state
        try:
            function(peer)
        except ConnectionClosed:
            assert state >= State.CLOSING
        except InvalidState:
            assert state is State.CONNECTING
        else:
            assert state is State.OPEN
        self.collect(side)

    def is_open(self, side: str) -> bool:
        return self.peers[side].state is State.OPEN

    @rule(to=SIDES, part=st.sampled_from([0.0, 0.1, 0.5, 1.0, 1.0]))
    def carry(self, to: str, part: float) -> None:
        """Carry some of what is on its way, at least a byte; then the end of the stream."""
        sender = OTHER[to]
        wire = self.on_the_way[sender]
        if wire:
            size = max(1, int(len(wire) * part))
            data = bytes(wire[:size])
            del wire[:size]
            if to not in self.told:
                self.heard[to] = self.now
                self.peers[to].receive_data(data, self.now)
        elif sender in self.ending and to not in self.told:
            self.told.add(to)
            self.peers[to].receive_eof(self.now, self.ending[sender])
        self.collect(to)

    @rule()
    def carry_all(self) -> None:
        for _ in range(10):
            for side in OTHER:
                while self.on_the_way[OTHER[side]]:
                    self.carry(side, 1.0)
                self.carry(side, 1.0)

    @precondition(lambda self: self.hostile)
    @rule(error=st.none() | st.just(OSError("cable")), side=SIDES)
    def cut(self, error: OSError | None, side: str) -> None:
        """Lose what is on its way to a side, and tell it that there will be no more."""
        self.harmed = True
        self.on_the_way[OTHER[side]].clear()
        self.told.add(side)
        self.peers[side].receive_eof(self.now, error)
        self.collect(side)

    @precondition(lambda self: self.hostile and (self.is_open("client") or self.is_open("server")))
    @rule(to=SIDES, garbage=st.sampled_from([b"\x83\x80\0\0\0\0", b"\xff\xff" + bytes(20), b"\x88\x81\0\0\0\0x"]))
    def misbehave(self, to: str, garbage: bytes) -> None:
        if self.is_open(to) and self.is_open(OTHER[to]):
            self.harmed = True
            self.on_the_way[OTHER[to]] += garbage

    # Opening

    @precondition(lambda self: self.requests and self.peers["server"].state is State.CONNECTING)
    @rule()
    def accept(self) -> None:
        server = self.peers["server"]
        assert isinstance(server, ServerProtocol)
        if server.response is None:
            server.send_response(server.accept(self.requests[0]), self.now)
            assert server.state is State.OPEN
            self.collect("server")

    @precondition(lambda self: min(peer.state for peer in self.peers.values()) is State.CONNECTING)
    @rule()
    def open_at_once(self) -> None:
        self.carry_all()
        if self.requests and self.peers["server"].state is State.CONNECTING:
            self.accept()
        self.carry_all()

    # Messages

    def send(self, side: str, data: str | bytes, compress: bool | None, how: str) -> None:
        peer = self.peers[side]
        if peer.in_message and peer.state is State.OPEN:
            with pytest.raises(InvalidState):
                peer.send_binary(b"")
            return
        opened = peer.state is State.OPEN
        if how == "shared":
            self.call(side, lambda peer: peer.send_shared(SharedMessage(data, compress=compress)))
        elif isinstance(data, str):
            self.call(side, lambda peer: peer.send_text(data if how else data.encode(), compress=compress))
        else:
            self.call(side, lambda peer: peer.send_binary(data if how else bytearray(data), compress=compress))
        if opened:
            self.sent[side].append(data)

    @rule(messages=st.lists(st.tuples(SIDES, PAYLOADS, COMPRESS, HOW), min_size=1, max_size=5))
    def send_some(self, messages: list[tuple[str, str | bytes, bool | None, str]]) -> None:
        for message in messages:
            self.send(*message)

    @precondition(lambda self: self.is_open("client") or self.is_open("server"))
    @rule(side=SIDES, data=PAYLOADS, compress=COMPRESS, at=st.integers(0, 10))
    def send_in_fragments(self, side: str, data: str | bytes, compress: bool | None, at: int) -> None:
        """Begin a message; the rest comes later."""
        if self.is_open(side) and not self.peers[side].in_message:
            self.is_text[side] = isinstance(data, str)
            first, rest = cut_text(data, at) if isinstance(data, str) else (data[:at], data[at:])
            begin = "send_text" if self.is_text[side] else "send_binary"
            self.call(side, lambda peer: getattr(peer, begin)(first, fin=False, compress=compress))
            self.parts[side] = [first, rest]

    @precondition(lambda self: any(peer.in_message for peer in self.peers.values()))
    @rule(side=SIDES, fin=st.booleans(), at=st.integers(0, 5))
    def continue_message(self, side: str, fin: bool, at: int) -> None:
        if not self.peers[side].in_message or not self.is_open(side):
            return
        *before, rest = self.parts[side]
        data = rest if fin else rest[:at]
        self.call(side, lambda peer: peer.send_continuation(data, fin))
        self.parts[side] = [*before, data, rest[len(data) :]]
        if fin:
            whole = b"".join(self.parts[side])
            self.sent[side].append(whole.decode() if self.is_text[side] else whole)

    # Control

    @rule(side=SIDES, what=st.sampled_from(["ping", "ping", "pong", "fail", "read", "stop", "write", "hold"]))
    def control(self, side: str, what: str) -> None:
        getattr(self, what)(side)
        self.collect(side)

    def ping(self, side: str) -> None:
        self.call(side, lambda peer: self.pinged[side].append(peer.ping(now=self.now)))

    def pong(self, side: str) -> None:
        self.call(side, lambda peer: peer.pong(b"nobody asked"))

    def fail(self, side: str) -> None:
        self.peers[side].fail_deferred(self.now)
        assert not self.peers[side].failing

    def read(self, side: str) -> None:
        self.paused.discard(side)
        self.heard[side] = self.now
        self.peers[side].resume_reading(self.now)

    def stop(self, side: str) -> None:
        self.paused.add(side)
        self.peers[side].pause_reading(self.now)

    def write(self, side: str) -> None:
        self.peers[side].resume_writing()

    def hold(self, side: str) -> None:
        self.peers[side].pause_writing()

    @precondition(lambda self: min(peer.state for peer in self.peers.values()) > State.CONNECTING)
    @rule(side=SIDES, code=CODES)
    def close(self, side: str, code: int) -> None:
        self.peers[side].close(code, now=self.now)
        self.collect(side)

    @precondition(lambda self: self.hostile and max(peer.state for peer in self.peers.values()) > State.OPEN)
    @rule(side=SIDES)
    def abort(self, side: str) -> None:
        self.harmed = True
        self.peers[side].abort()
        assert self.peers[side].state is State.CLOSED
        self.collect(side)

    # Time

    @rule(seconds=st.sampled_from([0.0, 0.3, 3.0, 6.0, 9.0, 21.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass; everybody is woken when it is time."""
        until = self.now + seconds
        for _ in range(100):
            due = min((at for at in map(self.deadline, OTHER) if at is not None), default=until)
            if due > until:
                break
            self.now = max(self.now, due)
            for side in OTHER:
                self.peers[side].handle_deadline(self.now)
                self.collect(side)
            if due >= until and all((self.deadline(side) or until + 1) > until for side in OTHER):
                break
        else:
            raise AssertionError("a deadline comes again and again")
        self.now = until

    def deadline(self, side: str) -> float | None:
        return self.peers[side].next_deadline()

    # What must be so at any time

    @invariant()
    def states_only_go_on(self) -> None:
        for side, peer in self.peers.items():
            assert peer.state >= self.states[side]
            self.states[side] = peer.state
            assert (peer.close_code is None) is (peer.state is not State.CLOSED)
            assert len(self.closed[side]) == (peer.state is State.CLOSED)
            assert (peer.cause is None) is (peer.state <= State.OPEN and not peer.failing)
            if peer.state is State.CLOSED:
                assert peer.half_close
                assert peer.next_deadline() is None
                assert self.closed[side][0].error.cause is peer.cause

    @invariant()
    def nothing_is_lost_or_altered(self) -> None:
        for side in OTHER:
            sent, received = self.sent[side], self.received[side]
            assert received == sent[: len(received)]
            assert list(map(type, received)) == list(map(type, sent[: len(received)]))
            if (part := self.open_part.get(side)) is not None:
                whole = sent[len(received)] if len(sent) > len(received) else b"".join(self.parts[side])
                raw, seen = (value.encode() if isinstance(value, str) else value for value in (whole, part))
                assert raw.startswith(seen)

    @invariant()
    def pings_are_answered_in_order(self) -> None:
        for side in OTHER:
            ours = [data for data in self.acknowledged[side] if data in self.pinged[side]]
            assert ours == self.pinged[side][: len(ours)]

    @invariant()
    def both_sides_say_the_same(self) -> None:
        for side, peer in self.peers.items():
            other = self.peers[OTHER[side]]
            if peer.close_rcvd is not None:
                assert peer.close_rcvd == other.close_sent
                assert peer.cause is not None
            if peer.close_rcvd_then_sent:
                assert peer.close_sent == peer.close_rcvd
                assert other.close_rcvd_then_sent is not True

    @invariant()
    def nobody_stays_for_longer_than_the_timeout(self) -> None:
        for side, peer in self.peers.items():
            if peer.state is State.CONNECTING:
                assert self.now <= self.began + OPEN_TIMEOUT
            if peer.state is State.CLOSING:
                self.closing_since.setdefault(side, self.now)
                assert self.now <= self.closing_since[side] + CLOSE_TIMEOUT
            if peer.state is State.OPEN and side not in self.paused:
                assert self.now <= self.heard[side] + 2 * PING_INTERVAL + PING_TIMEOUT + CLOSE_TIMEOUT

    def teardown(self) -> None:
        """Carry everything: without harm nothing is missing; then both come to an end in time."""
        if not self.peers:
            return
        for side in OTHER:
            self.peers[side].resume_writing()
            self.collect(side)
        self.carry_all()
        self.check()
        if not self.harmed and {peer.cause for peer in self.peers.values()} <= CLEAN:
            assert self.received == self.sent
            assert (self.peers["client"].state > State.OPEN) is (self.peers["server"].state > State.OPEN) or any(
                peer.state is State.CONNECTING for peer in self.peers.values()
            )
            for side in OTHER:
                answered = [data for data in self.acknowledged[side] if data in self.pinged[side]]
                assert answered == self.pinged[side] or self.peers[side].state > State.OPEN
        for side, peer in self.peers.items():
            if peer.state is not State.CONNECTING:
                peer.close(now=self.now)
                self.collect(side)
        self.wait(OPEN_TIMEOUT + CLOSE_TIMEOUT + PING_INTERVAL)
        self.carry_all()
        self.check()
        assert {peer.state for peer in self.peers.values()} == {State.CLOSED}

    def check(self) -> None:
        self.states_only_go_on()
        self.nothing_is_lost_or_altered()
        self.pings_are_answered_in_order()
        self.both_sides_say_the_same()
        self.nobody_stays_for_longer_than_the_timeout()


TestConversation = Conversation.TestCase


#: What one step of a walk is, and how often.
STEPS = {
    "carry": 30,
    "carry_all": 8,
    "send_some": 14,
    "send_in_fragments": 5,
    "continue_message": 12,
    "control": 8,
    "wait": 5,
    "accept": 3,
    "open_at_once": 1,
    "close": 0.5,
    "cut": 0.15,
    "misbehave": 0.2,
    "abort": 0.15,
}
WORDS = ["", "é", "€uro " * 40, "😀", "the same again and again, " * 30, "long " * 15_000]


class Walk:
    """Walk through a conversation by chance: less clever than hypothesis, but a hundred times as far."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.talk = Conversation()

    def run(self, steps: int) -> None:
        pick, talk = self.random.choice, self.talk
        deflate, lifetime = pick([None, *FACTORIES]), pick([None, None, 200.0])
        talk.begin(pick([True, False]), pick([True, False]), deflate, lifetime, pick([True] * 4 + [False]), True)
        for name in self.random.choices(list(STEPS), list(STEPS.values()), k=steps):
            getattr(self, name, getattr(talk, name))(**self.arguments(name))
            talk.check()
        talk.teardown()

    def arguments(self, name: str) -> dict[str, Any]:
        """Choose arguments for a rule."""
        pick = self.random.choice
        side = pick(list(OTHER))
        return {
            "carry": {"to": side, "part": pick([0.0, 0.1, 0.5, 1.0])},
            "send_some": {"messages": [self.message() for _ in range(pick([1, 1, 2, 4]))]},
            "send_in_fragments": {
                "side": side,
                "data": pick(WORDS),
                "compress": pick([None, False]),
                "at": pick(range(9)),
            },
            "continue_message": {"side": side, "fin": pick([True, False]), "at": pick(range(6))},
            "control": {"side": side, "what": pick(["ping", "ping", "pong", "fail", "read", "stop", "write", "hold"])},
            "wait": {"seconds": pick([0.0, 0.3, 0.3, 3.0, 3.0, 9.0, 21.0])},
            "close": {"side": side, "code": pick([1000, 1001, 1005, 4999])},
            "cut": {"error": pick([None, OSError("cable")]), "side": side},
            "misbehave": {"to": side, "garbage": pick([b"\x83\x80\0\0\0\0", b"\xff\xff" + bytes(20)])},
            "abort": {"side": side},
        }.get(name, {})

    def message(self) -> tuple[str, str | bytes, bool | None, str]:
        pick = self.random.choice
        data = pick([pick(WORDS), self.random.randbytes(pick([0, 1, 125, 126, 300])), bytes(pick([2000, 70_000]))])
        return pick(list(OTHER)), data, pick([None, True, False]), pick(["", "as it is", "shared"])

    def accept(self) -> None:
        if self.talk.requests and self.talk.peers["server"].state is State.CONNECTING:
            self.talk.accept()

    def close(self, side: str, code: int) -> None:
        if self.talk.peers[side].state > State.CONNECTING:
            self.talk.close(side, code)

    def abort(self, side: str) -> None:
        if max(self.talk.states.values()) > State.OPEN:
            self.talk.abort(side)


@given(seed=st.integers(0, 2**64), steps=st.sampled_from([20, 60, 200]))
def test_a_long_walk(seed: int, steps: int) -> None:
    for number in range(5):
        Walk(seed + number).run(steps)
