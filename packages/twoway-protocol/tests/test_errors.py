"""What users catch, and what it is made from."""

from __future__ import annotations

import copy
import pickle

import pytest

from twoway.frames import Close
from twoway.http import (
    HeaderError,
    HostError,
    HTTPError,
    LimitError,
    MethodError,
    OriginError,
    ParseError,
    Response,
    StatusError,
    UpgradeError,
    VersionError,
)
from twoway.protocol import (
    Cause,
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidHeader,
    InvalidMessage,
    InvalidNegotiation,
    InvalidOrigin,
    InvalidState,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    SecurityError,
)
from twoway.protocol._errors import convert_http_error, make_connection_closed

RESPONSE = Response(403, "Forbidden")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ParseError("malformed"), InvalidMessage, "malformed"),
        (LimitError("header line", 10), SecurityError, "HTTP header line over the limit of 10"),
        (VersionError("HTTP/2.0"), InvalidMessage, "unsupported HTTP version: 'HTTP/2.0'"),
        (MethodError("PUT"), InvalidMessage, "unsupported HTTP method: 'PUT'"),
        (UpgradeError("Upgrade"), InvalidUpgrade, "missing Upgrade header"),
        (HeaderError("Sec-WebSocket-Key", "x"), InvalidHeader, "invalid Sec-WebSocket-Key header: 'x'"),
        (HostError("a b"), InvalidHeader, "invalid Host header: 'a b'"),
        (OriginError("null"), InvalidOrigin, "forbidden Origin header: 'null'"),
        (StatusError(RESPONSE), InvalidStatus, "server rejected WebSocket connection: HTTP 403"),
        (HTTPError("something"), InvalidMessage, "something"),
    ],
)
def test_http_errors_are_converted(error: HTTPError, kind: type[InvalidHandshake], message: str) -> None:
    converted = convert_http_error(error)
    assert type(converted) is kind
    assert isinstance(converted, InvalidHandshake)
    assert str(converted) == message
    assert converted.__cause__ is error


def test_facts_survive_conversion() -> None:
    header = convert_http_error(HeaderError("Sec-WebSocket-Key", "x"))
    assert isinstance(header, InvalidHeader)
    assert (header.name, header.value) == ("Sec-WebSocket-Key", "x")
    status = convert_http_error(StatusError(RESPONSE))
    assert isinstance(status, InvalidStatus)
    assert status.response is RESPONSE


def test_messages_of_headers() -> None:
    assert str(InvalidHeader("Upgrade")) == "missing Upgrade header"
    assert str(InvalidHeader("Upgrade", "h2c")) == "invalid Upgrade header: 'h2c'"
    assert str(InvalidHeader("Upgrade", "h2c", "no")) == "no"


def test_uri() -> None:
    error = InvalidURI("http://localhost", "its scheme is not ws or wss")
    assert str(error) == "http://localhost isn't a valid URI: its scheme is not ws or wss"
    assert isinstance(error, ValueError)
    assert (error.uri, error.msg) == ("http://localhost", "its scheme is not ws or wss")


@pytest.mark.feature("close codes and reasons of both sides, and who was first")
@pytest.mark.parametrize(
    ("rcvd", "sent", "first", "kind"),
    [
        (Close(1000), Close(1000), True, ConnectionClosedOK),
        (Close(1001), Close(1001), False, ConnectionClosedOK),
        (Close(1005), Close(1005), True, ConnectionClosedOK),
        (Close(1000), Close(1001), False, ConnectionClosedOK),
        (Close(1000), Close(1011), False, ConnectionClosedError),
        (Close(1002), Close(1002), True, ConnectionClosedError),
        (Close(4000), Close(4000), True, ConnectionClosedError),
        (None, Close(1000), None, ConnectionClosedError),
        (None, None, None, ConnectionClosedError),
    ],
)
def test_orderly_ends(rcvd: Close | None, sent: Close | None, first: bool | None, kind: type[ConnectionClosed]) -> None:
    error = OSError("gone")
    exc = make_connection_closed(rcvd, sent, first, Cause.REMOTE_CLOSE, error)
    assert type(exc) is kind
    assert (exc.rcvd, exc.sent, exc.rcvd_then_sent, exc.cause) == (rcvd, sent, first, Cause.REMOTE_CLOSE)
    assert exc.__cause__ is error
    assert exc.code == (1006 if rcvd is None else rcvd.code)
    assert exc.reason == ""


@pytest.mark.feature("tell why a connection ended")
@pytest.mark.feature("close codes and reasons of both sides, and who was first")
def test_text_tells_order_and_cause() -> None:
    rcvd, sent = Close(1001, "bye"), Close(1000)
    texts = [
        str(ConnectionClosed(rcvd, sent, True, Cause.REMOTE_CLOSE)),
        str(ConnectionClosed(rcvd, sent, False, Cause.LOCAL_CLOSE)),
        str(ConnectionClosed(None, sent, None, Cause.CLOSE_TIMEOUT)),
        str(ConnectionClosed()),
    ]
    assert texts == [
        "closed by the peer; received 1001 (going away) bye, then sent 1000 (OK)",
        "closed by us; sent 1000 (OK), then received 1001 (going away) bye",
        "the closing handshake took too long; sent 1000 (OK)",
        "the peer ended the stream without a closing handshake; no Close frame received or sent",
    ]


@pytest.mark.feature("tell why a connection ended")
def test_reason() -> None:
    assert ConnectionClosed(Close(1001, "bye")).reason == "bye"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionClosedOK(Close(1000, "x"), Close(1000), True, Cause.REMOTE_CLOSE),
        InvalidURI("ws:", "no host"),
        InvalidStatus(RESPONSE),
        InvalidHeader("Upgrade", "x", "no"),
        InvalidNegotiation("no"),
    ],
)
def test_errors_travel(error: Exception) -> None:
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert vars(other).keys() == vars(error).keys()


def test_callers_bugs_are_runtime_errors() -> None:
    assert issubclass(InvalidState, RuntimeError)
    assert issubclass(ConcurrencyError, RuntimeError)
