"""The few productions of RFC 9110 and RFC 3986 that a handshake needs; all match in linear time."""

from __future__ import annotations

import re
from collections.abc import Sequence

# ASCII classes are spelled out: \d, \w and \s match far more than ASCII on str.
TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
TEXT = r"[\t\x20-\x7e\x80-\xff]*+"

match_token = re.compile(TOKEN).fullmatch
match_text = re.compile(TEXT).fullmatch
match_target = re.compile(r"/[\x21\x22\x24-\x7e]*+").fullmatch
# RFC 1035 §2.3.4: labels of 1-63 bytes; resolvers fail on others in ways of their own.
match_host_name = re.compile(r"[A-Za-z0-9_~\-]{1,63}(?:\.[A-Za-z0-9_~\-]{1,63})*+\.?").fullmatch

# RFC 3986 §3.2.2: an IP-literal, or a reg-name, which IPv4 addresses are part of.
_match_host = re.compile(
    r"(?:\[([0-9A-Fa-f:.]++)\]|((?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})++))(?::([0-9]{0,5}))?"
).fullmatch

_SHOWN = 100


def shorten(value: str | bytes) -> str:
    """
    Show text from a peer: control characters escaped, at most 100 characters of it.

    Args:
        value: Anything that a peer sent; not kept.

    Returns:
        ``repr`` of the beginning, with ``...`` where something was left out.
    """
    return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}..."


def check_values(values: Sequence[str], argument: str) -> Sequence[str]:
    """
    Refuse a lone string where a sequence of strings is expected.

    Args:
        values: What the caller passed.
        argument: Name of the argument, for the message.

    Returns:
        ``values``.

    Raises:
        TypeError: ``values`` is one ``str`` or ``bytes``. A caller's bug.
    """
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{argument} must be a sequence of str, not {type(values).__name__}")
    return values


def split_list(values: Sequence[str]) -> list[str]:
    """
    Split the lines of a list-based header into elements.

    Args:
        values: Values of all lines of one header, in order.

    Returns:
        Elements without surrounding spaces and tabs; empty ones are dropped.

    Spec:
        RFC 9110 §5.6.1.
    """
    return [element for value in values for part in value.split(",") if (element := part.strip(" \t"))]


def contains_token(values: Sequence[str], token: str) -> bool:
    """
    Tell whether a list-based header holds a token, whatever its case.

    Args:
        values: Values of all lines of one header.
        token: Lower-case token.

    Returns:
        Whether one element equals ``token``.
    """
    for value in values:
        lowered = value.lower()
        if lowered == token or ("," in lowered and token in split_list([lowered])):
            return True
    return False


def split_host(value: str) -> tuple[str, int | None] | None:
    """
    Split and normalise ``uri-host [ ":" port ]``.

    Args:
        value: Value of a Host header; ``example.com:80``, ``127.0.0.1``, ``[::1]:80``.

    Returns:
        The host in lower case (IPv6 compressed, in brackets) and the port 0-65535, ``None`` when there is none;
        or ``None`` when ``value`` is malformed.

    Spec:
        RFC 9110 §7.2, RFC 3986 §3.2.2.
    """
    if (match := _match_host(value)) is None:
        return None
    literal, name, digits = match.groups()
    port = int(digits) if digits else None
    if port is not None and port > 65535:
        return None
    if literal is None:
        return name.lower(), port
    address = compress_ipv6(literal)
    return None if address is None else (f"[{address}]", port)


def compress_ipv6(literal: str) -> str | None:
    """
    Normalise an IPv6 address.

    Args:
        literal: Address without brackets and zone.

    Returns:
        Its shortest form, in lower case; ``None`` when it is none.
    """
    from ipaddress import IPv6Address  # rarely needed

    try:
        return IPv6Address(literal).compressed
    except ValueError:
        return None
