"""Time: every deadline of a connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from twoway.frames import Close, Opcode, Ping, Pong
from twoway.protocol import (
    Cause,
    ClientOptions,
    ClientProtocol,
    Closed,
    HandshakeFailed,
    InvalidHandshake,
    InvalidState,
    PingAcknowledged,
    ServerOptions,
    ServerProtocol,
    State,
    TimerLate,
)

Make = Callable[..., Any]


@pytest.mark.feature("time limit for the opening handshake")
def test_client_gives_up_the_opening_handshake() -> None:
    protocol = ClientProtocol("ws://localhost/", ClientOptions(open_timeout=5), now=100)
    protocol.send_request(protocol.connect())
    assert protocol.next_deadline() == 105
    protocol.receive_data(b"HTTP/1.1 101", 104)  # one deadline, whatever trickles in
    protocol.handle_deadline(104.9)
    assert protocol.state is State.CONNECTING
    protocol.handle_deadline(105)
    failed, closed = protocol.events()
    assert isinstance(failed, HandshakeFailed)
    assert isinstance(failed.error, InvalidHandshake)
    assert isinstance(closed, Closed)
    assert closed.error.cause is Cause.OPEN_TIMEOUT
    assert protocol.aborted
    assert protocol.next_deadline() is None


@pytest.mark.feature("time limit for the opening handshake")
@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", b"408 Request Timeout"),
        (b"GET / HTTP", b"408 Request Timeout"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"503 Service Unavailable"),
    ],
)
def test_server_gives_up_the_opening_handshake(data: bytes, status: bytes) -> None:
    protocol = ServerProtocol(ServerOptions(open_timeout=5, close_timeout=2), now=100)
    protocol.receive_data(data, 101)
    protocol.events()
    assert protocol.next_deadline() == 105
    protocol.handle_deadline(105)
    (answer,) = protocol.data_to_send()
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nConnection: close\r\n" in answer
    (failed,) = protocol.events()
    assert str(failed.error) == "opening handshake took too long"  # type: ignore[union-attr]
    assert protocol.state is State.CLOSING
    assert protocol.half_close
    with pytest.raises(InvalidState, match="there is no request to answer"):
        protocol.send_response(protocol.reject(200, "x"), 105)
    assert protocol.next_deadline() == 107
    protocol.handle_deadline(107)
    assert protocol.aborted
    assert protocol.cause is Cause.OPEN_TIMEOUT


def test_refusal_can_be_written_even_without_closing_time() -> None:
    protocol = ServerProtocol(ServerOptions(open_timeout=5, close_timeout=0))
    protocol.handle_deadline(5)
    assert protocol.data_to_send()
    assert protocol.next_deadline() == 5
    protocol.handle_deadline(5)
    assert protocol.state is State.CLOSED


def test_no_limits(make_open: Make, side: str) -> None:
    protocol = make_open(side, ping_interval=None, close_timeout=None)
    assert protocol.next_deadline() is None
    protocol.close(now=1)
    assert protocol.next_deadline() is None
    protocol.handle_deadline(1e9)
    assert protocol.state is State.CLOSING
    assert ServerProtocol(ServerOptions(open_timeout=None)).next_deadline() is None


@pytest.mark.feature("time limit for the closing handshake")
@pytest.mark.parametrize("first", ["close", "Close frame", "fail", "violation", "handshake"])
def test_everything_after_the_first_close_is_limited(make_open: Make, side: str, closing: Make, first: str) -> None:
    if first == "handshake":
        protocol: Any = ClientProtocol("ws://localhost/", ClientOptions(close_timeout=3))
        protocol.receive_data(b"?\r\n", 50)
    else:
        protocol = make_open(side, close_timeout=3)
        if first == "close":
            protocol.close(now=50)
        elif first == "Close frame":
            protocol.receive_data(closing(protocol), 50)
        elif first == "fail":
            protocol.fail(1011, now=50)
        else:
            protocol.receive_data(b"\x83\x00", 50)
    cause = protocol.cause
    assert protocol.next_deadline() == 53
    # Nothing that happens later moves it.
    protocol.pause_writing()
    protocol.pause_reading(51)
    protocol.close(1001, now=51)
    protocol.receive_data(b"\x00", 51)
    protocol.fail(1011, now=52)
    assert protocol.next_deadline() == 53
    protocol.handle_deadline(53)
    assert protocol.state is State.CLOSED
    assert protocol.aborted
    assert protocol.data_to_send() == []
    assert protocol.cause in (cause, Cause.REMOTE_ERROR, Cause.FAILED)


@pytest.mark.feature("time limit for the closing handshake")
def test_close_that_is_not_answered(make_open: Make, side: str) -> None:
    protocol = make_open(side, close_timeout=3)
    protocol.close(now=50)
    protocol.handle_deadline(52.9)
    assert protocol.state is State.CLOSING
    protocol.handle_deadline(53)
    (closed,) = protocol.events()
    assert closed.error.cause is Cause.CLOSE_TIMEOUT
    assert (closed.error.code, closed.error.sent) == (1006, Close(1000))


@pytest.mark.feature("time limit for the closing handshake")
def test_tcp_that_is_not_closed(make_open: Make, side: str, closing: Make) -> None:
    protocol = make_open(side, close_timeout=3)
    protocol.close(now=50)
    protocol.receive_data(closing(protocol), 51)
    protocol.handle_deadline(53)
    assert protocol.aborted
    assert (protocol.cause, protocol.close_code) == (Cause.LOCAL_CLOSE, 1000)  # the closing handshake was complete


@pytest.mark.feature("keepalive: pings in a quiet time")
def test_keepalive(make_open: Make, side: str, frame: Make, sent: Make) -> None:
    protocol = make_open(side, ping_interval=20, ping_timeout=10)
    assert protocol.next_deadline() == 20
    protocol.handle_deadline(20)
    (ping,) = sent(protocol)
    assert isinstance(ping, Ping)
    protocol.receive_data(frame(protocol, Opcode.PONG, ping.data), 20.5)
    assert protocol.events() == [Pong(ping.data), PingAcknowledged(ping.data, 0.5)]
    assert protocol.latency == 0.5
    protocol.handle_deadline(30)
    protocol.handle_deadline(40)
    assert [type(item) for item in sent(protocol)] == [Ping]


@pytest.mark.feature("heartbeat: a dead peer is noticed")
def test_heartbeat(make_open: Make, side: str, sent: Make) -> None:
    protocol = make_open(side, ping_interval=20, ping_timeout=10)
    protocol.handle_deadline(20)
    protocol.handle_deadline(30)
    _, close = sent(protocol)
    assert close == Close(1011, "keepalive ping timeout")
    assert protocol.state is State.CLOSING
    protocol.handle_deadline(40)
    (closed,) = protocol.events()
    assert closed.error.cause is Cause.HEARTBEAT


@pytest.mark.feature("heartbeat: a dead peer is noticed")
@pytest.mark.parametrize("what", ["half a header", "data", "other pong"])
def test_any_byte_keeps_the_connection_alive(make_open: Make, side: str, frame: Make, what: str) -> None:
    protocol = make_open(side, ping_interval=20, ping_timeout=10)
    data = {
        "half a header": b"\x81",
        "data": frame(protocol, Opcode.TEXT, "x"),
        "other pong": frame(protocol, Opcode.PONG, b"?"),
    }[what]
    protocol.handle_deadline(20)
    protocol.receive_data(data, 29)
    protocol.handle_deadline(30)
    assert protocol.state is State.OPEN


def test_no_byte_is_no_sign_of_life(make_open: Make, side: str) -> None:
    protocol = make_open(side, ping_interval=20, ping_timeout=10)
    protocol.handle_deadline(20)
    protocol.receive_data(b"", 29)
    protocol.handle_deadline(30)
    assert protocol.cause is Cause.HEARTBEAT


@pytest.mark.feature("heartbeat: a dead peer is noticed")
def test_clock_stands_while_reading_is_paused(make_open: Make, side: str) -> None:
    protocol = make_open(side, ping_interval=20, ping_timeout=10)
    protocol.handle_deadline(20)
    protocol.pause_reading(25)
    protocol.handle_deadline(30)
    protocol.handle_deadline(1000)
    assert protocol.state is State.OPEN
    protocol.resume_reading(1000)
    protocol.handle_deadline(1000)
    assert protocol.next_deadline() == 1005
    protocol.handle_deadline(1005)
    assert protocol.cause is Cause.HEARTBEAT


@pytest.mark.feature("heartbeat: a dead peer is noticed")
def test_late_timer_is_told_and_forgiven(make_open: Make, side: str, frame: Make) -> None:
    protocol = make_open(side, ping_interval=20, ping_timeout=10)
    protocol.handle_deadline(20)
    protocol.handle_deadline(90)
    assert protocol.events() == [TimerLate(60)]
    assert protocol.state is State.OPEN
    protocol.receive_data(frame(protocol, Opcode.PONG), 90.01)
    protocol.handle_deadline(90.2)
    assert protocol.state is State.OPEN


@pytest.mark.feature("limits against hostile peers")
def test_peer_that_never_answers_pings_costs_no_memory(make_open: Make, side: str, frame: Make) -> None:
    protocol = make_open(side, ping_interval=20, ping_timeout=10)
    for round_ in range(1, 3000):
        protocol.handle_deadline(20 * round_)
        protocol.receive_data(frame(protocol, Opcode.TEXT, "x"), 20 * round_)
    assert protocol.state is State.OPEN
    protocol.data_to_send()
    protocol.events()
    # The application has room for pings of its own, and only the newest of keepalive's is waited for.
    protocol.ping(b"mine", now=60_000)
    protocol.receive_data(frame(protocol, Opcode.PONG, b"mine"), 60_001)
    assert [event.latency for event in protocol.events() if isinstance(event, PingAcknowledged)] == [21, 1]


def test_pings_of_the_application_are_bounded(make_open: Make, side: str, frame: Make, sent: Make) -> None:
    protocol = make_open(side, ping_interval=20, ping_timeout=10)
    for _ in range(1024):
        last = protocol.ping(now=1)
    with pytest.raises(InvalidState, match="1024 pings wait for their pongs already"):
        protocol.ping(now=1)
    assert len(sent(protocol)) == 1024
    protocol.handle_deadline(20)  # keepalive goes on
    assert len(sent(protocol)) == 1
    protocol.receive_data(frame(protocol, Opcode.PONG, last), 21)
    protocol.ping(now=22)


def test_lifetime(make_open: Make, side: str, closing: Make, sent: Make) -> None:
    protocol = make_open(side, max_lifetime=7, close_timeout=3)
    assert protocol.next_deadline() == 7
    protocol.handle_deadline(7)
    assert sent(protocol) == [Close(1001, "connection reached its largest age")]
    assert protocol.next_deadline() == 10
    protocol.receive_data(closing(protocol, 1001), 8)
    assert protocol.cause is Cause.LIFETIME
    protocol.receive_eof(8)
    assert type(protocol.close_exc).__name__ == "ConnectionClosedOK"


def test_lifetime_and_heartbeat_at_once(make_open: Make, side: str, sent: Make) -> None:
    protocol = make_open(side, ping_interval=20, ping_timeout=10, max_lifetime=30)
    protocol.handle_deadline(20)
    protocol.handle_deadline(30)
    assert [type(item) for item in sent(protocol)] == [Ping, Close]
    assert protocol.cause is Cause.HEARTBEAT


@pytest.mark.feature("tune the memory of compression")
def test_idle_extensions_release_memory(make_open: Make, side: str, rot: Any, frame: Make) -> None:
    protocol = make_open(side, ping_interval=None, idle_release=10, extensions=[rot()])
    (extension,) = protocol.extensions
    assert protocol.next_deadline() == 10
    protocol.send_text("x")
    protocol.handle_deadline(10)
    assert extension.released == 0
    protocol.receive_data(frame(protocol, Opcode.TEXT, "x"), 15)
    protocol.handle_deadline(20)
    assert extension.released == 0
    protocol.receive_data(frame(protocol, Opcode.PING, "x"), 25)  # of no interest to extensions
    protocol.handle_deadline(30)
    assert extension.released == 1


@pytest.mark.parametrize("way", ["in", "out"])
def test_nothing_is_released_within_a_message(make_open: Make, side: str, rot: Any, frame: Make, way: str) -> None:
    protocol = make_open(side, ping_interval=None, idle_release=10, extensions=[rot()])
    (extension,) = protocol.extensions
    if way == "in":
        protocol.receive_data(frame(protocol, Opcode.TEXT, "b", False, rsv=0x20), 1)
    else:
        protocol.send_text("a", fin=False)
    for time in (10, 20, 30):
        protocol.handle_deadline(time)
    assert extension.released == 0
    if way == "in":
        protocol.receive_data(frame(protocol, Opcode.CONT, "c"), 31)
        assert protocol.events() == ["ab"]
    else:
        protocol.send_continuation("b")
    protocol.handle_deadline(50)
    protocol.handle_deadline(60)
    assert extension.released == 1


@pytest.mark.parametrize("extended", [True, False])
def test_without_extensions_or_interval_nothing_is_released(
    make_open: Make, side: str, rot: Any, extended: bool
) -> None:
    settings = {"extensions": [rot()], "idle_release": None} if extended else {"idle_release": 10}
    assert make_open(side, ping_interval=None, **settings).next_deadline() is None


def test_lifetime_comes_after_a_release(make_open: Make, side: str, rot: Any) -> None:
    protocol = make_open(side, ping_interval=None, idle_release=10, max_lifetime=10, extensions=[rot()])
    (extension,) = protocol.extensions
    protocol.handle_deadline(10)
    assert extension.released == 1
    assert protocol.state is State.CLOSING
