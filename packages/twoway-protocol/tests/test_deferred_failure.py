"""Violations that are answered after the messages before them."""

from __future__ import annotations

import pytest

from twoway.frames import ProtocolError, encode_frame
from twoway.protocol import Cause, ConnectionClosedError, ServerOptions, State
from twoway.protocol.testing import Pair, connected_pair

OPTIONS = ServerOptions(defer_failure=True, ping_interval=None, close_timeout=5)
RESERVED = encode_frame(3, b"", masked=True)


def message(text: str) -> bytes:
    return encode_frame(1, text, masked=True)


@pytest.fixture
def pair() -> Pair:
    return connected_pair(server_options=OPTIONS)


def test_messages_before_a_violation_can_be_answered(pair: Pair) -> None:
    pair.server.receive_data(message("a") + RESERVED + message("b"), pair.now)
    assert pair.server.events() == ["a"]
    assert pair.server.failing
    assert pair.server.state is State.OPEN
    pair.server.send_text("answer")
    pair.server.fail_deferred(pair.now)
    assert not pair.server.failing
    pair.exchange()
    answer, close, _ = pair.client_events()
    assert (answer, close.code) == ("answer", 1002)  # type: ignore[union-attr]


def test_a_violation_without_messages_is_answered_at_once(pair: Pair) -> None:
    pair.server.receive_data(RESERVED, pair.now)
    assert not pair.server.failing
    assert pair.server.state is State.CLOSING


@pytest.mark.parametrize(("final", "state"), [(False, State.CLOSING), (True, State.OPEN)])
def test_only_a_whole_message_can_be_answered(final: bool, state: State) -> None:
    options = ServerOptions(defer_failure=True, fragments=True, ping_interval=None)
    pair = connected_pair(server_options=options)
    parts = encode_frame(1, "a", fin=False, masked=True) + encode_frame(0, "b", fin=final, masked=True)
    pair.server.receive_data(parts + RESERVED, pair.now)
    assert pair.server.state is state


def test_without_the_option_nothing_is_deferred() -> None:
    pair = connected_pair()
    pair.server.receive_data(message("a") + RESERVED, pair.now)
    assert pair.server.events() == ["a"]
    assert pair.server.state is State.CLOSING


def test_while_closing_nothing_is_deferred(pair: Pair) -> None:
    pair.server.close(now=pair.now)
    pair.server.receive_data(message("a") + RESERVED, pair.now)
    assert not pair.server.failing
    assert pair.server.cause is Cause.REMOTE_ERROR


def test_nobody_can_put_a_failure_off_for_ever(pair: Pair) -> None:
    pair.server.receive_data(message("a") + RESERVED, pair.now)
    pair.advance(4.9)
    assert pair.server.state is State.OPEN
    pair.advance(0.2)
    assert pair.server.close_sent is not None
    assert pair.server.close_sent.code == 1002


def test_without_a_close_timeout_the_integrator_decides() -> None:
    options = ServerOptions(defer_failure=True, ping_interval=None, close_timeout=None)
    pair = connected_pair(server_options=options)
    pair.server.receive_data(message("a") + RESERVED, pair.now)
    assert pair.server.next_deadline() is None
    pair.server.fail_deferred(pair.now)
    assert pair.server.state is State.CLOSING


def test_closing_tells_the_violation_and_not_what_was_wished(pair: Pair) -> None:
    pair.server.receive_data(message("a") + RESERVED, pair.now)
    pair.server.close(1000, now=pair.now)
    assert pair.server.close_sent is not None
    assert pair.server.close_sent.code == 1002


def test_the_end_of_the_stream_does_not_hide_the_violation(pair: Pair) -> None:
    pair.server.receive_data(message("a") + RESERVED, pair.now)
    pair.server.receive_eof(pair.now)
    exc = pair.server.close_exc
    assert isinstance(exc, ConnectionClosedError)
    assert exc.cause is Cause.REMOTE_ERROR
    assert isinstance(exc.__cause__, ProtocolError)
    pair.server.fail_deferred(pair.now)
    assert pair.server.state is State.CLOSED


def test_nothing_is_put_off_any_more_when_the_application_fails_the_connection(pair: Pair) -> None:
    pair.server.receive_data(message("a") + RESERVED, pair.now)
    pair.server.fail(1011, now=pair.now)
    assert not pair.server.failing
    assert pair.server.cause is Cause.REMOTE_ERROR
    pair.server.fail_deferred(pair.now)
    pair.server.handle_deadline(5)
    assert pair.server.state is State.CLOSED
