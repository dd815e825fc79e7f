"""Requests and responses: parsers, checks, answers, and the way back to bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twoway.http import (
    Headers,
    HTTPError,
    HTTPLimits,
    ProxyError,
    Request,
    RequestParser,
    Response,
    ResponseParser,
    Tunnel,
    _head,
    _native,
    _upgrade,
    accept_key,
    build_response,
    check_host,
    check_origin,
    check_request,
    check_response,
    error_response,
    parse_proxy,
)

from .target import cut

# Small enough for a fuzzer to get at them.
LIMITS = HTTPLimits(max_line=256, max_headers=8, max_header_bytes=600, max_body=64)
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PROXY = parse_proxy("http://proxy.example:3128")
METHODS = ("GET", "HEAD", "CONNECT")


def request(data: bytes) -> None:
    """Parse a request, whole and in pieces; judge it as a server does; write it and read it again."""
    message, rest = _alike(lambda: RequestParser(LIMITS), data, HTTPError)
    if not isinstance(message, Request):
        return
    _obeys_limits(message.headers, message.body)
    assert rest == data[len(data) - len(rest) :]
    again = Request(message.path, _framed(message.headers, message.body), message.method, message.body, message.version)
    assert _parse(RequestParser(), [again.serialize()], HTTPError) == (again, b"")
    _judge(message)


def response(data: bytes) -> None:
    """Parse a response, whole and in pieces; judge it as a client does; write it and read it again."""
    method = METHODS[len(data) // 7 % 3]
    message, _ = _alike(lambda: ResponseParser(LIMITS, method=method), data, HTTPError)
    if not isinstance(message, Response):
        return
    _obeys_limits(message.headers, message.body)
    assert 101 <= message.status_code <= 599
    again = Response(message.status_code, message.reason_phrase, _framed(message.headers, message.body), message.body)
    assert _parse(ResponseParser(method=method), [again.serialize()], HTTPError) == (again, b"")
    try:
        check_response(message, KEY)
    except HTTPError:
        return
    assert message.status_code == 101
    assert message.headers["Sec-WebSocket-Accept"] == accept_key(KEY)


def tunnel(data: bytes) -> None:
    """Take the answer of a proxy, whole and in pieces."""
    message, _ = _alike(lambda: Tunnel("example.com:443", PROXY, limits=LIMITS), data, ProxyError)
    if isinstance(message, Response):
        assert 200 <= message.status_code <= 299
        _obeys_limits(message.headers, message.body)


def heads(data: bytes) -> None:
    """Take apart and check what begins with a request, or with fields, pure and compiled, and see no difference."""
    for limits in ((256, 8, 600), (8192, 128, 65536)):
        assert _native.split_request(data, *limits) == _head.split_request(data, *limits)
        assert _native.split_fields(data, limits[1]) == _head.split_fields(data, limits[1])
    message, _ = _parse(RequestParser(LIMITS), [data], HTTPError)
    if isinstance(message, Request):
        assert _check(_native.check_request, message) == _check(_upgrade.check_request, message)


def fields(data: bytes) -> None:
    """Set headers as a user does: what is taken comes out at the other side, and nothing else."""
    headers = Headers()
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        name, _, value = line.partition(":")
        try:
            headers.add(name, value)
        except ValueError:
            continue
    for name in ("Host", "Content-Length", "Transfer-Encoding"):
        if name in headers:
            del headers[name]
    headers["Host"] = "example.com"
    read = RequestParser(HTTPLimits(1 << 20, 1 << 20, 1 << 20)).receive_data(Request("/", headers).serialize())
    assert read is not None
    assert read.headers == headers
    assert len(read.headers) == len(headers)


def _judge(message: Request) -> None:
    for check in (lambda: check_host(message, ["example.com"]), lambda: check_origin(message, ["https://example.com"])):
        try:
            check()
        except HTTPError as exc:
            _refuse(exc)
    try:
        key = check_request(message)
    except HTTPError as exc:
        _refuse(exc)
    else:
        assert message.method == "GET"
        check_response(build_response(key), key)


def _check(check: Callable[[Request], str], message: Request) -> object:
    try:
        return check(message)
    except HTTPError as exc:
        return type(exc), str(exc), exc.status, exc.headers


def _refuse(error: HTTPError) -> None:
    answer = ResponseParser().receive_data(error_response(error).serialize())
    assert answer is not None
    assert answer.status_code == error.status >= 400


def _framed(headers: Headers, body: bytes) -> Headers:
    """Return the headers of a message whose chunks were joined."""
    framed = headers.copy()
    if "Transfer-Encoding" in headers:
        del framed["Transfer-Encoding"]
    if body or "Transfer-Encoding" in headers:
        framed["Content-Length"] = str(len(body))
    return framed


def _obeys_limits(headers: Headers, body: bytes) -> None:
    assert len(headers) <= LIMITS.max_headers
    assert len(headers.serialize()) <= LIMITS.max_header_bytes + 3 * len(headers)  # ": " for ":", and line ends
    assert len(body) <= LIMITS.max_body


def _alike(make: Callable[[], Any], data: bytes, allowed: type[Exception]) -> tuple[Any, bytes]:
    """Parse in one go and in pieces, and see that nobody can tell the difference."""
    whole = _parse(make(), [data], allowed)
    pieces = _parse(make(), cut(data), allowed)
    assert whole == pieces, (whole, pieces)
    return whole


def _parse(parser: Any, pieces: Iterable[bytes], allowed: type[Exception]) -> tuple[Any, bytes]:
    message = None
    try:
        for piece in pieces:
            message = parser.receive_data(piece) or message
        message = parser.receive_eof() or message
    except allowed as exc:
        return (type(exc), str(exc), getattr(exc, "status", None)), b""
    return message, parser.take_rest()
