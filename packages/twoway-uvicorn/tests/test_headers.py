"""Fields of answers."""

from __future__ import annotations

import pytest

from twoway.http import Headers, Response
from twoway.uvicorn._headers import accept_with, complete, make_denial, read_fields


def test_bytes_to_text():
    pairs = [(b"a", b"\xe9"), (bytearray(b"b"), memoryview(b"c"))]
    assert read_fields(pairs) == [("a", "é"), ("b", "c")]


def test_an_acceptance_is_not_changed():
    given = Response(101, "Switching Protocols", Headers({"Upgrade": "websocket"}))
    made = accept_with(given, [("X", "1"), ("X", "2")], "chat")
    assert list(given.headers.raw_items()) == [("Upgrade", "websocket")]
    assert made.headers.get_all("X") == ["1", "2"]
    assert (made.status_code, made.headers["Sec-WebSocket-Protocol"]) == (101, "chat")


@pytest.mark.parametrize(
    "name", ["Connection", "upgrade", "Content-Length", "transfer-encoding", "Sec-WebSocket-Accept"]
)
def test_fields_of_the_handshake(name):
    with pytest.raises(ValueError, match=name):
        accept_with(Response(101, ""), [(name, "1")], None)


def test_a_denial_has_the_fields_of_the_application_only():
    refusal = Response.text(401, "")
    made = make_denial(refusal, [("Content-Length", "2"), ("transfer-encoding", "chunked")], b"no")
    assert list(made.headers.raw_items()) == [("Content-Length", "2")]
    assert (made.status_code, made.reason_phrase, made.body) == (401, "Unauthorized", b"no")


def test_what_is_missing_is_added():
    response = Response(200, "", Headers({"Date": "mine"}))
    complete(response, [("date", "d"), ("server", "s"), ("x", "1"), ("x", "2")])
    assert list(response.headers.raw_items()) == [("Date", "mine"), ("server", "s"), ("x", "1"), ("x", "2")]
