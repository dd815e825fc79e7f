"""Both sides against each other: whatever happens, however the stream is cut, they agree."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from twoway.frames import Close, Fragment, Opcode, Ping, Pong, encode_frame
from twoway.http import Request, Response
from twoway.protocol import (
    Cause,
    ClientOptions,
    Closed,
    ConnectionClosed,
    InvalidState,
    Protocol,
    ServerOptions,
    State,
)
from twoway.protocol.testing import Pair

Describe = Callable[[Iterable[object]], list[object]]

# Scenarios: what is done, step by step; after each step bytes are carried until there are none.


def raw(protocol: Protocol, data: bytes) -> None:
    """Let a peer write what no correct one would."""
    protocol._output.append(data)


def begin(pair: Pair) -> None:
    pair.client.send_request(pair.client.connect())


SCENARIOS: dict[str, list[Callable[[Pair], object]]] = {
    "closed by the client": [
        lambda pair: pair.client.send_text("é"),
        lambda pair: (pair.client.send_binary(b"1"), pair.client.ping(b"p", now=0), pair.client.send_binary(b"2")),
        lambda pair: pair.server.send_text("x" * 130),
        lambda pair: pair.client.close(1000, "bye", now=0),
    ],
    "closed by the server": [
        lambda pair: pair.server.send_text("a", fin=False),
        lambda pair: pair.server.ping(b"p", now=0),
        lambda pair: pair.server.send_continuation("b"),
        lambda pair: (pair.server.send_text("last"), pair.server.close(1001, now=0)),
    ],
    "closed by both": [
        lambda pair: (pair.client.close(3000, "c", now=0), pair.server.close(4000, "s", now=0)),
    ],
    "bad client": [
        lambda pair: (pair.client.send_text("before"), raw(pair.client, b"\x83\x80\0\0\0\0"), pair.client.pong()),
        lambda pair: pair.advance(100),
    ],
    "bad server": [
        lambda pair: (pair.server.ping(b"before", now=0), raw(pair.server, encode_frame(Opcode.TEXT, b"\xff"))),
        lambda pair: pair.advance(100),
    ],
    "bad text in fragments": [
        lambda pair: (pair.server.send_text(b"\xe2", fin=False), raw(pair.server, encode_frame(Opcode.CONT, b"x"))),
        lambda pair: pair.advance(100),
    ],
    "failed by the server": [
        lambda pair: (pair.client.send_text("x"), pair.server.fail(1011, "oops", now=0)),
        lambda pair: pair.advance(100),
    ],
    "aborted": [lambda pair: pair.client.send_text("x"), lambda pair: pair.client.abort()],
    "lost": [lambda pair: pair.client.send_text("x"), lambda pair: pair.disconnect(OSError("cable"))],
    "silent": [lambda pair: setattr(pair, "online", False), lambda pair: pair.advance(100)],
    "old": [lambda pair: pair.advance(1000)],
}


def run(steps: list[Callable[[Pair], object]], chunk: Any, describe: Describe) -> list[object]:
    pair = Pair(ClientOptions(max_lifetime=500), ServerOptions(max_lifetime=500), chunk=chunk)
    seen: list[object] = []
    for step in [begin, *steps]:
        step(pair)
        pair.exchange()
        for peer, events in ((pair.client, pair.client_events()), (pair.server, pair.server_events())):
            # Keepalive's own pings carry random data.
            events = [type(event) if isinstance(event, (Ping, Pong)) and pair.now else event for event in events]
            events = [event for event in events if "PingAcknowledged" not in repr(event) or not pair.now]
            seen.append((peer.state, peer.cause, peer.close_rcvd, peer.close_sent, peer.close_rcvd_then_sent))
            seen.append(describe(events))
    assert pair.client.state is pair.server.state is State.CLOSED
    return seen


@pytest.mark.parametrize("name", SCENARIOS)
def test_cuts_do_not_matter(name: str, describe: Describe) -> None:
    steps = SCENARIOS[name]
    expected = run(steps, None, describe)
    for size in (*range(1, 20), 64, 150):
        assert run(steps, size, describe) == expected
    for place in range(1, 260):
        assert run(steps, lambda data, place=place: (data[:place], data[place:]), describe) == expected


@given(name=st.sampled_from(sorted(SCENARIOS)), seed=st.integers())
def test_random_cuts_do_not_matter(describe: Describe, name: str, seed: int) -> None:
    assert run(SCENARIOS[name], Cutter(seed), describe) == run(SCENARIOS[name], None, describe)


class Cutter:
    """Cut bytes at random places, some of them twice."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def __call__(self, data: bytes) -> Iterator[bytes]:
        while data:
            size = self._random.choice((0, 1, 1, 2, 3, 7, 20, len(data)))
            yield data[:size]
            data = data[size:]


