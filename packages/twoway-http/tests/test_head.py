from __future__ import annotations

import pytest

from twoway.http import _head, _native

LINE = b"GET /chat HTTP/1.1\r\n"
HOST = b"Host: example.com\r\n"
LIMITS = (100, 5, 200)


@pytest.fixture(params=["reference", "in use"])
def head(request):
    """Give the reference, and what is in use: where a compiled twin is, that one."""
    return _head if request.param == "reference" else _native


def test_a_request(head):
    data = b"POST /a?b HTTP/1.0\r\nhOsT:\t[::1]:80 \r\nOrigin: \xe4\r\norigin:\r\nX-A: b: c\r\n\r\n\r\nrest"
    assert head.split_request(data, *LIMITS) == (
        "POST",
        "/a?b",
        "HTTP/1.0",
        [("hOsT", "[::1]:80"), ("Origin", "\u00e4"), ("origin", ""), ("X-A", "b: c")],
        {"host": ["[::1]:80"], "origin": ["\u00e4", ""], "x-a": ["b: c"]},
        len(data) - 6,
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET",
        b" / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /\r\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.1\n" + HOST + b"\r\n",
        b"GET / HTTP/1.1\r" + HOST + b"\r\n",
        b"GET / HTTP/1.2\r\n" + HOST + b"\r\n",
        b"GET / HTTP/2.1\r\n" + HOST + b"\r\n",
        b"GET /# HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /\xe4 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET * HTTP/1.1\r\n" + HOST + b"\r\n",
        b"\r\n" + LINE + HOST + b"\r\n",
        LINE,
        LINE + b"\r\n",
        LINE + HOST,
        LINE + HOST + b"\r",
        LINE + HOST + b"\rx",
        LINE + HOST + b"A: b\n\r\n",
        LINE + HOST + b"A : b\r\n\r\n",
        LINE + HOST + b" A: b\r\n\r\n",
        LINE + HOST + b"A: \x00\r\n\r\n",
        LINE + HOST + b"A: \x7f\r\n\r\n",
        LINE + HOST + b"A: b\rc\r\n\r\n",
        LINE + HOST + b": b\r\n\r\n",
        LINE + HOST + b"A",
        LINE + HOST + b"A:",
    ],
)
def test_what_is_not_as_it_should_be(head, data):
    assert head.split_request(data, *LIMITS) is None


@pytest.mark.parametrize("field", [b"Content-Length: 0\r\n", b"content-length:\r\n", b"TRANSFER-Encoding: x\r\n"])
def test_whatever_declares_a_body_is_looked_at_closely(head, field):
    assert head.split_request(LINE + HOST + field + b"\r\n", *LIMITS) is None
    assert head.split_request(LINE + HOST + field.replace(b"n", b"m") + b"\r\n", *LIMITS) is not None


@pytest.mark.parametrize(
    ("host", "good"),
    [
        (b"example.com:8080", True),
        (b"a:", True),
        (b"%4a%C3:00000", True),
        (b"!$&'()*+,;=~_-.", True),
        (b"a:65535", True),
        (b"[1:2::3]:80", True),
        (b"", False),
        (b":80", False),
        (b"a:65536", False),
        (b"a:000080", False),
        (b"a:8o", False),
        (b"a:80:80", False),
        (b"%4", False),
        (b"%4g", False),
        (b"%g4", False),
        (b"a b", False),
        (b"a/b", False),
        (b"a@b", False),
        (b"a]", False),
        (b"[1:2]", False),
        (b"[::1", False),
        (b"[::1]x", False),
        (b"\xe4", False),
    ],
)
def test_host_is_judged(head, host, good):
    data = LINE + b"Host: %b\r\n\r\n" % host
    assert (head.split_request(data, *LIMITS) is not None) is good


def test_host_is_there_once(head):
    assert head.split_request(LINE + b"A: b\r\n\r\n", *LIMITS) is None
    assert head.split_request(LINE + HOST + HOST + b"\r\n", *LIMITS) is None


def test_limits(head):
    data = LINE + HOST + b"A: b\r\n\r\n"
    fields = len(HOST) + 6
    assert head.split_request(data, fields, 2, fields) is not None
    assert head.split_request(data, 2**80, 2**80, 2**80) is not None
    for limits in ((fields - 1, 2, fields), (fields, 1, fields), (fields, 2, fields - 1)):
        assert head.split_request(data, *limits) is None
    long = b"GET /%b HTTP/1.1\r\n" % bytes(100).replace(b"\0", b"a") + HOST + b"\r\n"
    assert head.split_request(long, 114, 1, 100) is not None
    assert head.split_request(long, 113, 1, 100) is None


def test_fields(head):
    lines = b"Date: a\r\nx: \t\r\ndATE:b\r\n"
    expected = ([("Date", "a"), ("x", ""), ("dATE", "b")], {"date": ["a", "b"], "x": [""]})
    assert head.split_fields(lines, 3) == expected
    assert head.split_fields(lines, 2) is None


@pytest.mark.parametrize("lines", [b"", b"\r\n", b"A: b", b"A: b\r\n\r\n", b"A: b\r\nc\r\n", b"A: b\r\nC: \x01\r\n"])
def test_lines_that_are_no_fields(head, lines):
    assert head.split_fields(lines, 100) is None


def test_names_that_many_have_are_one_object(head):
    first, second = (head.split_fields(b"User-Agent: a\r\n", 1) for _ in range(2))
    assert first[0][0][0] is second[0][0][0]
    assert next(iter(first[1])) is next(iter(second[1]))
