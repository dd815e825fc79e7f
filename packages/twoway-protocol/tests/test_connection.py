"""An open connection: receiving, sending, and what is logged."""

from __future__ import annotations

import gc
import logging
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from twoway.frames import Close, Fragment, Opcode, Ping, Pong
from twoway.protocol import (
    Cause,
    ClientProtocol,
    ConnectionClosedError,
    InvalidState,
    PingAcknowledged,
    Protocol,
    ServerProtocol,
    State,
)

Make = Callable[..., Any]


# Receiving


@pytest.mark.feature("send a message")
@pytest.mark.feature("receive a message")
def test_messages(make_open: Make, side: str, frame: Make) -> None:
    protocol = make_open(side)
    data = frame(protocol, Opcode.TEXT, "é") + frame(protocol, Opcode.BINARY, b"\xff")
    data += frame(protocol, Opcode.TEXT, "a", False) + frame(protocol, Opcode.CONT, "b")
    protocol.receive_data(data, 1)
    assert protocol.events() == ["é", b"\xff", "ab"]
    assert protocol.events() == []
    assert protocol.data_to_send() == []


@pytest.mark.feature("send a message in fragments")
@pytest.mark.feature("receive a message frame by frame")
def test_fragments_frame_by_frame(make_open: Make, side: str, frame: Make) -> None:
    protocol = make_open(side, fragments=True)
    protocol.receive_data(frame(protocol, Opcode.TEXT, "a", False), 1)
    assert protocol.events() == [Fragment("a", True, False)]
    protocol.receive_data(frame(protocol, Opcode.PING, b"!") + frame(protocol, Opcode.CONT, "b"), 2)
    assert protocol.events() == [Ping(b"!"), Fragment("b", False, True)]
    protocol.receive_data(frame(protocol, Opcode.TEXT, "whole"), 3)
    assert protocol.events() == ["whole"]


@pytest.mark.feature("send a message")
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer(make_open: Make, side: str, frame: Make, kind: Callable[[bytes], Any]) -> None:
    protocol = make_open(side)
    protocol.receive_data(kind(frame(protocol, Opcode.TEXT, "x")), 1)
    assert protocol.events() == ["x"]


def test_wrong_bytes_of_the_caller(make_open: Make, side: str) -> None:
    protocol = make_open(side)
    with pytest.raises(TypeError):
        protocol.receive_data("x", 1)
    assert protocol.state is State.OPEN


@pytest.mark.feature("answer pings")
def test_pings_are_answered(make_open: Make, side: str, frame: Make, sent: Make) -> None:
    protocol = make_open(side)
    protocol.receive_data(frame(protocol, Opcode.PING, b"1") + frame(protocol, Opcode.PING, b"2"), 1)
    assert protocol.events() == [Ping(b"1"), Ping(b"2")]
    assert sent(protocol) == [Pong(b"1"), Pong(b"2")]


@pytest.mark.feature("answer pings")
def test_only_the_newest_ping_is_answered_while_writing_is_paused(
    make_open: Make, side: str, frame: Make, sent: Make
) -> None:
    protocol = make_open(side)
    protocol.pause_writing()
    for number in range(1000):
        protocol.receive_data(frame(protocol, Opcode.PING, b"%d" % number), 1)
    assert protocol.data_to_send() == []
    protocol.resume_writing()
    assert sent(protocol) == [Pong(b"999")]
    protocol.resume_writing()
    assert protocol.data_to_send() == []
    protocol.receive_data(frame(protocol, Opcode.PING, b"x"), 1)
    assert sent(protocol) == [Pong(b"x")]


def test_held_pong_does_not_follow_a_close_frame(make_open: Make, side: str, frame: Make, sent_frames: Make) -> None:
    protocol = make_open(side)
    protocol.pause_writing()
    protocol.receive_data(frame(protocol, Opcode.PING, b"x"), 1)
    protocol.close(now=1)
    protocol.resume_writing()
    assert [frame.opcode for frame in sent_frames(protocol)] == [Opcode.CLOSE]


