"""What is written is what is read, and any bytes lead to a message or to an error that is documented."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from twoway.auth import BasicAuthenticator, DigestAuthenticator
from twoway.http import (
    Headers,
    HTTPError,
    HTTPLimits,
    Request,
    RequestParser,
    Response,
    ResponseParser,
    URIError,
    build_extensions,
    build_subprotocols,
    parse_extensions,
    parse_subprotocols,
    parse_uri,
)

TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12)
# RFC 9110 §5.5: visible characters, and those of latin-1 that have no name there.
LATIN = [chr(code) for code in (*range(0x20, 0x7F), *range(0x80, 0x100))]
VALUES = st.text(LATIN, max_size=40).map(lambda text: text.strip(" \t"))
FIELDS = st.lists(st.tuples(TOKENS.map(lambda name: f"X-{name}"), VALUES), max_size=6)
TARGETS = st.text([chr(code) for code in range(0x21, 0x7F) if chr(code) != "#"], max_size=40).map(
    lambda text: f"/{text}"
)
BODIES = st.binary(max_size=200)
CUTS = st.lists(st.floats(0, 1), max_size=8)
LINES = st.sampled_from(
    b"\r\n|\n|\r| |:|\0|GET / HTTP/1.1\r\n|HTTP/1.1 200 OK\r\n|HTTP/1.1 101 X\r\n|Host: a\r\n|a: b\r\n|abc"
    b"|3\r\nabc\r\n0\r\n\r\n|Content-Length: 3\r\n|Transfer-Encoding: chunked\r\n|Upgrade: websocket\r\n".split(b"|")
)
STREAMS = st.lists(LINES | st.binary(max_size=5), max_size=10).map(b"".join)


def cut(data: bytes, places: list[float]) -> list[bytes]:
    positions = sorted(int(place * len(data)) for place in places)
    return [data[start:end] for start, end in pairwise([0, *positions, len(data)])]


def read(parser, pieces: list[bytes]):
    """Feed all pieces and the end; give the message or the error, and the rest."""
    found = []
    try:
        found = [parser.receive_data(piece) for piece in pieces]
        rest = parser.take_rest()
        found.append(parser.receive_eof())
    except HTTPError as exc:
        assert 400 <= exc.status < 600
        assert str(exc).isprintable()
        return type(exc), str(exc)
    messages = [message for message in found if message is not None]
    return (messages[0] if messages else None), rest


@given(path=TARGETS, fields=FIELDS, places=CUTS, rest=BODIES)
def test_requests_come_back(path: str, fields: list[tuple[str, str]], places: list[float], rest: bytes) -> None:
    request = Request(path, Headers([("Host", "localhost"), *fields]))
    message, behind = read(RequestParser(), cut(request.serialize() + rest, places))
    assert isinstance(message, Request)
    assert (message.path, message.method, message.version) == (path, "GET", "HTTP/1.1")
    assert list(message.headers.raw_items()) == list(request.headers.raw_items())
    assert behind == rest


@given(
    status=st.integers(200, 599),
    fields=FIELDS,
    body=BODIES,
    places=CUTS,
    framing=st.sampled_from(["", "length", "chunks"]),
)
def test_responses_come_back(
    status: int, fields: list[tuple[str, str]], body: bytes, places: list[float], framing: str
) -> None:
    if status in (204, 304):
        body = b""
    response = Response(status, "Reason", Headers(fields), body)
    wire = response.serialize(head=True)
    if framing == "length":
        response.headers["Content-Length"] = str(len(body))
        wire = response.serialize()
    elif framing == "chunks" and body:
        response.headers["Transfer-Encoding"] = "chunked"
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in cut(body, places) if part)
        wire = response.serialize(head=True) + chunks + b"0\r\n\r\n"
    else:
        wire += body
    message, _ = read(ResponseParser(), cut(wire, places))
    assert isinstance(message, Response)
    assert (message.status_code, message.reason_phrase, message.body) == (status, "Reason", body)
    assert list(message.headers.raw_items()) == list(response.headers.raw_items())


@given(stream=STREAMS, places=CUTS, small=st.booleans())
def test_any_bytes_end_in_the_same_way_however_they_are_cut(stream: bytes, places: list[float], small: bool) -> None:
    limits = HTTPLimits(20, 3, 40, 10) if small else HTTPLimits()
    for make in (RequestParser, ResponseParser):
        whole = read(make(limits), [stream])
        assert read(make(limits), cut(stream, places)) == whole
        assert read(make(limits), [stream[at : at + 1] for at in range(len(stream))]) == whole


OFFERS = st.lists(
    st.tuples(TOKENS, st.lists(st.tuples(TOKENS, st.none() | TOKENS), max_size=4)), min_size=1, max_size=5
)


@given(offers=OFFERS)
def test_extensions_come_back(offers) -> None:
    assert parse_extensions([build_extensions(offers)]) == offers


@given(names=st.lists(TOKENS, min_size=1, max_size=8, unique=True))
def test_subprotocols_come_back(names: list[str]) -> None:
    assert parse_subprotocols([build_subprotocols(names)]) == names


@given(text=st.text('abc;,="\\ \t\x80é', max_size=60))
def test_any_header_is_read_or_refused(text: str) -> None:
    for parse in (parse_extensions, parse_subprotocols):
        try:
            parse([text])
        except HTTPError as exc:
            assert exc.status == 400


@given(
    text=st.text(max_size=30)
    | st.text("wsWS:/@[].%#?\\ 09az\r\n\0é\u2100", max_size=40).map(lambda text: f"ws://{text}")
)
def test_any_address_is_read_or_refused(text: str) -> None:
    try:
        uri = parse_uri(text)
    except URIError as exc:
        assert str(exc).isprintable()
        return
    line = uri.resource_name
    assert line.startswith("/")
    assert all("!" <= char <= "~" for char in line + uri.host_header)
    again = parse_uri(f"{'wss' if uri.secure else 'ws'}://{uri.host_header}{line}")
    assert (again.host, again.port, again.resource_name) == (uri.host, uri.port, line)


@given(value=st.text(LATIN, max_size=80))
def test_whatever_stands_in_authorization_is_refused(value: str) -> None:
    for scheme in ("", "Basic ", "Digest "):
        request = Request("/", Headers([("Host", "a"), ("Authorization", (scheme + value).strip())]))
        for authenticator in (BasicAuthenticator("r", ("ada", "secret")), DigestAuthenticator("r", ("ada", "secret"))):
            answer = authenticator.check(request, 0.0)
            assert isinstance(answer, Response)
            assert answer.status_code in (400, 401)
