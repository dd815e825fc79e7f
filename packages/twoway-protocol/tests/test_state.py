"""The table of transitions is exactly what happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from twoway.protocol import (
    TRANSITIONS,
    Cause,
    ClientOptions,
    ClientProtocol,
    ConnectionClosed,
    InvalidState,
    Protocol,
    ServerOptions,
    ServerProtocol,
    State,
    Trigger,
)
from twoway.protocol.testing import connected_pair

OPTIONS = {"max_lifetime": 1000.0, "ping_interval": 20.0, "ping_timeout": 10.0, "idle_release": None}
CLOSE = {True: b"\x88\x82\x00\x00\x00\x00\x03\xe8", False: b"\x88\x02\x03\xe8"}
BAD = b"\x83\x00"


def client() -> ClientProtocol:
    return ClientProtocol("ws://localhost/", ClientOptions(**OPTIONS))


def server() -> ServerProtocol:
    return ServerProtocol(ServerOptions(**OPTIONS))


def receive_close(protocol: Protocol) -> None:
    protocol.receive_data(CLOSE[isinstance(protocol, ServerProtocol)], 1)


def accept(protocol: Protocol) -> None:
    """Let the opening handshake succeed, if it has not begun yet."""
    if protocol.state is not State.CONNECTING or protocol.request is not None:
        return
    pair = client(), server()
    asking = protocol if isinstance(protocol, ClientProtocol) else pair[0]
    answering = protocol if isinstance(protocol, ServerProtocol) else pair[1]
    asking.send_request(asking.connect())
    answering.receive_data(b"".join(asking.data_to_send()), 1)
    assert answering.request is not None
    answering.send_response(answering.accept(answering.request), 1)
    asking.receive_data(b"".join(answering.data_to_send()), 1)


def opened(protocol: Protocol) -> Protocol:
    pair = connected_pair(ClientOptions(**OPTIONS), ServerOptions(**OPTIONS))
    return pair.client if isinstance(protocol, ClientProtocol) else pair.server


def after(step: Callable[[Protocol], object], base: Callable[[Protocol], Protocol] = opened) -> Any:
    def prepare(protocol: Protocol) -> Protocol:
        protocol = base(protocol)
        step(protocol)
        return protocol

    return prepare


def not_opened(protocol: Protocol) -> Protocol:
    return protocol


def begun(protocol: Protocol) -> Protocol:
    """Give one whose request is on its way, or has come."""
    if isinstance(protocol, ClientProtocol):
        protocol.send_request(protocol.connect())
    else:
        protocol.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 0)
    return protocol


def garbage(protocol: Protocol) -> None:
    protocol.receive_data(b"\r\n\r\n\r\n", 1)


SITUATIONS: dict[str, tuple[State, Callable[[Protocol], Protocol]]] = {
    "new": (State.CONNECTING, not_opened),
    "begun": (State.CONNECTING, begun),
    "open": (State.OPEN, opened),
    "sent Close": (State.CLOSING, after(lambda p: p.close(now=1))),
    "received Close": (State.CLOSING, after(receive_close)),
    "sent and received Close": (State.CLOSING, after(receive_close, after(lambda p: p.close(now=1)))),
    "failed": (State.CLOSING, after(lambda p: p.fail(1011, now=1))),
    "handshake failed": (State.CLOSING, after(garbage, not_opened)),
    "lost": (State.CLOSED, after(lambda p: p.receive_eof(1))),
    "aborted": (State.CLOSED, after(lambda p: p.abort())),
    "never opened": (State.CLOSED, after(lambda p: p.abort(), not_opened)),
}

ACTIONS: list[tuple[str, frozenset[State], Trigger | None, Callable[[Protocol], object]]] = [
    # name, where it has an effect, what it is then, how to do it
    ("close()", frozenset({State.OPEN}), Trigger.CLOSE_SENT, lambda p: p.close(now=2)),
    ("lifetime", frozenset({State.OPEN}), Trigger.CLOSE_SENT, lambda p: expire(p)),
    ("Close frame", frozenset({State.OPEN}), Trigger.CLOSE_RECEIVED, receive_close),
    ("fail()", frozenset({State.OPEN, State.CLOSING}), Trigger.FAILED, lambda p: p.fail(1011, now=2)),
    ("bad frame", frozenset({State.OPEN}), Trigger.FAILED, lambda p: p.receive_data(BAD, 2)),
    ("silence", frozenset({State.OPEN}), Trigger.FAILED, lambda p: fall_silent(p)),
    ("abort()", frozenset(State) - {State.CLOSED}, Trigger.LOST, lambda p: p.abort()),
    ("reset", frozenset({State.OPEN, State.CLOSING}), Trigger.LOST, lambda p: p.receive_eof(2, OSError("reset"))),
    ("nothing", frozenset(), None, lambda p: p.receive_data(b"", 2)),
    ("pause", frozenset(), None, lambda p: (p.pause_reading(2), p.pause_writing())),
    ("resume", frozenset(), None, lambda p: (p.resume_reading(2), p.resume_writing())),
    ("send", frozenset(), None, lambda p: p.send_text("x")),
    ("ping", frozenset(), None, lambda p: p.ping(now=2)),
    ("pong", frozenset(), None, lambda p: p.pong()),
    ("too early", frozenset(), None, lambda p: p.handle_deadline(0)),
]


def expire(protocol: Protocol) -> None:
    if protocol.state is State.OPEN:
        for time in range(20, 1000, 20):
            protocol.handle_deadline(time)
            protocol.receive_data(
                b"\x8a\x80\x00\x00\x00\x00" if isinstance(protocol, ServerProtocol) else b"\x8a\0", time
            )
        protocol.handle_deadline(1000)


def fall_silent(protocol: Protocol) -> None:
    if protocol.state is State.OPEN:
        protocol.handle_deadline(20)
        protocol.handle_deadline(30)


@pytest.fixture
def protocol(side: str) -> Protocol:
    return client() if side == "client" else server()


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize(("name", "effective", "trigger", "act"), ACTIONS, ids=[action[0] for action in ACTIONS])
def test_every_action_in_every_state(
    protocol: Protocol,
    situation: str,
    name: str,
    effective: frozenset[State],
    trigger: Trigger | None,
    act: Callable[[Protocol], object],
) -> None:
    state, prepare = SITUATIONS[situation]
    protocol = prepare(protocol)
    assert protocol.state is state
    refused = False
    try:
        act(protocol)
    except (ConnectionClosed, InvalidState):
        refused = True
    if refused:
        assert protocol.state is state
        assert trigger is None or (trigger is Trigger.CLOSE_SENT and state is State.CONNECTING)
    elif name == "fail()" and state is State.CONNECTING:
        assert protocol.state is TRANSITIONS[state][Trigger.LOST]
    elif name == "reset" and state is State.CONNECTING:
        assert protocol.state is TRANSITIONS[TRANSITIONS[state][Trigger.HANDSHAKE_FAILED]][Trigger.LOST]
    elif trigger is not None and state in effective:
        assert protocol.state is TRANSITIONS[state][trigger]
    else:
        assert protocol.state is state


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[tuple[State, Trigger, State]]]:
    """Collect the transitions that happen."""
    happened: set[tuple[State, Trigger, State]] = set()
    move = Protocol._move

    def record(self: Protocol, trigger: Trigger) -> None:
        before = self.state
        move(self, trigger)
        happened.add((before, trigger, self.state))

    monkeypatch.setattr(Protocol, "_move", record)
    return happened


@pytest.mark.parametrize("make", [client, server])
def test_the_table_is_complete_and_holds_nothing_else(
    make: Callable[[], Protocol], seen: set[tuple[State, Trigger, State]]
) -> None:
    acts = [act for _, _, _, act in ACTIONS]
    acts += [accept, garbage, lambda p: p.receive_eof(2), lambda p: p.handle_deadline(10_000)]
    for _, prepare in SITUATIONS.values():
        for act in acts:
            with suppress(ConnectionClosed, InvalidState):
                act(prepare(make()))
    listed = {(state, trigger, to) for state, row in TRANSITIONS.items() for trigger, to in row.items()}
    assert seen == listed


def test_table_is_constant() -> None:
    with pytest.raises(TypeError):
        TRANSITIONS[State.OPEN] = {}  # type: ignore[index]


def test_states_are_ordered() -> None:
    assert list(State) == [State.CONNECTING, State.OPEN, State.CLOSING, State.CLOSED]
    for state, row in TRANSITIONS.items():
        assert all(to >= state for to in row.values())


def test_causes_are_phrases() -> None:
    assert all(isinstance(cause.value, str) and cause.value for cause in Cause)
    assert len({cause.value for cause in Cause}) == len(Cause)
