"""User information, host and port of a URI, judged in one place for everything that is connected to."""

from __future__ import annotations

import re

from ._grammar import compress_ipv6, match_host_name

_match_authority = re.compile(r"(?:([^@\\]*+)@)?(?:\[([^\[\]@]*+)\]|([^:\[\]@]*+))(?::([0-9]{0,5}))?").fullmatch
_match_literal = re.compile(r"([0-9A-Fa-f:.]++)(?:%(?:25)?([A-Za-z0-9._~\-]++))?").fullmatch
_find_forbidden = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]").search

_MAX_HOST = 253  # RFC 1035 §2.3.4; it also bounds the work that IDNA makes


class Malformed(Exception):
    """Carry the reason from the part that is wrong to the one place that knows the whole URI."""


def parse_authority(authority: str) -> tuple[str, int | None, str | None, str | None]:
    """
    Parse ``[ userinfo "@" ] host [ ":" port ]``.

    A non-ASCII host is encoded with IDNA. A user name without a password gets an empty one.

    Args:
        authority: What stands between ``//`` and the path.

    Returns:
        Host in lower-case ASCII, IPv6 without brackets; port 1-65535; user name and password, decoded.

    Raises:
        Malformed: A part is not allowed there.

    Spec:
        RFC 3986 §3.2.
    """
    if (match := _match_authority(authority)) is None:
        raise Malformed("its user information, host or port is malformed")
    userinfo, literal, name, digits = match.groups()
    host = _parse_name(name) if literal is None else _parse_literal(literal)
    port = _parse_port(digits) if digits else None
    username, password = _parse_userinfo(userinfo) if userinfo else (None, None)
    return host, port, username, password


def join_authority(host: str, port: int | None = None) -> str:
    """
    Write ``host [ ":" port ]``.

    Args:
        host: As `parse_authority` gives it.
        port: Port; ``None`` to leave it out.

    Returns:
        Both, IPv6 in brackets.
    """
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _parse_name(name: str) -> str:
    host = name.lower()
    if not host:
        raise Malformed("it has no host")
    if len(host) <= _MAX_HOST and not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise Malformed("its host is not an internationalised domain name") from None
    # After IDNA, as that maps look-alikes of delimiters to the delimiters themselves.
    if len(host) > _MAX_HOST or match_host_name(host) is None:
        raise Malformed("its host is malformed")
    return host


def _parse_literal(literal: str) -> str:
    match = _match_literal(literal)
    address = compress_ipv6(match[1]) if match else None
    if match is None or address is None:
        raise Malformed("its IPv6 address is malformed")
    return f"{address}%{match[2]}" if match[2] else address


def _parse_port(digits: str) -> int:
    if not 1 <= (port := int(digits)) <= 65535:
        raise Malformed("its port is not 1-65535")
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
            raise Malformed("its user information is not UTF-8") from None
    if _find_forbidden(text):
        raise Malformed("its user information holds a control character or a lone surrogate")
    return text
