from __future__ import annotations

import pytest

from twoway.http import HeaderError, LimitError, ParseError

POST = b"POST / HTTP/1.1\r\nHost: h\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


def test_content_length(parse_request):
    request, rest = parse_request(POST + b"Content-Length: 4\r\n\r\nbodyrest")
    assert request.body == b"body"
    assert rest == b"rest"


def test_no_length_is_no_body(parse_request):
    request, rest = parse_request(POST + b"\r\nrest")
    assert request.body == b""
    assert rest == b"rest"


@pytest.mark.parametrize(
    "length", [b"", b"-1", b"+1", b"1 ", b"0x4", b"4, 4", b"4,4", b"\xb2", b"1" * 19, b"1_0", b"4.0"]
)
def test_odd_lengths(parse_request, length):
    outcome, _ = parse_request(POST + b"Content-Length:" + length + b"x" * (length == b"1 ") + b"\r\n\r\nbody")
    assert outcome[0] is HeaderError
    assert outcome[2] == 400


def test_repeated_length(parse_request):
    outcome, _ = parse_request(POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody")
    assert outcome == (HeaderError, "repeated Content-Length header: '4, 4'", 400)


def test_length_over_the_limit_is_refused_before_the_body(parse_request):
    assert parse_request(POST + b"Content-Length: 4\r\n\r\nbody", max_body=4)[0].body == b"body"
    outcome, _ = parse_request(POST + b"Content-Length: 5\r\n\r\n", max_body=4)
    assert outcome == (LimitError, "HTTP body over the limit of 4", 413)
    assert parse_request(POST + b"Content-Length: " + b"9" * 18 + b"\r\n\r\n")[0][0] is LimitError


def test_chunked(parse_request):
    request, rest = parse_request(CHUNKED + b'4\r\nbody\r\n00a;x="y"\r\n0123456789\r\n0;last\r\nT: t\r\n\r\nrest')
    assert request.body == b"body0123456789"
    assert "T" not in request.headers
    assert rest == b"rest"


def test_chunked_in_any_case(parse_request):
    assert parse_request(POST + b"Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n")[0].body == b""


@pytest.mark.parametrize(
    "chunks",
    [
        b"\r\n",
        b"g\r\n",
        b"0x4\r\nbody\r\n",
        b" 4\r\nbody\r\n",
        b"4 \r\nbody\r\n",
        b"4 ;x\r\nbody\r\n",
        b"-4\r\n",
        b"+4\r\nbody\r\n",
        b"1" * 16 + b"\r\n",
        b"4\nbody\n",
        b"4;\x00\r\nbody\r\n",
        b"4;a\rb\r\nbody\r\n",
        b"4\r\nbodyx\r\n",
        b"4\r\nbody\n0",
        b"4\r\nbody\r\r",
        b"0\r\nbad trailer\r\n",
        b"0\r\n : \r\n",
    ],
)
def test_malformed_chunks(parse_request, chunks):
    outcome, rest = parse_request(CHUNKED + chunks)
    assert outcome[0] is ParseError
    assert rest == b""


@pytest.mark.parametrize(
    ("chunks", "limits", "what"),
    [
        (b"5\r\n", {"max_body": 4}, "body"),
        (b"4\r\nbody\r\n1\r\n", {"max_body": 4}, "body"),
        (b"f" * 15 + b"\r\n", {}, "body"),
        (b"1;" + b"x" * 40 + b"\r\n", {"max_line": 40}, "chunk header"),
        (b"1;" + b"x" * 41, {"max_line": 40}, "chunk header"),
        (b"1;" + b"x" * 20 + b"\r\na\r\n1;" + b"x" * 20 + b"\r\n", {"max_header_bytes": 41}, "chunk extensions"),
        (b"0\r\n" + b"A: b\r\n" * 3, {"max_headers": 2}, "header count"),
        (b"0;" + b"x" * 32 + b"\r\nA: 45678\r\nB", {"max_header_bytes": 41}, "headers"),
    ],
)
def test_chunk_limits(parse_request, chunks, limits, what):
    outcome, rest = parse_request(CHUNKED + chunks, **limits)
    assert outcome[0] is LimitError
    assert f"HTTP {what} over" in outcome[1]
    assert outcome[2] == (413 if what == "body" else 431)
    assert rest == b""


@pytest.mark.parametrize(
    "fields",
    [
        b"Transfer-Encoding: gzip\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Transfer-Encoding:\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_ambiguous_framing(parse_request, fields):
    outcome, rest = parse_request(POST + fields + b"\r\n4\r\nbody\r\n0\r\n\r\n")
    assert outcome[0] in (HeaderError, ParseError)
    assert outcome[2] == 400
    assert rest == b""


def test_http_1_0_has_no_codings(parse_request):
    outcome, _ = parse_request(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert outcome == (HeaderError, "unsupported Transfer-Encoding header: 'chunked'", 400)


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\n",
        b"Content-Length: 00\r\n",
        b"Content-Length: 0\r\nContent-Length: 0\r\n",
        b"Content-Length: 0, 0\r\n",
        b"Content-Length:\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding:\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    ],
)
def test_a_handshake_has_no_body(parse_request, fields):
    outcome, rest = parse_request(UPGRADE + fields + b"\r\n0\r\n\r\n")
    assert outcome[0] is HeaderError
    assert "unexpected" in outcome[1]
    assert outcome[2] == 400
    assert rest == b""


@pytest.mark.parametrize("fields", [b"", b"Content-Length: 0\r\n"])
def test_a_handshake_may_say_so(parse_request, fields):
    request, rest = parse_request(UPGRADE + fields + b"\r\n\x81\x80")
    assert request.body == b""
    assert rest == b"\x81\x80"


@pytest.mark.parametrize(
    "data",
    [
        POST + b"Content-Length: 4\r\n\r\n",
        POST + b"Content-Length: 4\r\n\r\nbod",
        CHUNKED + b"4\r\nbod",
        CHUNKED + b"4\r\nbody\r",
    ],
)
def test_eof_in_a_body(parse_request, data):
    outcome, _ = parse_request(data, eof=True)
    assert outcome == (ParseError, "connection closed while reading HTTP body", 400)


@pytest.mark.parametrize(
    ("tail", "part"), [(b"", "chunk header"), (b"4", "chunk header"), (b"0\r\n", "headers"), (b"0\r\nA", "headers")]
)
def test_eof_between_chunks(parse_request, tail, part):
    outcome, _ = parse_request(CHUNKED + tail, eof=True)
    assert outcome == (ParseError, f"connection closed while reading HTTP {part}", 400)
