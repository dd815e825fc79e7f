"""The closing handshake, failing, losing: who was first, and why it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from twoway.frames import Close, Opcode
from twoway.protocol import (
    Cause,
    ClientProtocol,
    Closed,
    ConnectionClosedError,
    ConnectionClosedOK,
    HandshakeFailed,
    InvalidHandshake,
    InvalidState,
    ServerProtocol,
    State,
)
from twoway.protocol.testing import connected_pair

Make = Callable[..., Any]


def the_end(protocol: Any, events: list[Any] | None = None) -> Any:
    """Give the exception of the last event."""
    (*_, closed) = events or protocol.events()
    assert isinstance(closed, Closed)
    error = closed.error
    assert protocol.state is State.CLOSED
    assert (protocol.close_code, protocol.close_reason) == (error.code, error.reason)
    again = protocol.close_exc
    assert (str(again), again.__cause__) == (str(error), error.__cause__)
    assert protocol.next_deadline() is None
    return error


def test_nothing_ends_it_yet(make_open: Make, side: str) -> None:
    protocol = make_open(side)
    assert (protocol.close_code, protocol.close_reason, protocol.cause) == (None, None, None)
    with pytest.raises(InvalidState, match="not closed and not closing"):
        _ = protocol.close_exc


@pytest.mark.feature("closing handshake")
@pytest.mark.feature("close codes and reasons of both sides, and who was first")
def test_closed_by_us(make_open: Make, side: str, closing: Make, sent: Make) -> None:
    protocol = make_open(side)
    protocol.close(1001, "bye", now=1)
    assert sent(protocol) == [Close(1001, "bye")]
    assert protocol.state is State.CLOSING
    assert not protocol.half_close
    assert (protocol.close_code, protocol.close_reason) == (None, None)
    protocol.receive_data(closing(protocol, 1001), 2)
    assert sent(protocol) == []
    # RFC 6455 §7.1.1: the server ends the TCP connection first.
    assert protocol.half_close is (side == "server")
    protocol.receive_eof(3)
    error = the_end(protocol)
    assert isinstance(error, ConnectionClosedOK)
    assert (error.rcvd, error.sent, error.rcvd_then_sent) == (Close(1001), Close(1001, "bye"), False)
    assert error.cause is Cause.LOCAL_CLOSE
    assert not protocol.aborted


@pytest.mark.feature("closing handshake")
@pytest.mark.feature("close codes and reasons of both sides, and who was first")
def test_closed_by_the_peer(make_open: Make, side: str, closing: Make, sent: Make) -> None:
    protocol = make_open(side)
    protocol.receive_data(closing(protocol, 4000, "bye"), 1)
    assert protocol.events() == [Close(4000, "bye")]
    assert sent(protocol) == [Close(4000, "bye")]
    assert protocol.half_close is (side == "server")
    protocol.receive_eof(2)
    error = the_end(protocol)
    assert isinstance(error, ConnectionClosedError)
    assert error.rcvd_then_sent is True
    assert error.cause is Cause.REMOTE_CLOSE


@pytest.mark.feature("close codes and reasons of both sides, and who was first")
def test_close_without_code(make_open: Make, side: str, closing: Make, sent_frames: Make) -> None:
    protocol = make_open(side)
    protocol.receive_data(closing(protocol, 1005), 1)
    assert [frame.data for frame in sent_frames(protocol)] == [b""]
    protocol.receive_eof(2)
    error = the_end(protocol)
    assert isinstance(error, ConnectionClosedOK)
    assert error.code == 1005


def test_we_may_close_without_code(make_open: Make, side: str, sent_frames: Make) -> None:
    protocol = make_open(side)
    protocol.close(1005, now=1)
    assert [frame.data for frame in sent_frames(protocol)] == [b""]


@pytest.mark.feature("tell why a connection ended")
@pytest.mark.parametrize("code", [1002, 1003, 1007, 1008, 1009, 1010])
def test_peer_blames_us(make_open: Make, side: str, closing: Make, code: int) -> None:
    protocol = make_open(side)
    protocol.receive_data(closing(protocol, code), 1)
    assert protocol.cause is Cause.LOCAL_ERROR


@pytest.mark.feature("closing handshake")
@pytest.mark.feature("close codes and reasons of both sides, and who was first")
def test_both_close_at_once() -> None:
    pair = connected_pair()
    pair.client.close(1000, "client", now=0)
    pair.server.close(1001, "server", now=0)
    pair.exchange()
    ends = [the_end(pair.client, pair.client_events()), the_end(pair.server, pair.server_events())]
    assert [(end.rcvd.reason, end.sent.reason, end.rcvd_then_sent) for end in ends] == [
        ("server", "client", False),
        ("client", "server", False),
    ]
    assert [end.cause for end in ends] == [Cause.LOCAL_CLOSE] * 2


@pytest.mark.feature("closing handshake")
def test_close_in_the_middle_of_a_message(make_open: Make, side: str, frame: Make, closing: Make, sent: Make) -> None:
    protocol = make_open(side)
    protocol.send_text("a", fin=False)
    protocol.receive_data(frame(protocol, Opcode.TEXT, "a", False) + closing(protocol), 1)
    assert protocol.events() == [Close(1000)]
    assert sent(protocol)[-1] == Close(1000)


@pytest.mark.feature("tell why a connection ended")
def test_fail(make_open: Make, side: str, frame: Make, closing: Make, sent: Make) -> None:
    protocol = make_open(side)
    error = RuntimeError("handler")
    protocol.fail(1011, "oops", now=1, error=error)
    assert sent(protocol) == [Close(1011, "oops")]
    assert protocol.half_close
    protocol.receive_data(frame(protocol, Opcode.TEXT, "x") + closing(protocol), 2)
    assert protocol.events() == []
    protocol.receive_eof(2)
    end = the_end(protocol)
    assert isinstance(end, ConnectionClosedError)
    assert (end.cause, end.sent, end.rcvd, end.rcvd_then_sent) == (Cause.FAILED, Close(1011, "oops"), None, None)
    assert end.__cause__ is error


def test_fail_while_closing(make_open: Make, side: str, frame: Make, sent: Make) -> None:
    protocol = make_open(side)
    protocol.close(1000, now=1)
    protocol.fail(1011, now=2)
    assert sent(protocol) == [Close(1000)]
    assert protocol.state is State.CLOSING
    assert protocol.half_close
    assert protocol.cause is Cause.FAILED
    protocol.receive_data(frame(protocol, Opcode.TEXT, "x"), 3)
    assert protocol.events() == []
    assert protocol.next_deadline() == 11  # the first Close counts


def test_violation_while_closing(make_open: Make, side: str, frame: Make, sent: Make) -> None:
    protocol = make_open(side)
    protocol.close(1000, now=1)
    protocol.receive_data(frame(protocol, Opcode.TEXT, "x") + b"\x83\x00", 2)
    assert protocol.events() == ["x"]
    assert sent(protocol) == [Close(1000)]
    assert protocol.half_close
    protocol.receive_eof(3, OSError("reset"))
    end = the_end(protocol)
    assert end.cause is Cause.REMOTE_ERROR
    assert end.__cause__.close_code == 1002


def test_fail_after_a_complete_closing_handshake_blames_nobody(make_open: Make, side: str, closing: Make) -> None:
    protocol = make_open(side)
    protocol.receive_data(closing(protocol), 1)
    protocol.fail(1011, now=2, error=RuntimeError("too late"))
    protocol.receive_eof(3, OSError("reset"))
    end = the_end(protocol)
    assert isinstance(end, ConnectionClosedOK)
    assert end.cause is Cause.REMOTE_CLOSE
    assert end.__cause__ is None


@pytest.mark.feature("tell why a connection ended")
@pytest.mark.parametrize(("error", "cause"), [(None, Cause.VANISHED), (ConnectionResetError("x"), Cause.OS_ERROR)])
@pytest.mark.parametrize("closed_before", [False, True])
def test_lost(make_open: Make, side: str, error: OSError | None, cause: Cause, closed_before: bool) -> None:
    protocol = make_open(side)
    protocol.send_text("x")
    if closed_before:
        protocol.close(now=1)
    protocol.receive_eof(1, error)
    end = the_end(protocol)
    assert isinstance(end, ConnectionClosedError)
    assert (end.cause, end.code, end.__cause__) == (cause, 1006, error)
    assert protocol.half_close
    assert not protocol.aborted
    assert len(protocol.data_to_send()) == 1 + closed_before  # the peer may have closed its side only
    protocol.receive_eof(2, OSError("again"))
    assert protocol.events() == []


@pytest.mark.feature("tell why a connection ended")
def test_eof_within_a_frame(make_open: Make, side: str, frame: Make) -> None:
    protocol = make_open(side)
    protocol.receive_data(frame(protocol, Opcode.TEXT, "abc")[:-1], 1)
    protocol.receive_eof(1)
    assert the_end(protocol).cause is Cause.VANISHED


@pytest.mark.feature("tell why a connection ended")
def test_os_error_after_a_local_failure_is_chained(make_open: Make, side: str) -> None:
    protocol = make_open(side)
    protocol.fail(1011, now=1)
    error = OSError("reset")
    protocol.receive_eof(2, error)
    end = the_end(protocol)
    assert end.cause is Cause.FAILED
    assert end.__cause__ is error


@pytest.mark.feature("tell why a connection ended")
def test_abort(make_open: Make, side: str, frame: Make) -> None:
    protocol = make_open(side)
    protocol.send_text("x")
    protocol.abort()
    assert protocol.aborted
    assert protocol.half_close
    assert protocol.data_to_send() == []
    assert the_end(protocol).cause is Cause.ABORTED
    protocol.abort()
    protocol.fail(1011, now=1)
    protocol.close(now=1)
    protocol.receive_data(frame(protocol, Opcode.TEXT, "x"), 1)
    protocol.handle_deadline(1e9)
    assert protocol.events() == []
    assert protocol.data_to_send() == []


def test_abort_while_closing(make_open: Make, side: str, closing: Make) -> None:
    protocol = make_open(side)
    protocol.receive_data(closing(protocol), 1)
    protocol.abort()
    assert the_end(protocol).cause is Cause.REMOTE_CLOSE
    assert protocol.aborted


@pytest.mark.parametrize("how", ["abort", "fail"])
def test_abort_before_the_connection_is_open(side: str, how: str) -> None:
    protocol: Any = ClientProtocol("ws://localhost/") if side == "client" else ServerProtocol()
    error = RuntimeError("reason")
    if how == "abort":
        protocol.abort()
    else:
        protocol.fail(1011, now=1, error=error)
    failed, closed = protocol.events()
    assert isinstance(failed, HandshakeFailed)
    assert type(failed.error) is InvalidHandshake
    assert failed.error is protocol.handshake_exc
    assert failed.error.__cause__ is (None if how == "abort" else error)
    assert closed.error.__cause__ is failed.error
    assert protocol.cause is (Cause.ABORTED if how == "abort" else Cause.FAILED)
    assert str(failed.error) == f"opening handshake failed: {protocol.cause.value}"
    assert protocol.aborted
    assert protocol.data_to_send() == []


def test_fail_after_a_refused_handshake_writes_no_frame() -> None:
    protocol = ServerProtocol()
    protocol.receive_data(b"\r\n\r\n", 1)
    (answer,) = protocol.data_to_send()
    assert answer.startswith(b"HTTP/1.1 400 ")
    protocol.fail(1011, now=2)
    protocol.close(now=2)
    assert protocol.data_to_send() == []
    assert protocol.close_sent is None
    with pytest.raises(ConnectionClosedError) as caught:
        protocol.send_text("x")
    assert caught.value.cause is Cause.REMOTE_ERROR
    assert caught.value.__cause__ is protocol.handshake_exc
