from __future__ import annotations

import pytest

from twoway.http import Headers, Request, Response


def test_request():
    request = Request("/chat?a=b", Headers({"Host": "h"}))
    assert request.serialize() == b"GET /chat?a=b HTTP/1.1\r\nHost: h\r\n\r\n"


def test_request_with_everything():
    request = Request("/", Headers({"Host": "h"}), "POST", b"body", "HTTP/1.0")
    assert request.serialize() == b"POST / HTTP/1.0\r\nHost: h\r\n\r\nbody"


@pytest.mark.parametrize("path", ["", "chat", "*", "http://h/", "/a b", "/a\r\n", "/\x00", "/\u00e4", "/a#b", "/\x7f"])
def test_request_path_cannot_inject(path):
    with pytest.raises(ValueError, match="path must start with /"):
        Request(path).serialize()


@pytest.mark.parametrize("method", ["", "GET ", "G\r\nET", "G\u00c4T"])
def test_request_method_is_a_token(method):
    with pytest.raises(ValueError, match="method must be an HTTP token"):
        Request("/", method=method).serialize()


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/1.1\r\n", ""])
def test_request_version_is_supported(version):
    with pytest.raises(ValueError, match="version must be"):
        Request("/", version=version).serialize()


def test_each_message_has_its_own_headers():
    assert Request("/").headers is not Request("/").headers
    assert Response(200, "OK").headers is not Response(200, "OK").headers


def test_response():
    response = Response(101, "Switching Protocols", Headers({"Upgrade": "websocket"}))
    assert response.serialize() == b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


def test_response_to_head_keeps_the_length_but_not_the_body():
    response = Response.text(200, "ok")
    assert response.serialize().endswith(b"Content-Length: 2\r\n\r\nok")
    assert response.serialize(head=True).endswith(b"Content-Length: 2\r\n\r\n")


@pytest.mark.parametrize("status", [99, 600, 0, -1, 1000])
def test_response_status_range(status):
    with pytest.raises(ValueError, match="status_code must be 100-599"):
        Response(status, "X").serialize()


@pytest.mark.parametrize("reason", ["a\r\nb", "\n", "\x00", "\u20ac"])
def test_response_reason_cannot_inject(reason):
    with pytest.raises(ValueError, match="reason_phrase must be"):
        Response(200, reason).serialize()


def test_text_response():
    response = Response.text(404, "n\u00f6\n")
    assert (response.status_code, response.reason_phrase, response.body) == (404, "Not Found", b"n\xc3\xb6\n")
    assert dict(response.headers) == {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Length": "4",
        "Connection": "close",
    }


def test_text_response_with_headers():
    response = Response.text(299, "", {"content-type": "text/html", "Content-Length": "99", "X": "y"})
    assert response.reason_phrase == ""
    assert response.headers["Content-Type"] == "text/html"
    assert response.headers["Content-Length"] == "0"
    assert response.headers["X"] == "y"


@pytest.mark.parametrize("status", [101, 199, 600])
def test_text_response_is_final(status):
    with pytest.raises(ValueError, match="status must be 200-599"):
        Response.text(status, "")