def test_nothing_follows_a_close_frame(make_open: Make, side: str, frame: Make, sent_frames: Make) -> None:
    protocol = make_open(side)
    protocol.close(now=1)
    for call in (
        lambda: protocol.send_text("x"),
        lambda: protocol.send_binary(b"x"),
        lambda: protocol.send_continuation(b"x"),
        lambda: protocol.ping(now=1),
        lambda: protocol.pong(),
    ):
        with pytest.raises(ConnectionClosedError):
            call()
    protocol.close(1001, now=1)
    protocol.receive_data(frame(protocol, Opcode.PING, b"x"), 1)
    protocol.receive_data(frame(protocol, Opcode.CLOSE, b"\x03\xe8"), 1)
    protocol.fail(1011, now=1)
    assert [frame.opcode for frame in sent_frames(protocol)] == [Opcode.CLOSE]


@pytest.mark.feature("receive a message")
def test_messages_arrive_after_our_close_frame(make_open: Make, side: str, frame: Make, closing: Make) -> None:
    protocol = make_open(side)
    protocol.close(now=1)
    protocol.receive_data(frame(protocol, Opcode.TEXT, "late") + frame(protocol, Opcode.PING), 1)
    assert protocol.events() == ["late", Ping()]
    protocol.receive_data(closing(protocol) + frame(protocol, Opcode.TEXT, "too late"), 1)
    assert protocol.events() == [Close(1000)]


@pytest.mark.feature("send pings")
@pytest.mark.feature("measure latency")
def test_pongs(make_open: Make, side: str, frame: Make, sent: Make) -> None:
    protocol = make_open(side)
    first, second = protocol.ping("first", now=1), protocol.ping(now=2)
    assert first == b"first"
    assert sent(protocol) == [Ping(first), Ping(second)]
    protocol.receive_data(frame(protocol, Opcode.PONG, b"unknown"), 3)
    assert protocol.events() == [Pong(b"unknown")]
    assert protocol.latency == 0
    protocol.receive_data(frame(protocol, Opcode.PONG, second), 4)
    assert protocol.events() == [Pong(second), PingAcknowledged(first, 3), PingAcknowledged(second, 2)]
    assert protocol.latency == 2


def test_pong_that_nobody_asked_for(make_open: Make, side: str, frame: Make, sent: Make) -> None:
    protocol = make_open(side)
    protocol.receive_data(frame(protocol, Opcode.PONG, b"x"), 1)
    assert protocol.events() == [Pong(b"x")]
    protocol.pong("héllo")
    protocol.pong()
    assert sent(protocol) == [Pong("héllo".encode()), Pong()]


