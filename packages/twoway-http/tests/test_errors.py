from __future__ import annotations

import pickle

import pytest

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
    URIError,
    VersionError,
)

UPGRADE = [("Upgrade", "websocket"), ("Connection", "Upgrade")]


@pytest.mark.parametrize(
    ("error", "status", "headers", "text"),
    [
        (HTTPError("what happened", 418, [("A", "b")]), 418, [("A", "b")], "what happened"),
        (ParseError("bad bytes"), 400, [], "bad bytes"),
        (LimitError("body", 9, 413), 413, [], "HTTP body over the limit of 9"),
        (VersionError("HTTP/2.0"), 505, [], "unsupported HTTP version: 'HTTP/2.0'"),
        (MethodError("PUT"), 405, [("Allow", "GET")], "unsupported HTTP method: 'PUT'"),
        (UpgradeError("Upgrade"), 426, UPGRADE, "missing Upgrade header"),
        (UpgradeError("Connection", "close"), 426, UPGRADE, "invalid Connection header: 'close'"),
        (HeaderError("Name"), 400, [], "missing Name header"),
        (HeaderError("Name", "a\r"), 400, [], "invalid Name header: 'a\\r'"),
        (HeaderError("Name", problem="repeated"), 400, [], "repeated Name header"),
        (HeaderError("Name", "v", "odd", 499, [("A", "b")]), 499, [("A", "b")], "odd Name header: 'v'"),
        (HostError("x", "unknown", 421), 421, [], "unknown Host header: 'x'"),
        (OriginError("null"), 403, [], "forbidden Origin header: 'null'"),
        (OriginError(), 403, [], "missing Origin header"),
        (StatusError(Response(404, "Not Found")), 404, [], "server answered the opening handshake with HTTP 404"),
    ],
)
def test_facts_and_text_survive_pickling(error, status, headers, text):
    for exc in (error, pickle.loads(pickle.dumps(error))):
        assert isinstance(exc, HTTPError)
        assert (exc.status, exc.headers, str(exc)) == (status, headers, text)


def test_details():
    assert (LimitError("body", 9).what, LimitError("body", 9).limit) == ("body", 9)
    assert VersionError("HTTP/2.0").version == "HTTP/2.0"
    assert MethodError("PUT").method == "PUT"
    assert (UpgradeError("Upgrade", "x").name, UpgradeError("Upgrade", "x").value) == ("Upgrade", "x")
    assert (HostError("x").name, HostError("x").value, HostError("x").problem) == ("Host", "x", "invalid")
    assert StatusError(Response(404, "Not Found")).response == Response(404, "Not Found")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("ws://example.com/", "ws://example.com/"),
        ("ws://user:secret@example.com/", "ws://***@example.com/"),
        ("ws://user:secr/et@example.com/", "ws://***@example.com/"),
        ("user:secret@example.com", "***@example.com"),
    ],
)
def test_uri_error_hides_credentials(uri, shown):
    exc = pickle.loads(pickle.dumps(URIError(uri, "it is odd")))
    assert exc.uri == shown
    assert exc.reason == "it is odd"
    assert str(exc) == f"{shown!r} is not a WebSocket URI: it is odd"
    assert isinstance(exc, ValueError)
