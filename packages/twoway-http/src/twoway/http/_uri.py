"""WebSocket URIs, and IRIs made into them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ._errors import URIError
from ._grammar import compress_ipv6, match_host_name

_match_uri = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*+)://([^/?#]*+)([^?#]*+)(?:\?([^#]*+))?(#.*+)?", re.DOTALL).fullmatch
_match_authority = re.compile(r"(?:([^@\\]*+)@)?(?:\[([^\[\]@]*+)\]|([^:\[\]@]*+))(?::([0-9]{0,5}))?").fullmatch
_match_literal = re.compile(r"([0-9A-Fa-f:.]++)(?:%(?:25)?([A-Za-z0-9._~\-]++))?").fullmatch
_find_forbidden = re.compile(r"[\x00-\x20\x7f-\xa0]").search
_find_control = re.compile(r"[\x00-\x1f\x7f]").search

_match_kept = re.compile(r"[%:/?@!$&'()*+,;=\[\]A-Za-z0-9\-._~]*+").fullmatch

_SECURE = {"ws": False, "wss": True}
_SCHEMES = ("ws", "wss")
_PORTS = (80, 443)
# RFC 3986 §2: reserved characters and "%" stay as they are.
_KEPT = "%:/?@!$&'()*+,;=[]"
_MAX_HOST = 253  # RFC 1035 §2.3.4; it also bounds the work that IDNA makes


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
        shown = f"[{host}]" if ":" in host else host
        return shown if self.port == _PORTS[self.secure] else f"{shown}:{self.port}"


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
    except _Invalid as exc:
        raise URIError(uri, str(exc)) from None


class _Invalid(Exception):
    """Carry the reason from the part that is wrong to the one place that knows the whole URI."""


def _parse(uri: str) -> WebSocketURI:
    if _find_forbidden(uri):
        raise _Invalid("it holds a space or control character")
    if (match := _match_uri(uri)) is None:
        raise _Invalid("it has no scheme and host")
    scheme, authority, path, query, fragment = match.groups()
    if (secure := _SECURE.get(scheme.lower())) is None:
        raise _Invalid("its scheme is not ws or wss")
    if fragment is not None:  # RFC 6455 §3: fragments MUST NOT be used
        raise _Invalid("it has a fragment")
    if (match := _match_authority(authority)) is None:
        raise _Invalid("its user information, host or port is malformed")
    userinfo, literal, name, digits = match.groups()
    host = _parse_name(name) if literal is None else _parse_literal(literal)
    port = _parse_port(digits) if digits else _PORTS[secure]
    username, password = _parse_userinfo(userinfo) if userinfo else (None, None)
    return WebSocketURI(secure, host, port, _encode(path) or "/", _encode(query or ""), username, password)


def _parse_name(name: str) -> str:
    host = name.lower()
    if not host:
        raise _Invalid("it has no host")
    if len(host) <= _MAX_HOST and not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise _Invalid("its host is not an internationalised domain name") from None
    # After IDNA, as that maps look-alikes of delimiters to the delimiters themselves.
    if len(host) > _MAX_HOST or match_host_name(host) is None:
        raise _Invalid("its host is malformed")
    return host


def _parse_literal(literal: str) -> str:
    match = _match_literal(literal)
    address = compress_ipv6(match[1]) if match else None
    if match is None or address is None:
        raise _Invalid("its IPv6 address is malformed")
    return f"{address}%{match[2]}" if match[2] else address


def _parse_port(digits: str) -> int:
    if not 1 <= (port := int(digits)) <= 65535:
        raise _Invalid("its port is not 1-65535")
    return port


def _parse_userinfo(userinfo: str) -> tuple[str, str]:
    username, _, password = userinfo.partition(":")
    return _decode(username), _decode(password)


def _decode(text: str) -> str:
    if "%" in text:
        from urllib.parse import unquote  # rarely needed

        try:
            text = unquote(text, errors="strict")
        except UnicodeError:
            raise _Invalid("its user information is not UTF-8") from None
    if _find_control(text):
        raise _Invalid("its user information holds a control character")
    return text


def _encode(text: str) -> str:
    if _match_kept(text):
        return text
    from urllib.parse import quote  # rarely needed

    try:
        return quote(text, safe=_KEPT)
    except UnicodeError:
        raise _Invalid("it holds a lone surrogate") from None