VIOLATIONS = {
    "reserved opcode": (b"\x83\x80\x00\x00\x00\x00", b"\x83\x00", 1002),
    "reserved bit": (b"\xc1\x80\x00\x00\x00\x00", b"\xc1\x00", 1002),
    "mask": (b"\x81\x00", b"\x81\x80\x00\x00\x00\x00", 1002),
    "fragmented ping": (b"\x09\x80\x00\x00\x00\x00", b"\x09\x00", 1002),
    "not UTF-8": (b"\x81\x81\x00\x00\x00\x00\xff", b"\x81\x01\xff", 1007),
    "too big": (b"\x82\xfe\x01\x00", b"\x82\x7e\x01\x00", 1009),
    "half a close code": (b"\x88\x81\x00\x00\x00\x00\x03", b"\x88\x01\x03", 1002),
    "code 1005 on the wire": (b"\x88\x82\x00\x00\x00\x00\x03\xed", b"\x88\x02\x03\xed", 1002),
    "reason not UTF-8": (b"\x88\x83\x00\x00\x00\x00\x03\xe8\xff", b"\x88\x03\x03\xe8\xff", 1007),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violation(make_open: Make, side: str, frame: Make, sent: Make, name: str) -> None:
    protocol = make_open(side, max_size=200)
    for_server, for_client, code = VIOLATIONS[name]
    bad = for_server if side == "server" else for_client
    if name == "too big":
        bad += b"\x00" * 300
    before = frame(protocol, Opcode.TEXT, "before") + frame(protocol, Opcode.PING, b"?")
    protocol.receive_data(before + bad + frame(protocol, Opcode.TEXT, "after"), 1)
    # What came before counts and is answered; what comes after is discarded.
    assert protocol.events() == ["before", Ping(b"?")]
    pong, close = sent(protocol)
    assert pong == Pong(b"?")
    assert close.code == code
    assert close.reason
    assert protocol.state is State.CLOSING
    assert protocol.half_close
    assert not protocol.aborted
    protocol.receive_data(frame(protocol, Opcode.TEXT, "after") + bad, 2)
    assert protocol.events() == []
    assert protocol.data_to_send() == []
    protocol.receive_eof(3)
    (closed,) = protocol.events()
    assert closed.error.cause is Cause.REMOTE_ERROR
    assert closed.error.sent == close
    assert closed.error.rcvd is None
    assert closed.error.code == protocol.close_code == 1006
    assert closed.error.__cause__.close_code == code


def test_long_reasons_are_cut(make_open: Make, side: str, sent: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from twoway.frames import ProtocolError

    protocol = make_open(side)
    monkeypatch.setattr(ProtocolError, "__str__", lambda self: "é" * 100)
    protocol.receive_data(b"\x83\x00", 1)
    assert sent(protocol) == [Close(1002, "é" * 61)]


# Sending


@pytest.mark.feature("send a message")
@pytest.mark.feature("send pongs")
def test_sending(make_open: Make, side: str, sent: Make) -> None:
    protocol = make_open(side)
    protocol.send_text("é")
    protocol.send_text("é".encode())
    protocol.send_binary(b"\xff")
    protocol.send_text("a", fin=False)
    protocol.send_continuation("b", fin=False)
    protocol.pong()
    protocol.send_continuation(b"c")
    assert sent(protocol) == [
        *("é", "é", b"\xff", Fragment("a", True, False), Fragment("b"), Pong(), Fragment("c", False, True))
    ]


def test_buffers_are_not_empty_and_in_order(make_open: Make, side: str) -> None:
    protocol = make_open(side)
    protocol.send_text("")
    protocol.send_binary(b"")
    data = protocol.data_to_send()
    assert [piece[0] for piece in data] == [0x81, 0x82]
    assert protocol.data_to_send() == []


def test_sending_before_the_connection_is_open() -> None:
    for protocol in (ClientProtocol("ws://localhost/"), ServerProtocol()):
        for call in (
            lambda p=protocol: p.send_text("x"),
            lambda p=protocol: p.send_binary(b"x"),
            lambda p=protocol: p.send_continuation(b"x"),
            lambda p=protocol: p.ping(now=1),
            lambda p=protocol: p.pong(),
            lambda p=protocol: p.close(now=1),
        ):
            with pytest.raises(InvalidState, match="the opening handshake is not finished"):
                call()
        assert protocol.data_to_send() == []


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda p: p.send_text(1), TypeError, "data must be str or bytes-like, not int"),
        (lambda p: p.send_text(b"\xff"), ValueError, "data of a text message must be UTF-8"),
        (lambda p: p.send_text("\udc00"), ValueError, "data must be text without lone surrogates"),
        (lambda p: p.send_binary("x"), TypeError, "data must be bytes-like in a binary message, not str"),
        (lambda p: p.send_continuation("x"), InvalidState, "no fragmented message is being sent"),
        (lambda p: p.ping(1, now=1), TypeError, "data must be str or bytes-like, not int"),
        (lambda p: p.ping("x" * 126, now=1), ValueError, "data must be at most 125 bytes long, not 126"),
        (lambda p: p.pong(None), TypeError, "data must be str or bytes-like, not NoneType"),
        (lambda p: p.pong("\udc00"), ValueError, "data must be at most 125 bytes, text as UTF-8"),
        (lambda p: p.close(999, now=1), ValueError, "code must be 1000-1003, 1007-1014 or 3000-4999, not 999"),
        (lambda p: p.close(1006, now=1), ValueError, "code must be 1000-1003"),
        (lambda p: p.close(1005, "x", now=1), ValueError, "code must be 1000-1003"),
        (lambda p: p.close(1000, "é" * 62, now=1), ValueError, "reason must be at most 123 bytes of UTF-8, not 124"),
        (lambda p: p.close("1000", now=1), TypeError, "code must be an int and reason a str"),
        (lambda p: p.close(1000, b"x", now=1), TypeError, "code must be an int and reason a str"),
        (lambda p: p.fail(1005, "x", now=1), ValueError, "code must be 1000-1003"),
        (lambda p: p.fail(1011, None, now=1), TypeError, "code must be an int and reason a str"),
    ],
)
def test_wrong_arguments(
    make_open: Make, side: str, call: Callable[[Any], object], kind: type[Exception], message: str
) -> None:
    protocol = make_open(side)
    with pytest.raises(kind) as caught:
        call(protocol)
    assert str(caught.value).startswith(message)
    assert protocol.state is State.OPEN
    assert protocol.data_to_send() == []


