from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.http import Headers, LimitError, ParseError, RequestParser

LINE = b"GET / HTTP/1.1\r\n"


def test_fields(parse_request):
    request, _ = parse_request(LINE + b"Host: h\r\nA:b\r\na: \t c d \t\r\nEmpty:\r\nText: \xe4\r\n\r\n")
    assert list(request.headers.raw_items()) == [
        ("Host", "h"),
        ("A", "b"),
        ("a", "c d"),
        ("Empty", ""),
        ("Text", "\u00e4"),
    ]
    assert request.headers.get_all("A") == ["b", "c d"]


@pytest.mark.parametrize(
    "field",
    [
        b"no colon",
        b": value",
        b"A : b",
        b"A\t: b",
        b" A: b",
        b"\tfolded",
        b"A: b\r\n folded",
        b"A: b\rc: d",
        b"A: b\x00",
        b"A: b\x7f",
        b"A: \x1b",
        b"\xc3\xa4: b",
        b"A(b): c",
    ],
)
def test_malformed_fields(parse_request, field):
    outcome, rest = parse_request(LINE + b"Host: h\r\n" + field + b"\r\n\r\n")
    assert outcome[0] is ParseError
    assert outcome[2] == 400
    assert rest == b""


def test_a_malformed_field_shows_no_value(parse_request):
    outcome, _ = parse_request(LINE + b"Authorization : Basic s3cret\r\n")
    assert outcome == (ParseError, "malformed HTTP header line: b'Authorization : ...'", 400)
    assert parse_request(LINE + b"nonsense\r\n")[0][1] == "malformed HTTP header line: b'nonsense'"


@pytest.mark.feature("limits against hostile peers")
def test_header_line_limit(parse_request):
    field = b"A: " + b"x" * 17
    assert parse_request(LINE + b"Host: h\r\n" + field + b"\r\n\r\n", max_line=20)[0].headers["A"] == "x" * 17
    expected = (LimitError, "HTTP header line over the limit of 20", 431)
    assert parse_request(LINE + field + b"x\r\n", max_line=20)[0] == expected
    assert parse_request(LINE + field + b"xx", max_line=20)[0] == expected


@pytest.mark.feature("limits against hostile peers")
def test_header_count_limit(parse_request):
    fields = b"Host: h\r\n" + b"A: b\r\n" * 3
    assert len(parse_request(LINE + fields + b"\r\n", max_headers=4)[0].headers) == 4
    expected = (LimitError, "HTTP header count over the limit of 3", 431)
    assert parse_request(LINE + fields, max_headers=3)[0] == expected


@pytest.mark.feature("limits against hostile peers")
def test_header_bytes_limit(parse_request):
    fields = b"Host: h\r\nA: b\r\n"
    assert len(parse_request(LINE + fields + b"\r\n", max_header_bytes=11)[0].headers) == 2
    expected = (LimitError, "HTTP headers over the limit of 10", 431)
    assert parse_request(LINE + fields + b"\r\n", max_header_bytes=10)[0] == expected
    assert parse_request(LINE + b"x" * 11, max_header_bytes=10)[0] == expected


@pytest.mark.parametrize("data", [b"A: " + b"x" * 9000, b"A: b\r\n" * 129, (b"A: " + b"x" * 8000 + b"\r\n") * 9])
def test_default_limits(parse_request, data):
    assert parse_request(LINE + data)[0][0] is LimitError


token = st.text("abcXYZ-_!", min_size=1, max_size=8)
value = st.text(st.characters(codec="latin-1", categories=["L", "N", "P", "S"]), max_size=12)


@given(st.lists(st.tuples(token, value), max_size=6), st.data())
def test_what_is_written_is_read_in_any_chunking(items, data):
    headers = Headers([("Host", "h"), *((f"X-{name}", value) for name, value in items)])
    stream = LINE + headers.serialize() + b"\r\nrest"
    parser = RequestParser()
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found.append(parser.receive_data(stream[:size]))
        stream = stream[size:]
    (request,) = filter(None, found)
    assert list(request.headers.raw_items()) == list(headers.raw_items())
    assert parser.take_rest() == b"rest"
