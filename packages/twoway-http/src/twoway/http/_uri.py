"""WebSocket URIs, and IRIs made into them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ._authority import Malformed, join_authority, parse_authority
from ._errors import URIError

_match_uri = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+)://([^/?#]*+)([^?#]*+)(?:\?([^#]*+))?(#.*+)?", re.DOTALL).fullmatch
_find_forbidden = re.compile(r"[\x00-\x20\x7f-\xa0]").search
_match_kept = re.compile(r"[%:/?@!$&'()*+,;=\[\]A-Za-z0-9\-._~]*+").fullmatch

_SECURE = {"ws": False, "wss": True}
_SCHEMES = ("ws", "wss")
_PORTS = (80, 443)
# RFC 3986 §2: reserved characters and "%" stay as they are.
_KEPT = "%:/?@!$&'()*+,;=[]"


@dataclass(frozen=True, slots=True)
class WebSocketURI:
    """
    Hold the parts of a ``ws`` or ``wss`` URI.

    Args:
        secure: Whether TLS is used.
        host: Host name or IP address, lower-case ASCII, IPv6 without brackets, its zone after ``%``.
        port: 1-65535.
        path: Path, percent-encoded ASCII, at least ``/``.
        query: Query without ``?``, percent-encoded ASCII; empty when there is none.
        username: User name, decoded; ``None`` when there is none.
        password: Password, decoded; ``None`` when there is no user name. Not shown by ``str`` and ``repr``.

    Spec:
        RFC 6455 §3.
    """

    secure: bool
    host: str
    port: int
    path: str = "/"
    query: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def resource_name(self) -> str:
        """
        Return what a request line asks for: the path, and the query if there is one.

        Spec:
            RFC 6455 §3.
        """
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def host_header(self) -> str:
        """
        Return the value of Host: the port only if it is not the default one, no IPv6 zone.

        Spec:
            RFC 6455 §4.1 item 4, RFC 9110 §7.2, RFC 6874 §4.
        """
        return self._authority(self.host.partition("%")[0])

    @property
    def authority(self) -> str:
        """
        Return host and port, always both, no IPv6 zone: what a proxy is asked for.

        Spec:
            RFC 9110 §9.3.6, RFC 9112 §3.2.3.
        """
        return join_authority(self.host.partition("%")[0], self.port)

    @property
    def origin(self) -> tuple[str, str, int]:
        """
        Return scheme, host and port; credentials may follow a redirect only where all three are equal.

        Spec:
            RFC 6454 §4.
        """
        return _SCHEMES[self.secure], self.host, self.port

    def __str__(self) -> str:
        user = "" if self.username is None else "***@"
        host = self._authority(self.host.replace("%", "%25"))
        return f"{_SCHEMES[self.secure]}://{user}{host}{self.resource_name}"

    def _authority(self, host: str) -> str:
        return join_authority(host, None if self.port == _PORTS[self.secure] else self.port)


def parse_uri(uri: str) -> WebSocketURI:
    """
    Parse a WebSocket URI or IRI.

    A non-ASCII host is encoded with IDNA, a non-ASCII path or query as percent-encoded UTF-8. A user name without a
    password gets an empty one.

    Args:
        uri: ``ws://...`` or ``wss://...``.

    Returns:
        Its parts.

    Raises:
        URIError: ``uri`` is malformed, is not ws or wss, has a fragment, or holds spaces or control characters.
        TypeError: ``uri`` is not a ``str``. A caller's bug.

    Spec:
        RFC 6455 §3, RFC 3986, RFC 3987 §3.1.
    """
    if not isinstance(uri, str):
        raise TypeError(f"uri must be a str, not {type(uri).__name__}")
    try:
        return _parse(uri)
    except Malformed as exc:
        raise URIError(uri, str(exc)) from None


def _parse(uri: str) -> WebSocketURI:
    if _find_forbidden(uri):
        raise Malformed("it holds a space or control character")
    if (match := _match_uri(uri)) is None:
        raise Malformed("it has no scheme and host")
    scheme, authority, path, query, fragment = match.groups()
    if (secure := _SECURE.get(scheme.lower())) is None:
        raise Malformed("its scheme is not ws or wss")
    if fragment is not None:  # RFC 6455 §3: fragments MUST NOT be used
        raise Malformed("it has a fragment")
    host, port, username, password = parse_authority(authority)
    target = (_encode(path) or "/", _encode(query or ""))
    return WebSocketURI(secure, host, port or _PORTS[secure], *target, username, password)


def _encode(text: str) -> str:
    if _match_kept(text):
        return text
    from urllib.parse import quote  # rarely needed

    try:
        return quote(text, safe=_KEPT)
    except UnicodeError:
        raise Malformed("it holds a lone surrogate") from None
