"""Plain HTTP on the port of a server, as it is on the wire: probes, HEAD, bodies and their limit."""

from __future__ import annotations

import time

import pytest

from twoway.http import HTTPLimits
from twoway.threading import Response, connect


def application(connection, request):
    """Answer some paths; the others are for WebSocket."""
    if request.path == "/health":
        return connection.respond(200, "I am well.\n")
    if request.path == "/mirror":
        return connection.respond(200, f"{request.method} {request.body.decode('latin-1')}\n")
    if request.path == "/empty":
        return Response(204, "No Content")
    return None


@pytest.fixture
def exchange(serving, wire):
    """Send bytes, in pieces; give status line, header lines and body of all that comes back."""

    def exchange(*pieces, **options):
        options.setdefault("process_request", application)
        with serving(**options) as (_, uri), wire.client(uri, b"") as stream:
            for piece in pieces:
                stream.write(piece)
                time.sleep(0.01)
            head, _, body = stream.read().partition(b"\r\n\r\n")
            status, *headers = head.decode().split("\r\n")
            return status, headers, body.decode()

    return exchange


def post(body, *lines):
    return b"\r\n".join([b"POST /mirror HTTP/1.1", b"Host: localhost", *lines, b"", body])


@pytest.mark.feature("answer with an HTTP response")
def test_get(exchange):
    status, headers, body = exchange(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, body) == ("HTTP/1.1 200 OK", "I am well.\n")
    assert {"Content-Length: 11", "Connection: close"} <= set(headers)


@pytest.mark.feature("answer with an HTTP response")
def test_head_has_the_headers_of_get_and_no_body(exchange):
    status, headers, body = exchange(b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, body) == ("HTTP/1.1 200 OK", "")
    assert "Content-Length: 11" in headers


def test_an_answer_without_content(exchange):
    status, headers, body = exchange(b"GET /empty HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, body) == ("HTTP/1.1 204 No Content", "")
    assert not any(header.startswith("Content-Length") for header in headers)


@pytest.mark.feature("answer with an HTTP response")
@pytest.mark.parametrize(
    "probe", [b"GET /health HTTP/1.0\r\n\r\n", b"GET /health HTTP/1.0\r\nHost: 10.0.0.1:80\r\n\r\n"]
)
def test_probes_of_load_balancers_speak_http_1_0(exchange, probe):
    status, _, body = exchange(probe)
    assert (status, body) == ("HTTP/1.1 200 OK", "I am well.\n")


def test_a_websocket_handshake_needs_http_1_1(exchange, wire):
    status, _, _ = exchange(wire.REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert status.startswith("HTTP/1.1 505 ")


@pytest.mark.feature("answer with an HTTP response")
@pytest.mark.parametrize(
    "pieces",
    [
        [post(b"hello", b"Content-Length: 5")],
        [post(b"he", b"Content-Length: 5"), b"l", b"lo"],
        [post(b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"Transfer-Encoding: chunked")],
        [post(b"2\r\nhe\r\n", b"Transfer-Encoding: chunked"), b"3\r\nl", b"lo\r\n0\r", b"\n\r\n"],
    ],
)
def test_post_has_a_body(exchange, pieces):
    status, _, body = exchange(*pieces)
    assert (status, body) == ("HTTP/1.1 200 OK", "POST hello\n")


def test_post_without_a_body(exchange):
    assert exchange(post(b""))[2] == "POST \n"


def test_a_slow_function_gets_the_body_too(exchange):
    def process_request(connection, request):
        time.sleep(0.01)
        return connection.respond(202, request.body.decode())

    status, _, body = exchange(post(b"hello", b"Content-Length: 5"), process_request=process_request)
    assert (status, body) == ("HTTP/1.1 202 Accepted", "hello")


@pytest.mark.feature("answer with an HTTP response")
@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_are_limited(exchange, size, chunked):
    if chunked:
        request = post(b"1\r\nx\r\n" * size + b"0\r\n\r\n", b"Transfer-Encoding: chunked")
    else:
        request = post(b"x" * size, b"Content-Length: %d" % size)
    status, headers, _ = exchange(request, limits=HTTPLimits(max_body=4))
    assert status.split()[1] == ("200" if size == 4 else "413")
    assert "Connection: close" in headers


def test_a_large_body_is_refused_before_it_comes(exchange):
    status, _, _ = exchange(post(b"", b"Content-Length: 1048577"))
    assert status.startswith("HTTP/1.1 413 ")


def test_no_body_is_wanted_when_the_limit_is_zero(exchange):
    assert exchange(post(b"", b"Content-Length: 0"), limits=HTTPLimits(max_body=0))[2] == "POST \n"
    assert exchange(post(b"x", b"Content-Length: 1"), limits=HTTPLimits(max_body=0))[0].split()[1] == "413"


def test_a_body_that_does_not_come_is_waited_for_until_the_opening_timeout(exchange):
    status, _, _ = exchange(post(b"he", b"Content-Length: 5"), open_timeout=0.1)
    assert status.startswith("HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("method", "expected"), [("GET", "426"), ("HEAD", "405"), ("POST", "405"), ("OPTIONS", "405"), ("BREW", "405")]
)
def test_what_nobody_answers_is_refused(exchange, method, expected):
    status, headers, _ = exchange(b"%s / HTTP/1.1\r\nHost: localhost\r\n\r\n" % method.encode())
    assert status.split()[1] == expected
    assert ("Upgrade: websocket" in headers) is (expected == "426")
    assert ("Allow: GET" in headers) is (expected == "405")


@pytest.mark.feature("answer with an HTTP response")
def test_websocket_goes_on_beside_it(serving, wire):
    with serving(process_request=application) as (_, uri), connect(uri) as client:
        with wire.client(uri, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n") as stream:
            assert stream.read().endswith(b"I am well.\n")
        client.send("hello")
        assert client.recv() == "hello"


@pytest.mark.feature("answer with an HTTP response")
def test_over_tls(serving, wire, tls):
    with (
        serving(process_request=application, ssl=tls.server) as (_, uri),
        wire.client(uri, b"GET /health HTTP/1.0\r\n\r\n", ssl=tls.client) as stream,
    ):
        assert stream.read().endswith(b"I am well.\n")
