"""Errors of the opening handshake; each says what was wrong and carries the facts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ._grammar import shorten

if TYPE_CHECKING:
    from ._message import Response


class HTTPError(Exception):
    """
    Say that the peer sent something that HTTP or the opening handshake does not allow.

    Args:
        message: One sentence; text from the peer only in shortened ``repr`` form.
        status: HTTP status that a server answers with, 400-599.
        headers: Fields that the answer needs; copied.

    Attributes:
        status: HTTP status that a server answers with.
        headers: Fields that the answer needs, as ``(name, value)``.
    """

    status: int
    headers: list[tuple[str, str]]

    def __init__(self, message: str, status: int = 400, headers: Iterable[tuple[str, str]] = ()) -> None:
        # Exception.__init__ is left out: it would replace args, with which copies are made, by its own.
        self.message = message
        self.status = status
        self.headers = list(headers)

    def __str__(self) -> str:
        return self.message


class ParseError(HTTPError):
    """
    Say that the bytes are no HTTP/1.1 message, or end in the middle of one; status 400.

    Args:
        message: One sentence.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)


class LimitError(HTTPError):
    """
    Say that a part of the message is over its limit; status 413, 414 or 431.

    Args:
        what: Which part, in words.
        limit: The limit; bytes, or items where ``what`` is a count.
        status: HTTP status that a server answers with.

    Attributes:
        what: Which part, in words.
        limit: The limit; bytes or items.
    """

    def __init__(self, what: str, limit: int, status: int = 431) -> None:
        super().__init__(f"HTTP {what} over the limit of {limit}", status)
        self.what = what
        self.limit = limit


class VersionError(HTTPError):
    """
    Say that the peer speaks an HTTP version that is not supported; status 505.

    Args:
        version: What the peer sent, such as ``HTTP/2.0``.

    Attributes:
        version: What the peer sent.
    """

    def __init__(self, version: str) -> None:
        super().__init__(f"unsupported HTTP version: {shorten(version)}", 505)
        self.version = version


class MethodError(HTTPError):
    """
    Say that the handshake was not a GET; status 405 with ``Allow: GET``.

    Args:
        method: What the peer sent.

    Attributes:
        method: What the peer sent.

    Spec:
        RFC 6455 §4.2.1 item 1, RFC 9110 §15.5.6.
    """

    def __init__(self, method: str) -> None:
        super().__init__(f"unsupported HTTP method: {shorten(method)}", 405, [("Allow", "GET")])
        self.method = method


class UpgradeError(HTTPError):
    """
    Say that Upgrade or Connection does not ask for, or grant, WebSocket; status 426.

    Args:
        name: ``Upgrade`` or ``Connection``.
        value: Its value, lines joined; ``None`` when missing.

    Attributes:
        name: ``Upgrade`` or ``Connection``.
        value: Its value, lines joined; ``None`` when missing.

    Spec:
        RFC 6455 §4.1, §4.2.1; RFC 9110 §15.5.22.
    """

    def __init__(self, name: str, value: str | None = None) -> None:
        super().__init__(_describe("invalid", name, value), 426, UPGRADE_FIELDS)
        self.name = name
        self.value = value


class HeaderError(HTTPError):
    """
    Say that a header is missing, repeated, malformed or not acceptable; status 400 unless stated.

    Args:
        name: Name of the header.
        value: What the peer sent; ``None`` when missing, or not to be shown.
        problem: An adjective: ``"invalid"``, ``"repeated"``, ``"unexpected"``; ignored when ``value`` is ``None``
            unless it is ``"repeated"``.
        status: HTTP status that a server answers with.
        headers: Fields that the answer needs; copied.

    Attributes:
        name: Name of the header.
        value: What the peer sent; ``None`` when missing, or not to be shown.
        problem: The adjective.
    """

    def __init__(
        self,
        name: str,
        value: str | None = None,
        problem: str = "invalid",
        status: int = 400,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        super().__init__(_describe(problem, name, value), status, headers)
        self.name = name
        self.value = value
        self.problem = problem


class HostError(HeaderError):
    """
    Say that Host is missing, repeated or malformed (400), or not served here (421).

    Args:
        value: What the peer sent; ``None`` when missing.
        problem: An adjective, as for `HeaderError`.
        status: 400 or 421.

    Spec:
        RFC 9112 §3.2, RFC 9110 §15.5.20.
    """

    def __init__(self, value: str | None = None, problem: str = "invalid", status: int = 400) -> None:
        super().__init__("Host", value, problem, status)


class OriginError(HeaderError):
    """
    Say that Origin is not acceptable, or repeated: 403.

    Args:
        value: What the peer sent; ``None`` when missing.
        problem: An adjective, as for `HeaderError`.

    Spec:
        RFC 6455 §4.2.2 item 4, §10.2.
    """

    def __init__(self, value: str | None = None, problem: str = "forbidden") -> None:
        super().__init__("Origin", value, problem, 403)


class StatusError(HTTPError):
    """
    Say that the server answered the handshake with another status than 101.

    Args:
        response: The whole response; kept.

    Attributes:
        response: The whole response.
        status: Its status.

    Spec:
        RFC 6455 §4.1, checks of the client, item 1.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(
            f"server answered the opening handshake with HTTP {response.status_code}", response.status_code
        )
        self.response = response


class URIError(ValueError):
    """
    Say that a string is no WebSocket URI.

    Args:
        uri: The string; kept with its credentials hidden.
        reason: What is wrong with it.

    Attributes:
        uri: The string, credentials hidden.
        reason: What is wrong with it.
    """

    def __init__(self, uri: str, reason: str) -> None:
        self.uri: str = hide_credentials(uri)
        self.reason = reason
        super().__init__(self.uri, reason)

    def __str__(self) -> str:
        return f"{shorten(self.uri)} is not a WebSocket URI: {self.reason}"


UPGRADE_FIELDS = (("Upgrade", "websocket"), ("Connection", "Upgrade"))


def _describe(problem: str, name: str, value: str | None) -> str:
    if value is not None:
        return f"{problem} {name} header: {shorten(value)}"
    return f"repeated {name} header" if problem == "repeated" else f"missing {name} header"


def hide_credentials(uri: str) -> str:
    """
    Hide user information in something that is perhaps no URI.

    Args:
        uri: Any text.

    Returns:
        The same with ``***`` in its place.
    """
    # In a malformed URI nobody knows where the password ends: hide all up to the last "@".
    before, at, after = uri.rpartition("@")
    scheme, slashes, _ = before.partition("://")
    return f"{scheme}{slashes}***@{after}" if at and slashes else f"***@{after}" if at else uri
