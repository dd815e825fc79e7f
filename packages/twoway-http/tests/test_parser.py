from __future__ import annotations

import contextlib
import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.http import (
    HostError,
    HTTPError,
    HTTPLimits,
    LimitError,
    ParseError,
    Request,
    RequestParser,
    Response,
    ResponseParser,
    VersionError,
)

# RFC 6455 §1.2
HANDSHAKE = (
    b"GET /chat HTTP/1.1\r\n"
    b"Host: server.example.com\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Origin: http://example.com\r\n"
    b"Sec-WebSocket-Protocol: chat, superchat\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
CLOSED = "connection closed while reading HTTP "


def test_request(parse_request):
    request, rest = parse_request(HANDSHAKE + b"\x81\x00")
    assert (request.method, request.path, request.version, request.body) == ("GET", "/chat", "HTTP/1.1", b"")
    assert request.headers["origin"] == "http://example.com"
    assert request.serialize() == HANDSHAKE
    assert rest == b"\x81\x00"


def test_one_empty_line_before_the_request(parse_request):
    assert parse_request(b"\r\n" + HANDSHAKE)[0].path == "/chat"
    assert parse_request(b"\r\n\r\n" + HANDSHAKE)[0] == (ParseError, "malformed HTTP request line: b''", 400)


@pytest.mark.parametrize(
    "line",
    [
        b"GET",
        b"GET /",
        b"GET / ",
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b" GET / HTTP/1.1",
        b"GET\t/\tHTTP/1.1",
        b"GET / x HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /\r HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /\xc3\xa4 HTTP/1.1",
        b"GET /#f HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET chat HTTP/1.1",
        b"GET http://h/ HTTP/1.1",
        b"CONNECT h:80 HTTP/1.1",
        b"G(T / HTTP/1.1",
        b"GET / http/1.1",
        b"GET / HTTP/1",
        b"GET / HTTP/1.10",
        b"GET / HTTP/\xb9.1",
        b"GET / HTTPS/1.1",
        b"\x16\x03\x01",
    ],
)
def test_malformed_request_lines(parse_request, line):
    outcome, rest = parse_request(line + b"\r\nHost: h\r\n\r\n")
    assert outcome[0] is ParseError
    assert outcome[2] == 400
    assert rest == b""


@pytest.mark.parametrize("line", [b"GET / HTTP/2.0", b"PRI * HTTP/2.0", b"GET / HTTP/0.9", b"GET / HTTP/1.2"])
def test_other_versions(parse_request, line):
    outcome, _ = parse_request(line + b"\r\n\r\n")
    assert outcome[0] is VersionError
    assert outcome[2] == 505


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS", b"X-Y"])
def test_any_method_and_http_1_0_for_plain_http(parse_request, method):
    request, _ = parse_request(method + b" //x?a%20{}|^ HTTP/1.0\r\n\r\n")
    assert request == Request("//x?a%20{}|^", method=method.decode(), version="HTTP/1.0")


@pytest.mark.parametrize(
    ("version", "fields", "problem"),
    [
        (b"1.1", b"", "missing Host header"),
        (b"1.1", b"Host:\r\n", "invalid Host header: ''"),
        (b"1.1", b"Host: a b\r\n", "invalid Host header: 'a b'"),
        (b"1.1", b"Host: u@h\r\n", "invalid Host header: 'u@h'"),
        (b"1.1", b"Host: a\r\nhost: b\r\n", "repeated Host header: 'a, b'"),
        (b"1.1", b"Host: a\r\nhost: a\r\n", "repeated Host header: 'a, a'"),
        (b"1.0", b"Host: a\r\nHost: a\r\n", "repeated Host header: 'a, a'"),
        (b"1.0", b"Host: a b\r\n", "invalid Host header: 'a b'"),
    ],
)
def test_host_is_checked(parse_request, version, fields, problem):
    outcome, _ = parse_request(b"GET / HTTP/" + version + b"\r\n" + fields + b"\r\n")
    assert outcome == (HostError, problem, 400)


def test_connection_that_sends_nothing(parse_request):
    assert parse_request(b"", eof=True) == (None, b"")


@pytest.mark.parametrize(
    ("data", "part"),
    [(b"\r\n", "request line"), (b"GET / HTTP/1.1", "request line"), (b"GET / HTTP/1.1\r\nHost", "headers")],
)
def test_eof_in_a_request(parse_request, data, part):
    assert parse_request(data, eof=True)[0] == (ParseError, CLOSED + part, 400)


def test_eof_after_a_request(parse_request):
    assert parse_request(HANDSHAKE, eof=True)[0].path == "/chat"


def test_rest_grows_after_the_request_and_is_taken_once():
    parser = RequestParser()
    assert parser.take_rest() == b""
    assert parser.receive_data(HANDSHAKE[:50]) is None
    assert parser.take_rest() == b""
    assert parser.receive_data(HANDSHAKE[50:] + b"a") is not None
    assert parser.receive_data(b"b") is None
    assert parser.take_rest() == b"ab"
    assert parser.take_rest() == b""


def test_nothing_is_kept_after_an_error():
    parser = RequestParser()
    with pytest.raises(ParseError):
        parser.receive_data(b"nonsense\r\n")
    assert parser.receive_data(HANDSHAKE) is None
    assert parser.take_rest() == b""
    assert parser.receive_data(HANDSHAKE) is None
    assert parser.receive_eof() is None
    assert parser.take_rest() == b""


@pytest.mark.feature("limits against hostile peers")
def test_slow_long_lines_are_cheap():
    parser = RequestParser(HTTPLimits(max_line=1_000_000, max_header_bytes=1_000_000))
    parser.receive_data(b"GET /")
    for _ in range(100_000):
        parser.receive_data(b"xxxxx")
    request = parser.receive_data(b" HTTP/1.1\r\nHost: h\r\n\r\n")
    assert len(request.path) == 500_001


class Watched(RequestParser):
    __slots__ = ("__weakref__",)


@pytest.mark.parametrize("data", [b"GET /", HANDSHAKE, b"nonsense\r\n"])
def test_a_dropped_parser_is_freed_at_once(data):
    gc.disable()
    try:
        parser = Watched()
        reference = weakref.ref(parser)
        with contextlib.suppress(ParseError):
            parser.receive_data(data)
        del parser
        assert reference() is None
    finally:
        gc.enable()


def test_response(parse_response):
    response, rest = parse_response(SWITCH + b"\x81\x00")
    assert (response.status_code, response.reason_phrase, response.body) == (101, "Switching Protocols", b"")
    assert response.headers["Upgrade"] == "websocket"
    assert response.serialize() == SWITCH
    assert rest == b"\x81\x00"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"HTTP/1.1 200 OK", "OK"),
        (b"HTTP/1.0 200 OK", "OK"),
        (b"HTTP/1.1 200 ", ""),
        (b"HTTP/1.1 200", ""),
        (b"HTTP/1.1 599 Tr\xe8s \tbon", "Tr\u00e8s \tbon"),
    ],
)
def test_status_lines(parse_response, line, reason):
    response, _ = parse_response(line + b"\r\nContent-Length: 0\r\n\r\n")
    assert response.reason_phrase == reason


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"HTTP/1.1",
        b"HTTP/1.1 ",
        b"HTTP/1.1 20",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 600 OK",
        b"HTTP/1.1 999 OK",
        b"HTTP/1.1 2\xb20 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 -20 OK",
        b"HTTP/1.1 200 O\x00K",
        b"HTTP/1.1 200 O\rK",
        b"http/1.1 200 OK",
        b"ICY 200 OK",
        b" HTTP/1.1 200 OK",
    ],
)
def test_malformed_status_lines(parse_response, line):
    outcome, rest = parse_response(line + b"\r\n\r\n")
    assert outcome[0] is ParseError
    assert rest == b""


