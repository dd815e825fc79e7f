"""Where a redirect leads to, and whether to go there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from twoway.http import Headers, Response, URIError, WebSocketURI, parse_uri

from ._address import is_private_address
from ._grammar import shorten

# RFC 9110 §15.4: with GET, all of them mean the same to a client that opens one connection.
REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
_match_location = re.compile(r"[\x21-\x7e]{1,8000}+").fullmatch
_match_pattern = re.compile(r"(?:\*\.)?(?:[a-z0-9_~\-.]++|\[[0-9a-f:.]++\])(?::[0-9]{1,5})?").fullmatch


_Allow: TypeAlias = Sequence[str] | Callable[[WebSocketURI], bool] | None


class Unfollowed(Exception):
    """Carry the reason not to follow to the place that knows the response."""


@dataclass(frozen=True, slots=True)
class Redirects:
    """
    Say which redirects to follow.

    In any case credentials, cookies and the headers named here stay with the origin that they were given for: scheme,
    host and port.

    Args:
        limit: Number of redirects one after the other; >= 0.
        allow: Where they may lead besides the origin they come from: ``example.com``, ``example.com:8443``, ``[::1]``,
            ``*.example.com`` for all subdomains; or a function that is called with the `WebSocketURI` of each target
            and tells whether to go there; ``None`` for anywhere.
        allow_downgrade: Whether they may lead from ``wss`` to ``ws``.
        allow_private: Whether they may lead from a public host to an address that `is_private_address` knows, or to
            ``localhost``. Names are not resolved here; ``allow`` can do that.
        sensitive_headers: Names of further headers that are for the first origin only, such as ``X-Api-Key``.
        on_redirect: Called with the `WebSocketURI` of source and target before one is followed.

    Raises:
        TypeError: An argument has the wrong type. A caller's bug.
        ValueError: ``limit`` is below 0, or ``allow`` holds something that is no host. A caller's bug.

    Spec:
        RFC 9110 §15.4, RFC 6455 §4.1.
    """

    limit: int = 10
    allow: Sequence[str] | Callable[[WebSocketURI], bool] | None = None
    allow_downgrade: bool = False
    allow_private: bool = True
    sensitive_headers: Sequence[str] = ()
    on_redirect: Callable[[WebSocketURI, WebSocketURI], object] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.limit, int):
            raise TypeError(f"limit must be an int, not {type(self.limit).__name__}")
        if self.limit < 0:
            raise ValueError(f"limit must be >= 0, not {self.limit}")
        for argument, value in (("allow", self.allow), ("sensitive_headers", self.sensitive_headers)):
            if isinstance(value, str):
                raise TypeError(f"{argument} must be a sequence of str, not str")
        if self.allow is not None and not callable(self.allow):
            for pattern in self.allow:
                if _match_pattern(pattern.lower()) is None:
                    raise ValueError(f"allow must hold hosts with or without port, not {pattern!r}")


RedirectsLike: TypeAlias = Redirects | bool | None
"""What can be made into a policy: itself, ``True`` for the usual one, ``False`` or ``None`` to follow none."""

_DEFAULT = Redirects()


def read_redirects(redirects: RedirectsLike) -> Redirects | None:
    """
    Make a policy from what a caller gives.

    Args:
        redirects: `Redirects`; ``True`` for the usual policy; ``False`` or ``None`` to follow none.

    Returns:
        The policy; ``None`` to follow none.

    Raises:
        TypeError: ``redirects`` is something else. A caller's bug.
    """
    if redirects is None or isinstance(redirects, Redirects):
        return redirects
    if isinstance(redirects, bool):
        return _DEFAULT if redirects else None
    raise TypeError(f"redirects must be Redirects, bool or None, not {type(redirects).__name__}")


def check_redirect(policy: Redirects, source: WebSocketURI, target: WebSocketURI) -> None:
    """
    Refuse a target that a policy does not allow.

    Args:
        policy: Policy.
        source: Where the redirect comes from.
        target: Where it leads.

    Raises:
        Unfollowed: It may not be followed.
    """
    if source.secure and not target.secure and not policy.allow_downgrade:
        raise Unfollowed(f"it leads from wss to ws, to {show(target)}")
    if not policy.allow_private and is_private_address(target.host) and not is_private_address(source.host):
        raise Unfollowed(f"it leads to a private address, {show(target)}")
    if not _allows(policy.allow, source, target):
        raise Unfollowed(f"{show(target)} is not allowed")


def read_location(response: Response, source: WebSocketURI) -> WebSocketURI:
    """
    Find out where a redirect leads.

    Args:
        response: The redirect.
        source: Where it comes from.

    Returns:
        The target, without credentials: those in a Location are never used.

    Raises:
        Unfollowed: There is no Location, or more than one, or it is no address of a WebSocket.

    Spec:
        RFC 9110 §10.2.2, RFC 3986 §5.2.
    """
    values = response.headers.get_all("Location")
    if len(values) != 1:
        raise Unfollowed("it has several Location headers" if values else "it has no Location header")
    if _match_location(values[0]) is None:
        raise Unfollowed("its Location is malformed")
    text = resolve(source, values[0])
    try:
        return without_credentials(parse_uri(text))
    except URIError as exc:
        raise Unfollowed(f"its Location leads nowhere: {exc.reason}") from None


def resolve(source: WebSocketURI, reference: str) -> str:
    """
    Resolve a reference against a URI, and map ``http`` to ``ws``.

    Args:
        source: Base URI.
        reference: Absolute or relative reference; visible ASCII.

    Returns:
        A string that begins with ``ws://`` or ``wss://``. The fragment is dropped: RFC 9110 §10.2.2 keeps it for the
        client, and RFC 6455 §3 leaves that without use for it.

    Raises:
        Unfollowed: The scheme is another one.

    Spec:
        RFC 3986 §5.2.2.
    """
    scheme, authority, path, query = _split(reference)
    if scheme is not None:
        if (mapped := _SCHEMES.get(scheme.lower())) is None:
            raise Unfollowed(f"it leads to another scheme, {shorten(scheme)}")
        if authority is None:  # else the path of "http:path" would become the host
            raise Unfollowed("its Location has no host")
        base = f"{mapped}://{authority}"
    elif authority is not None:
        base = f"{source.origin[0]}://{authority}"
    else:
        base = f"{source.origin[0]}://{_authority(source)}"
        if not path:
            path, query = source.path, query or source.query
        elif not path.startswith("/"):
            path = source.path.rpartition("/")[0] + "/" + path
    return base + _remove_dot_segments(path) + (f"?{query}" if query else "")


def strip_headers(headers: Headers, names: Sequence[str]) -> None:
    """
    Remove what was meant for another origin.

    Args:
        headers: Headers; altered.
        names: Names of further headers to remove.

    Spec:
        RFC 9110 §15.4, client's step 1.
    """
    for name in ("Authorization", "Cookie", "Proxy-Authorization", "Host", *names):
        if name in headers:
            del headers[name]


def without_credentials(uri: WebSocketURI) -> WebSocketURI:
    """
    Remove user name and password.

    Args:
        uri: Any URI.

    Returns:
        A URI without them.
    """
    return WebSocketURI(uri.secure, uri.host, uri.port, uri.path, uri.query)


def show(uri: WebSocketURI) -> str:
    """
    Show a URI in an error or a log.

    Args:
        uri: Any URI.

    Returns:
        The URI without its query, which may hold a secret, and at most 100 characters.
    """
    text = str(WebSocketURI(uri.secure, uri.host, uri.port, uri.path))
    return text if len(text) <= 100 else f"{text[:100]}..."


def _split(reference: str) -> tuple[str | None, str | None, str, str]:
    # RFC 3986 §4.1, §4.2: a colon before the first slash ends a scheme.
    rest, _, query = reference.partition("#")[0].partition("?")
    head, colon, tail = rest.partition(":")
    scheme = head if colon and "/" not in head else None
    rest = rest if scheme is None else tail
    if not rest.startswith("//"):
        return scheme, None, rest, query
    authority, slash, path = rest[2:].partition("/")
    return scheme, authority, slash + path, query


def _authority(uri: WebSocketURI) -> str:
    host = uri.host.replace("%", "%25")
    return f"[{host}]:{uri.port}" if ":" in host else f"{host}:{uri.port}"


def _remove_dot_segments(path: str) -> str:
    # RFC 3986 §5.2.4, for a path that is empty or absolute.
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[max(1, len(kept) - 1) :]  # never the empty one before the first slash
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)


def _allows(allow: _Allow, source: WebSocketURI, target: WebSocketURI) -> bool:
    if allow is None:
        return True
    if callable(allow):
        return allow(target)
    return source.origin == target.origin or any(_matches(pattern, target) for pattern in allow)


def _matches(pattern: str, uri: WebSocketURI) -> bool:
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    pattern = pattern.lower()
    for found in (host, f"{host}:{uri.port}"):
        if found.endswith(pattern[1:]) and found != pattern[1:] if pattern.startswith("*.") else found == pattern:
            return True
    return False
