"""HTTP requests and responses as they go over the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from ._grammar import match_target, match_text, match_token, shorten
from ._headers import Headers, HeadersLike

_VERSIONS = ("HTTP/1.1", "HTTP/1.0")


@dataclass(slots=True)
class Request:
    """
    Hold one HTTP request.

    Args:
        path: Target in origin-form, query included: ``/chat?room=1``; visible ASCII, percent-encoded.
        headers: Fields; kept, not copied.
        method: Token.
        body: Body; bytes.
        version: ``HTTP/1.1`` or ``HTTP/1.0``.

    Spec:
        RFC 9112 §3.
    """

    path: str
    headers: Headers = field(default_factory=Headers)
    method: str = "GET"
    body: bytes = b""
    version: str = "HTTP/1.1"

    def serialize(self) -> bytes:
        """
        Write the request as it goes over the wire.

        Returns:
            Request line, fields, blank line, body. No field is added.

        Raises:
            ValueError: ``method``, ``path`` or ``version`` is not allowed in HTTP. A caller's bug.
        """
        if match_token(self.method) is None:
            raise ValueError(f"method must be an HTTP token, not {shorten(self.method)}")
        if match_target(self.path) is None:
            raise ValueError(f"path must start with / and be visible ASCII without #, not {shorten(self.path)}")
        if self.version not in _VERSIONS:
            raise ValueError(f"version must be HTTP/1.1 or HTTP/1.0, not {shorten(self.version)}")
        line = f"{self.method} {self.path} {self.version}\r\n".encode("ascii")
        return b"".join((line, self.headers.serialize(), b"\r\n", self.body))


@dataclass(slots=True)
class Response:
    """
    Hold one HTTP response.

    Args:
        status_code: 100-599.
        reason_phrase: Text after the status; latin-1 without control characters, may be empty.
        headers: Fields; kept, not copied.
        body: Body; bytes.

    Spec:
        RFC 9112 §4.
    """

    status_code: int
    reason_phrase: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @classmethod
    def text(cls, status: int, text: str, headers: HeadersLike = ()) -> Response:
        """
        Build a plain-text response after which the connection is closed.

        Args:
            status: 200-599; the reason phrase is the registered one, empty for a status without one.
            text: Body, sent as UTF-8.
            headers: More fields; they replace Content-Type and Connection if they name them.

        Returns:
            A response with Content-Type, Content-Length and ``Connection: close``.

        Raises:
            ValueError: ``status`` is out of range or ``headers`` are not allowed in HTTP. A caller's bug.
        """
        if not 200 <= status <= 599:
            raise ValueError(f"status must be 200-599, not {status!r}")
        body = text.encode()
        fields = Headers([("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close")])
        fields.update(headers)
        fields["Content-Length"] = str(len(body))
        return cls(status, _reason_phrase(status), fields, body)

    def serialize(self, *, head: bool = False) -> bytes:
        """
        Write the response as it goes over the wire.

        Args:
            head: Leave the body out, as the answer to HEAD must; Content-Length stays.

        Returns:
            Status line, fields, blank line, body. No field is added.

        Raises:
            ValueError: ``status_code`` or ``reason_phrase`` is not allowed in HTTP. A caller's bug.

        Spec:
            RFC 9112 §4, RFC 9110 §9.3.2.
        """
        line = _status_line(self.status_code, self.reason_phrase)
        return b"".join((line, self.headers.serialize(), b"\r\n", b"" if head else self.body))


@lru_cache(maxsize=64, typed=True)  # servers have few: nearly all answers are 101
def _status_line(status_code: int, reason_phrase: str) -> bytes:
    if not 100 <= status_code <= 599:
        raise ValueError(f"status_code must be 100-599, not {status_code!r}")
    if match_text(reason_phrase) is None:
        raise ValueError("reason_phrase must be latin-1 without control characters")
    return f"HTTP/1.1 {status_code:d} {reason_phrase}\r\n".encode("latin-1")


def _reason_phrase(status: int) -> str:
    from http import HTTPStatus  # only error answers need it

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