def test_response_in_another_version(parse_response):
    assert parse_response(b"HTTP/2.0 200 OK\r\n")[0][0] is VersionError


def test_status_line_limit(parse_response):
    expected = (LimitError, "HTTP status line over the limit of 20", 400)
    assert parse_response(b"HTTP/1.1 200 " + b"x" * 8, max_line=20)[0] == expected


def test_response_body_until_eof(parse_response):
    data = b"HTTP/1.1 401 Unauthorized\r\n\r\nbody"
    assert parse_response(data) == (None, b"")
    response, rest = parse_response(data, eof=True, max_body=4)
    assert response == Response(401, "Unauthorized", body=b"body")
    assert rest == b""
    assert parse_response(data, max_body=3)[0] == (LimitError, "HTTP body over the limit of 3", 413)


def test_response_bodies_with_framing(parse_response):
    response, rest = parse_response(b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nbodyrest")
    assert (response.body, rest) == (b"body", b"rest")
    response, rest = parse_response(b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\nrest")
    assert (response.body, rest) == (b"body", b"rest")


@pytest.mark.parametrize(
    ("status", "method"), [(b"204", "GET"), (b"304", "GET"), (b"200", "HEAD"), (b"101", "GET"), (b"200", "CONNECT")]
)
def test_responses_without_body(parse_response, status, method):
    response, rest = parse_response(b"HTTP/1.1 " + status + b" X\r\nContent-Length: 4\r\n\r\nrest", method=method)
    assert response.body == b""
    assert rest == b"rest"


def test_refused_connect_has_a_body(parse_response):
    response, _ = parse_response(b"HTTP/1.1 407 No\r\nContent-Length: 4\r\n\r\nbody", method="CONNECT")
    assert response.body == b"body"


@pytest.mark.parametrize("status", [b"100 Continue", b"101 Switching Protocols"])
def test_http_1_0_has_no_interim_responses_and_no_upgrade(parse_response, status):
    response = b"HTTP/1.0 " + status + b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    assert parse_response(response)[0] == (VersionError, "unsupported HTTP version: 'HTTP/1.0'", 505)


def test_interim_responses_are_skipped_up_to_a_number(parse_response):
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    assert parse_response(interim * 8 + SWITCH)[0].status_code == 101
    assert parse_response(interim * 9)[0] == (LimitError, "HTTP interim response count over the limit of 8", 400)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "status line"),
        (b"HTTP/1.1 1", "status line"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "status line"),
        (b"HTTP/1.1 200 OK\r\nA", "headers"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbod", "body"),
    ],
)
def test_eof_in_a_response(parse_response, data, part):
    assert parse_response(data, eof=True)[0] == (ParseError, CLOSED + part, 400)


PIECES = [b"\r\n", b"\n", b"\r", b" ", b":", b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n", b"Host: h\r\n", b"\x00"]
PIECES += [b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"0\r\n", b"3\r\n", b"abc", b"Upgrade: x\r\n"]


@pytest.mark.feature("limits against hostile peers")
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=5), max_size=12), st.booleans(), st.data())
def test_only_documented_errors_and_the_same_in_any_chunking(pieces, is_request, data):
    stream = b"".join(pieces)
    cut = data.draw(st.integers(0, len(stream)))
    assert outcome(is_request, [stream]) == outcome(is_request, [stream[:cut], stream[cut:]])


def outcome(is_request, chunks):
    parser = RequestParser() if is_request else ResponseParser()
    try:
        messages = [*map(parser.receive_data, chunks), parser.receive_eof()]
    except HTTPError as exc:
        return type(exc), str(exc)
    return [message for message in messages if message], parser.take_rest()
