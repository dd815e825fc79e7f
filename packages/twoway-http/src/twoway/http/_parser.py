"""Incremental parsers of one HTTP/1.1 request and of one response."""

from __future__ import annotations

import re
from typing import Generic, TypeVar

from ._body import read_body, refuse_body
from ._buffer import Buffer, Steps, copy_bytes, read_line
from ._errors import HostError, LimitError, ParseError, VersionError
from ._fields import read_fields
from ._grammar import shorten, split_host
from ._headers import Headers
from ._limits import DEFAULT_LIMITS, HTTPLimits
from ._message import Request, Response
from ._native import split_request

_M = TypeVar("_M")

# RFC 9112 §3: any visible ASCII may be in a target that some form allows; only origin-form is accepted below.
_match_request_line = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]++) ([\x21-\x7e]++) (HTTP/[0-9]\.[0-9])").fullmatch
_match_status_line = re.compile(rb"(HTTP/[0-9]\.[0-9]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*+))?").fullmatch

_VERSIONS = {b"HTTP/1.1": "HTTP/1.1", b"HTTP/1.0": "HTTP/1.0"}
_BODILESS = frozenset({101, 204, 304})
_MAX_INTERIM = 8


class Parser(Generic[_M]):
    """Drive the steps of a parser with the bytes that come."""

    # The steps know the buffer but not the parser: nothing refers back, so that dropping a parser frees all at once.

    __slots__ = ("_buffer", "_finished", "_steps")

    def __init__(self, steps: Steps[_M | None], buffer: Buffer) -> None:
        self._buffer = buffer
        self._finished = False
        self._steps = steps

    def receive_data(self, data: bytes | bytearray | memoryview) -> _M | None:
        """
        Feed bytes from the peer.

        Args:
            data: Any number of bytes; copied.

        Returns:
            The message, once, when it is complete; ``None`` before and afterwards.

        Raises:
            HTTPError: The peer broke HTTP or a limit. What comes afterwards is dropped.
            TypeError: ``data`` is not bytes-like. A caller's bug.

        Cost:
            Linear in the bytes received, however they are cut.
        """
        self._buffer.append(data)
        return self._advance()

    def receive_eof(self) -> _M | None:
        """
        Say that the peer has closed its side.

        Returns:
            A response whose body lasts until the connection closes; else ``None``.

        Raises:
            HTTPError: The message is not complete. A request that has not begun is no error; a response is, as the
                client waits for one.
        """
        self._buffer.eof = True
        return self._advance()

    def take_rest(self) -> bytes:
        """
        Take the bytes that came after the end of the message.

        Returns:
            Those bytes; empty while the message is not complete, or when it never will be.
        """
        return self._buffer.take_all() if self._finished else b""

    def _advance(self) -> _M | None:
        if self._finished:
            return None
        try:
            next(self._steps)
        except StopIteration as stop:
            self._finished = True
            message: _M | None = stop.value
            return message
        except Exception:
            self._finished = True
            self._buffer = _Discard()
            raise
        return None