@pytest.mark.feature("send pings")
def test_pings_in_flight_differ(make_open: Make, side: str) -> None:
    protocol = make_open(side)
    protocol.ping(b"x", now=1)
    with pytest.raises(ValueError, match="data must differ"):
        protocol.ping(b"x", now=1)


# Extensions


@pytest.mark.feature("extensions of one's own")
def test_extensions_work_in_both_directions(
    make_open: Make, side: str, rot: Any, frame: Make, sent_frames: Make
) -> None:
    protocol = make_open(side, extensions=[rot(1)])
    assert [extension.name for extension in protocol.extensions] == ["rot"]
    protocol.receive_data(frame(protocol, Opcode.TEXT, "bcd", rsv=0x20), 1)
    assert protocol.events() == ["abc"]
    protocol.send_text("abc", compress=False)
    protocol.send_binary(b"ab", fin=False, compress=True)
    protocol.send_continuation(b"c")
    assert [(f.data, f.rsv2) for f in sent_frames(protocol)] == [(b"bcd", True), (b"bc", True), (b"d", False)]
    assert protocol.extensions[0].calls == [False, True, True]


@pytest.mark.feature("extensions of one's own")
def test_extensions_are_closed_once(make_open: Make, side: str, rot: Any) -> None:
    protocol = make_open(side, extensions=[rot()])
    (extension,) = protocol.extensions
    protocol.close(now=1)
    assert extension.closed == 0
    protocol.receive_eof(2)
    protocol.abort()
    assert extension.closed == 1


# Logging


@pytest.fixture
def logger() -> logging.Logger:
    logger = logging.getLogger("twoway.test")
    logger.setLevel(logging.DEBUG)
    return logger


@pytest.mark.feature("logging")
def test_frames_are_logged(
    make_open: Make, side: str, frame: Make, closing: Make, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    protocol = make_open(side, logger=logger, fragments=True)
    # The two sides share the logger.
    assert [record.getMessage() for record in caplog.records] == [
        *("> GET /", "< GET /", "> HTTP/1.1 101 'Switching Protocols'", "< HTTP/1.1 101 'Switching Protocols'")
    ]
    caplog.clear()
    protocol.receive_data(frame(protocol, Opcode.TEXT, "a\n\x1b[2J") + frame(protocol, Opcode.BINARY, b"\x01"), 1)
    protocol.receive_data(frame(protocol, Opcode.TEXT, "a", False) + frame(protocol, Opcode.CONT, "b"), 1)
    protocol.send_text(b"c", fin=False)
    protocol.send_continuation("d")
    protocol.receive_data(frame(protocol, Opcode.PING, b"\x02") + closing(protocol, 1000, "bye\n"), 1)
    assert [record.getMessage() for record in caplog.records] == [
        "< TEXT 'a\\n\\x1b[2J' [6 characters]",
        "< BINARY 01 [1 bytes]",
        "< FRAGMENT 'a'",
        "< FRAGMENT 'b' (end)",
        "> TEXT (to be continued) 63",
        "> CONT 'd'",
        "< PING 02",
        "< CLOSE 1000 (OK) bye\\n",
        "> PONG 02",
        "> CLOSE 03 e8 62 79 65 0a",
    ]
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


@pytest.mark.feature("logging")
def test_nothing_is_logged_above_debug(
    make_open: Make, side: str, logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    logger.setLevel(logging.INFO)
    protocol = make_open(side, logger=logger)
    protocol.send_text("x")
    protocol.receive_data(b"\x83\x00", 1)
    assert caplog.records == []


# Memory


@pytest.mark.parametrize("end", ["close", "violation", "abort", "lost"])
def test_connections_are_freed_without_the_garbage_collector(
    make_open: Make, side: str, closing: Make, end: str, rot: Any
) -> None:
    gc.collect()
    gc.disable()
    try:
        protocol: Protocol = make_open(side, extensions=[rot()])
        protocol.send_text("x")
        if end == "violation":
            protocol.receive_data(b"\x83\x00", 1)
        elif end == "abort":
            protocol.abort()
        elif end == "close":
            protocol.receive_data(closing(protocol), 1)
        protocol.receive_eof(1, OSError("gone"))
        error = protocol.events()[-1]
        alive = weakref.ref(protocol)
        del protocol
        assert alive() is None
        assert error is not None
    finally:
        gc.enable()
