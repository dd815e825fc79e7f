"""Bodies: where one ends, decided once and strictly, so that no two readers can disagree about it."""

from __future__ import annotations

import re

from ._buffer import Buffer, Steps, read_exactly, read_line
from ._errors import HeaderError, LimitError, ParseError
from ._fields import read_fields
from ._grammar import shorten
from ._headers import Headers
from ._limits import HTTPLimits

# 18 digits fit in 64 bits with room to spare, as do 15 hexadecimal ones.
_match_length = re.compile(r"[0-9]{1,18}").fullmatch
_match_chunk = re.compile(rb"([0-9A-Fa-f]{1,15})(;[\t\x20-\x7e\x80-\xff]*+)?").fullmatch


def refuse_body(headers: Headers) -> None:
    """
    Check that a request for an upgrade declares no body.

    A body would be read as frames by whoever does not know of it.

    Args:
        headers: Fields of the request.

    Raises:
        HeaderError: There is Transfer-Encoding, or any Content-Length but a single plain ``0``. Status 400.

    Spec:
        RFC 6455 §4.1, RFC 9112 §11.2.
    """
    if "Transfer-Encoding" in headers:
        raise HeaderError("Transfer-Encoding", ", ".join(headers.get_all("Transfer-Encoding")), "unexpected")
    lengths = headers.get_all("Content-Length")
    if lengths and lengths != ["0"]:
        raise HeaderError("Content-Length", ", ".join(lengths), "unexpected")


def read_body(buffer: Buffer, headers: Headers, version: str, limits: HTTPLimits, until_eof: bool) -> Steps[bytes]:
    """
    Read a body as its headers frame it.

    Args:
        buffer: Where to read.
        headers: Fields of the message.
        version: HTTP version of the message.
        limits: Limits on the body, chunk headers and trailers.
        until_eof: Whether a body without framing lasts until the connection closes; else there is none.

    Returns:
        The body, chunked coding removed, trailers dropped.

    Raises:
        HeaderError: The framing is ambiguous or not supported. Status 400.
        LimitError: The body is too large. Status 413.
        ParseError: The body is malformed, or the connection was closed before its end.

    Spec:
        RFC 9112 §6.
    """
    codings = headers.get_all("Transfer-Encoding")
    lengths = headers.get_all("Content-Length")
    if codings:
        _check_codings(codings, lengths, version)
        return (yield from _read_chunked(buffer, limits))
    if lengths:
        return (yield from read_exactly(buffer, _parse_length(lengths, limits.max_body)))
    if until_eof:
        return (yield from _read_to_eof(buffer, limits.max_body))
    return b""


def _check_codings(codings: list[str], lengths: list[str], version: str) -> None:
    # RFC 9112 §6.1: both framings together are how requests get smuggled; HTTP/1.0 knows no codings.
    if lengths:
        raise HeaderError("Content-Length", ", ".join(lengths), "unexpected")
    if version == "HTTP/1.0" or len(codings) > 1 or codings[0].lower() != "chunked":
        raise HeaderError("Transfer-Encoding", ", ".join(codings), "unsupported")


def _parse_length(lengths: list[str], limit: int) -> int:
    if len(lengths) > 1:
        raise HeaderError("Content-Length", ", ".join(lengths), "repeated")
    if _match_length(lengths[0]) is None:
        raise HeaderError("Content-Length", lengths[0])
    if (length := int(lengths[0])) > limit:
        raise LimitError("body", limit, 413)
    return length


def _read_to_eof(buffer: Buffer, limit: int) -> Steps[bytes]:
    while True:
        if len(buffer) > limit:
            raise LimitError("body", limit, 413)
        if buffer.eof:
            return buffer.take(len(buffer))
        yield


def _read_chunked(buffer: Buffer, limits: HTTPLimits) -> Steps[bytes]:
    # RFC 9112 §7.1. Extensions cost the peer's budget for headers, or tiny chunks with long ones would be for free.
    body = bytearray()
    budget = limits.max_header_bytes
    while True:
        line = yield from read_line(buffer, limits.max_line, "chunk header", limits.max_line, 431)
        if (match := _match_chunk(line)) is None:
            raise ParseError(f"malformed HTTP chunk header: {shorten(line)}")
        budget -= len(match[2] or b"")
        if budget < 0:
            raise LimitError("chunk extensions", limits.max_header_bytes)
        if (size := int(match[1], 16)) == 0:
            break
        if len(body) + size > limits.max_body:
            raise LimitError("body", limits.max_body, 413)
        body += yield from read_exactly(buffer, size)
        if (yield from read_exactly(buffer, 2)) != b"\r\n":
            raise ParseError("HTTP chunk is longer than its header says")
    yield from read_fields(buffer, limits, budget)
    return bytes(body)