OPTIONS: dict[str, Any] = {
    "ping_interval": 20,
    "ping_timeout": 15,
    "close_timeout": 10,
    "open_timeout": 10,
    "max_lifetime": 300,
    "idle_release": 30,
    "max_size": 100,
}
SIDES = st.sampled_from(["client", "server"])
PAYLOADS = st.text(max_size=20) | st.binary(max_size=20)


class Conversation(RuleBasedStateMachine):
    """Do anything in any order; a model knows what must arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, list[str | bytes]] = {"client": [], "server": []}
        self.received: dict[str, list[str | bytes]] = {"client": [], "server": []}
        self.parts: dict[str, list[str | bytes]] = {"client": [], "server": []}
        self.events: dict[str, list[object]] = {"client": [], "server": []}
        self.states = {"client": State.CONNECTING, "server": State.CONNECTING}
        self.harmed = False  # whether anything but a closing handshake has ended it
        self.closing_since: dict[str, float] = {}

    @initialize(seed=st.integers(0, 2**32), fragments=st.booleans(), defer=st.booleans())
    def connect(self, seed: int, fragments: bool, defer: bool) -> None:
        options = {**OPTIONS, "fragments": fragments, "defer_failure": defer}
        self.pair = Pair(ClientOptions(**options), ServerOptions(**options), chunk=Cutter(seed))
        begin(self.pair)

    def peer(self, side: str) -> Protocol:
        return self.pair.client if side == "client" else self.pair.server

    def attempt(self, side: str, call: Callable[[Protocol], object], allowed: bool = True) -> bool:
        """Call something that needs an open connection; tell whether it was done."""
        peer = self.peer(side)
        state = peer.state
        try:
            call(peer)
        except ConnectionClosed:
            assert state in (State.CLOSING, State.CLOSED)
            return False
        except InvalidState:
            assert state is State.CONNECTING or not allowed
            return False
        assert state is State.OPEN
        assert allowed
        return True

    @rule(side=SIDES, data=PAYLOADS)
    def send(self, side: str, data: Any) -> None:
        def call(peer: Protocol) -> None:
            if isinstance(data, str):
                peer.send_text(data)
            else:
                peer.send_binary(data)

        if self.attempt(side, call, allowed=not self.parts[side]):
            self.sent[side].append(data)

    @rule(side=SIDES, data=PAYLOADS)
    def send_first_fragment(self, side: str, data: Any) -> None:
        def call(peer: Protocol) -> None:
            if isinstance(data, str):
                peer.send_text(data, fin=False)
            else:
                peer.send_binary(data, fin=False)

        if self.attempt(side, call, allowed=not self.parts[side]):
            self.parts[side] = [data]

    @rule(side=SIDES, text=st.text(max_size=10), fin=st.booleans())
    def send_next_fragment(self, side: str, text: str, fin: bool) -> None:
        parts: list[Any] = self.parts[side]
        data: Any = text.encode() if parts and isinstance(parts[0], bytes) else text
        if len(parts) == 3:
            fin = True  # four of these stay below the limit
        if self.attempt(side, lambda peer: peer.send_continuation(data, fin), allowed=bool(parts)):
            parts.append(data)
            if fin:
                self.sent[side].append((b"" if isinstance(data, bytes) else "").join(parts))
                self.parts[side] = []

    @rule(side=SIDES)
    def ping(self, side: str) -> None:
        self.attempt(side, lambda peer: peer.ping(now=self.pair.now))

    @rule(side=SIDES)
    def pong(self, side: str) -> None:
        self.attempt(side, lambda peer: peer.pong(b"nobody asked"))

    @rule(side=SIDES, code=st.sampled_from([1000, 1001, 1005, 1011, 3000, 4999]))
    def close(self, side: str, code: int) -> None:
        with suppress(InvalidState):
            self.peer(side).close(code, now=self.pair.now)

    @precondition(lambda self: self.pair.client.state is not State.CONNECTING)
    @rule(side=SIDES)
    def fail(self, side: str) -> None:
        self.harmed = True
        self.peer(side).fail(1011, "failed", now=self.pair.now, error=RuntimeError("why"))

    @precondition(lambda self: max(self.pair.client.state, self.pair.server.state) >= State.CLOSING)
    @rule(side=SIDES)
    def abort(self, side: str) -> None:
        self.harmed = True
        self.peer(side).abort()

    @precondition(lambda self: self.pair.client.state is State.OPEN)
    @rule(side=SIDES, garbage=st.binary(min_size=1, max_size=40))
    def misbehave(self, side: str, garbage: bytes) -> None:
        if self.peer(side).state is State.OPEN:
            self.harmed = True
            raw(self.peer(side), b"\x83" + garbage)

    @rule(side=SIDES)
    def answered_all(self, side: str) -> None:
        self.peer(side).fail_deferred(self.pair.now)
        assert not self.peer(side).failing

    @precondition(lambda self: self.pair.client.state is not State.CONNECTING)
    @rule(error=st.none() | st.just(OSError("cable")))
    def disconnect(self, error: OSError | None) -> None:
        self.harmed = True
        self.pair.disconnect(error)

    @precondition(lambda self: self.pair.client.state is not State.CONNECTING)
    @rule()
    def cut_the_wire(self) -> None:
        self.harmed = True
        self.pair.online = False

    @rule(side=SIDES, paused=st.booleans(), reading=st.booleans())
    def backpressure(self, side: str, paused: bool, reading: bool) -> None:
        peer = self.peer(side)
        if reading and paused:
            peer.pause_reading(self.pair.now)
        elif reading:
            peer.resume_reading(self.pair.now)
        elif paused:
            peer.pause_writing()
        else:
            peer.resume_writing()

    @rule(seconds=st.sampled_from([0, 0.5, 5, 19, 60]))
    def wait(self, seconds: float) -> None:
        self.pair.exchange()
        self.pair.advance(seconds)

    @rule()
    def exchange(self) -> None:
        self.pair.exchange()

    def take_events(self) -> None:
        for side, events in (("client", self.pair.client_events()), ("server", self.pair.server_events())):
            self.events[side] += events
            other = "server" if side == "client" else "client"
            for event in events:
                if isinstance(event, (str, bytes)):
                    self.received[other].append(event)
                elif isinstance(event, Fragment):
                    if event.first:
                        self.received[other].append(event.data)
                    else:
                        self.received[other][-1] += event.data  # type: ignore[operator]

    @invariant()
    def consistent(self) -> None:
        if not hasattr(self, "pair"):
            return
        self.take_events()
        for side, other in (("client", "server"), ("server", "client")):
            peer, events = self.peer(side), self.events[side]
            # States never go back, and what they mean is visible.
            assert peer.state >= self.states[side]
            self.states[side] = peer.state
            assert (peer.cause is None) is (peer.state <= State.OPEN and not peer.failing)
            assert not peer.failing or peer.state is State.OPEN
            assert (peer.close_code is None) is (peer.state is not State.CLOSED)
            # Closed is the last event, and there is one.
            closed = [event for event in events if isinstance(event, Closed)]
            if peer.state is State.CLOSED:
                assert len(closed) == 1
                assert events[-1] is closed[0]
                assert peer.next_deadline() is None
                assert peer.half_close
            else:
                assert not closed
            # Messages arrive in order, none twice; unfinished ones are the last ones.
            self.check_prefix(side)
            # What one says that it received is what the other says that it sent.
            if peer.close_rcvd is not None:
                assert peer.close_rcvd == self.peer(other).close_sent
                assert peer.close_rcvd in events
            if peer.close_rcvd_then_sent:
                assert peer.close_sent == peer.close_rcvd
                assert self.peer(other).close_rcvd_then_sent is not True
            if peer.close_sent is not None or peer.half_close:
                self.closing_since.setdefault(side, self.pair.now)
            if side in self.closing_since and peer.state is not State.CLOSED:
                assert self.pair.now <= self.closing_since[side] + OPTIONS["close_timeout"]

    def check_prefix(self, side: str) -> None:
        sent: list[Any] = list(self.sent[side])
        if self.parts[side]:
            parts: list[Any] = self.parts[side]
            sent.append((b"" if isinstance(parts[0], bytes) else "").join(parts))
        received = self.received[side]
        assert len(received) <= len(sent)
        for number, (got, expected) in enumerate(zip(received, sent, strict=False)):
            if number < len(received) - 1:
                assert got == expected
            else:
                assert type(got) is type(expected)
                assert expected.startswith(got)

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        pair = self.pair
        pair.exchange()
        for side in ("client", "server"):
            with suppress(InvalidState):
                self.peer(side).close(now=pair.now)
        pair.exchange()
        pair.advance(OPTIONS["close_timeout"])
        self.consistent()
        assert pair.client.state is pair.server.state is State.CLOSED
        if not self.harmed:
            # An orderly end loses nothing, and both know how it ended.
            for side, other in (("client", "server"), ("server", "client")):
                peer = self.peer(side)
                received = self.received[side][: len(self.sent[side])]
                assert received == self.sent[side]
                assert peer.close_rcvd == self.peer(other).close_sent
                assert peer.close_rcvd_then_sent is not None
                assert peer.cause in (Cause.LOCAL_CLOSE, Cause.REMOTE_CLOSE, Cause.LIFETIME)
            if pair.client.close_rcvd_then_sent is not pair.server.close_rcvd_then_sent:
                assert pair.client.close_code == pair.server.close_code


Conversation.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestConversation = Conversation.TestCase


def test_events_of_a_whole_connection() -> None:
    pair = Pair()
    begin(pair)
    pair.exchange()
    pair.client.close(now=0)
    pair.exchange()
    assert [type(event) for event in pair.client_events()] == [Response, Close, Closed]
    assert [type(event) for event in pair.server_events()] == [Request, Close, Closed]
