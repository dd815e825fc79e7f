from __future__ import annotations

import pytest

from twoway.http import LimitError, ParseError, RequestParser

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_like_data(kind):
    assert RequestParser().receive_data(kind(GET)).path == "/"


@pytest.mark.parametrize("data", ["GET", None, [71], 5])
def test_other_data(data):
    with pytest.raises(TypeError, match="data must be bytes-like"):
        RequestParser().receive_data(data)


def test_data_is_copied():
    parser = RequestParser()
    data = bytearray(GET[:20])
    parser.receive_data(data)
    data[:] = b"x" * 20
    assert parser.receive_data(GET[20:]).path == "/"


def test_a_bare_lf_is_refused_at_once(parse_request):
    assert parse_request(b"GET / HTTP/1.1\n")[0] == (ParseError, "HTTP line ends in LF without CR", 400)
    assert parse_request(b"\n")[0][0] is ParseError
    assert parse_request(b"GET / HTTP/1.1\r\nHost: h\n")[0][0] is ParseError
    assert parse_request(b"GET / HTTP/1.1\r\nHost: h\r\n\n")[0][0] is ParseError


def test_a_line_may_be_as_long_as_the_limit(parse_request):
    request, _ = parse_request(GET, max_line=14)
    assert request.path == "/"


@pytest.mark.parametrize("line", [b"GET /a HTTP/1.1\r\n", b"GET /a HTTP/1.1\n", b"x" * 15, b"x" * 14 + b"\rx"])
def test_a_longer_line_is_refused_finished_or_not(parse_request, line):
    outcome, rest = parse_request(line, max_line=14)
    assert outcome == (LimitError, "HTTP request line over the limit of 14", 414)
    assert rest == b""


def test_a_line_that_may_still_be_finished_is_waited_for(parse_request):
    assert parse_request(b"x" * 14 + b"\r", max_line=14) == (None, b"")
