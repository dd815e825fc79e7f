"""A proxy as somebody sets it, in an argument or in the environment."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from ._authority import Malformed, join_authority, parse_authority
from ._proxy_errors import InvalidProxy

_find_forbidden = re.compile(r"[\x00-\x20\x7f-\xa0]").search

# Scheme -> default port. RFC 9110 §4.2; 1080 is what IANA has for SOCKS.
_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
_ALIASES = {"socks": "socks5h"}
_MAX_SOCKS = 255  # RFC 1929 §2: the length of each is one byte


@dataclass(frozen=True, slots=True)
class Proxy:
    """
    Hold what is known of a proxy.

    Args:
        scheme: ``http``, ``https``, ``socks4``, ``socks4a``, ``socks5`` or ``socks5h``; with the last and ``socks4a``
            the proxy resolves the names of hosts.
        host: Host name or IP address, lower-case ASCII, IPv6 without brackets.
        port: 1-65535.
        username: User name; ``None`` when there is none.
        password: Password; ``None`` when there is no user name. Not shown by ``str`` and ``repr``.
        source: Where the setting came from: ``argument``, ``environment variable https_proxy``, ``system settings``.

    Spec:
        RFC 9110 §3.7; RFC 1928, RFC 1929 for SOCKS.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    source: str = "argument"

    @property
    def is_socks(self) -> bool:
        """Return whether it speaks SOCKS; else it is for `Tunnel`."""
        return self.scheme.startswith("socks")

    def without_password(self) -> Proxy:
        """
        Return what can be shown.

        Returns:
            The same proxy, its password replaced by ``None``.
        """
        return replace(self, password=None)

    def __str__(self) -> str:
        user = "" if self.username is None else "***@"
        return f"{self.scheme}://{user}{join_authority(self.host, self.port)}"


def parse_proxy(proxy: str, source: str = "argument") -> Proxy:
    """
    Parse the URL of a proxy.

    Without a scheme it is an ``http`` proxy. ``socks://`` means ``socks5h://``. Default ports are 80, 443 and, for
    SOCKS, 1080.

    Args:
        proxy: ``http://user:password@proxy.example:3128``; reserved characters in user name and password are
            percent-encoded.
        source: Where it came from, for errors.

    Returns:
        Its parts.

    Raises:
        InvalidProxy: ``proxy`` is malformed, its scheme is not supported, or it has a path. A user's mistake.
        TypeError: ``proxy`` is not a ``str``. A caller's bug.

    Spec:
        RFC 3986.
    """
    if not isinstance(proxy, str):
        raise TypeError(f"proxy must be a str, not {type(proxy).__name__}")
    try:
        return _parse(proxy, source)
    except Malformed as exc:
        raise InvalidProxy(proxy, str(exc), source) from None


def _parse(proxy: str, source: str) -> Proxy:
    if _find_forbidden(proxy):
        raise Malformed("it holds a space or control character")
    before, found, after = proxy.partition("://")
    written, rest = (before.lower(), after) if found else ("http", proxy)
    scheme = _ALIASES.get(written, written)
    if scheme not in _PORTS:
        raise Malformed(f"its scheme is none of {', '.join(_PORTS)}")
    authority, _, path = rest.partition("/")
    if path or "?" in authority or "#" in authority:
        raise Malformed("it has a path, query or fragment; in a password, / ? # are percent-encoded")
    host, port, username, password = parse_authority(authority)
    if username is not None and password is not None:
        _check_credentials(scheme, username, password)
    return Proxy(scheme, host, port or _PORTS[scheme], username, password, source)


def _check_credentials(scheme: str, username: str, password: str) -> None:
    if scheme in ("socks4", "socks4a"):
        if password:
            raise Malformed("SOCKS 4 has no passwords")
    elif scheme.startswith("socks"):
        if not 1 <= len(username.encode()) <= _MAX_SOCKS or len(password.encode()) > _MAX_SOCKS:
            raise Malformed("SOCKS 5 takes user names of 1 to 255 bytes, passwords of 255")
    elif ":" in username:  # RFC 7617 §2
        raise Malformed("its user name holds a colon")