class _Discard(Buffer):
    """Drop everything: the buffer of a parser that has failed."""

    __slots__ = ()

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Drop bytes: after a violation nothing is kept."""


class RequestParser(Parser[Request]):
    """
    Parse one request, as a server.

    Args:
        limits: Limits; kept.

    Spec:
        RFC 9112 §2, §3, §5, §6; RFC 6455 §4.2.1.
    """

    __slots__ = ("_limits",)

    def __init__(self, limits: HTTPLimits = DEFAULT_LIMITS) -> None:
        # Nearly always the first bytes are a whole request, as it should be: then nothing else is needed.
        self._finished = False
        self._limits: HTTPLimits | None = limits

    def receive_data(self, data: bytes | bytearray | memoryview) -> Request | None:
        """
        Feed bytes from the client.

        Args:
            data: Any number of bytes; copied.

        Returns:
            The request, once, when it is complete; ``None`` before and afterwards.

        Raises:
            HTTPError: The client broke HTTP or a limit. What comes afterwards is dropped.
            TypeError: ``data`` is not bytes-like. A caller's bug.

        Cost:
            Linear in the bytes received, however they are cut.
        """
        if (limits := self._limits) is None:
            return super().receive_data(data)
        octets = data if type(data) is bytes else copy_bytes(data)
        found = split_request(octets, limits.max_line, limits.max_headers, limits.max_header_bytes)
        if found is None:
            self._start(limits)
            return super().receive_data(octets)
        method, path, version, items, index, size = found
        self._limits, self._finished, self._buffer = None, True, Buffer(octets[size:])
        return Request(path, Headers._trusted(items, index), method, b"", version)

    def receive_eof(self) -> Request | None:
        """
        Say that the client has closed its side.

        Returns:
            ``None``: a request says how long it is.

        Raises:
            HTTPError: The request is not complete. One that has not begun is no error.
        """
        if self._limits is not None:
            self._start(self._limits)
        return super().receive_eof()

    def _start(self, limits: HTTPLimits) -> None:
        buffer = Buffer()
        super().__init__(_read_request(buffer, limits), buffer)
        self._limits = None


class ResponseParser(Parser[Response]):
    """
    Parse one final response, as a client; interim ones are skipped.

    Args:
        limits: Limits; kept.
        method: Method of the request: the answers to HEAD and the successful ones to CONNECT have no body.

    Spec:
        RFC 9112 §2, §4, §5, §6; RFC 9110 §15.2.
    """

    __slots__ = ()

    def __init__(self, limits: HTTPLimits = DEFAULT_LIMITS, *, method: str = "GET") -> None:
        buffer = Buffer()
        super().__init__(_read_response(buffer, limits, method), buffer)


def _read_request(buffer: Buffer, limits: HTTPLimits) -> Steps[Request | None]:
    while not buffer:
        if buffer.eof:
            return None
        yield
    take = (limits.max_line, "request line", limits.max_line, 414)
    line = yield from read_line(buffer, *take)
    if not line:  # RFC 9112 §2.2: one empty line before the request line SHOULD be ignored
        line = yield from read_line(buffer, *take)
    method, path, version = _parse_request_line(line)
    headers = yield from read_fields(buffer, limits, limits.max_header_bytes)
    _check_host(headers, version)
    if "Upgrade" in headers:
        refuse_body(headers)
        return Request(path, headers, method, b"", version)
    body = yield from read_body(buffer, headers, version, limits, until_eof=False)
    return Request(path, headers, method, body, version)


def _read_response(buffer: Buffer, limits: HTTPLimits, method: str) -> Steps[Response | None]:
    version, response = yield from read_head(buffer, limits)
    if has_body(response.status_code, method):
        response.body = yield from read_body(buffer, response.headers, version, limits, until_eof=True)
    return response


def read_head(buffer: Buffer, limits: HTTPLimits) -> Steps[tuple[str, Response]]:
    """
    Read all of a final response that comes before its body.

    Args:
        buffer: Where to read.
        limits: Limits on lines and fields.

    Returns:
        The HTTP version, and the response without its body.

    Raises:
        HTTPError: It is malformed or over a limit, or the connection was closed before its end.
    """
    for _ in range(_MAX_INTERIM + 1):
        line = yield from read_line(buffer, limits.max_line, "status line", limits.max_line, 400)
        version, status, reason = _parse_status_line(line)
        if status < 200 and version != "HTTP/1.1":
            raise VersionError(version)  # RFC 9110 §15.2: HTTP/1.0 has no 1xx, and so no upgrade
        headers = yield from read_fields(buffer, limits, limits.max_header_bytes)
        if status >= 200 or status == 101:
            break
    else:
        raise LimitError("interim response count", _MAX_INTERIM, 400)
    return version, Response(status, reason, headers)


def has_body(status: int, method: str) -> bool:
    """
    Tell whether a response has a body, which may be empty; without one its headers say nothing about its length.

    Args:
        status: Its status.
        method: Method of the request.

    Returns:
        Whether it has one.

    Spec:
        RFC 9112 §6.3.
    """
    return not (status in _BODILESS or method == "HEAD" or (method == "CONNECT" and status < 300))


def _parse_request_line(line: bytes) -> tuple[str, str, str]:
    if (match := _match_request_line(line)) is None:
        raise ParseError(f"malformed HTTP request line: {shorten(line)}")
    method, target, number = match.groups()
    if (version := _VERSIONS.get(number)) is None:
        raise VersionError(number.decode("ascii"))
    if not target.startswith(b"/") or b"#" in target:
        raise ParseError(f"unsupported HTTP request target: {shorten(target)}")
    return method.decode("ascii"), target.decode("ascii"), version


def _parse_status_line(line: bytes) -> tuple[str, int, str]:
    if (match := _match_status_line(line)) is None:
        raise ParseError(f"malformed HTTP status line: {shorten(line)}")
    number, status, reason = match.groups(b"")
    if (version := _VERSIONS.get(number)) is None:
        raise VersionError(number.decode("ascii"))
    return version, int(status), reason.decode("latin-1")


def _check_host(headers: Headers, version: str) -> None:
    # RFC 9112 §3.2: a server MUST answer 400 to a request without Host, with several, or with an invalid one.
    hosts = headers.get_all("Host")
    if len(hosts) > 1:
        raise HostError(", ".join(hosts), "repeated")
    if hosts and split_host(hosts[0]) is None:
        raise HostError(hosts[0])
    if not hosts and version == "HTTP/1.1":
        raise HostError()
