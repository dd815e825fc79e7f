"""Which hosts a server answers for, and whose pages may open a WebSocket to it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ._errors import HostError, OriginError
from ._grammar import check_values, split_host
from ._message import Request


def check_host(request: Request, allowed_hosts: Sequence[str] | None) -> None:
    """
    Check that a request is for a host that the server answers for; the defence against DNS rebinding.

    Args:
        request: Request; read only.
        allowed_hosts: ``example.com`` or ``[::1]`` for any port, ``example.com:8080`` for one, ``*.example.com`` for
            all subdomains; case does not matter. An entry for port 80 or 443 also matches a Host without port. ``None``
            for no check.

    Raises:
        HostError: Host is missing, repeated or malformed (400), or none of ``allowed_hosts`` (421).
        ValueError: An entry of ``allowed_hosts`` is malformed. A caller's bug.
        TypeError: ``allowed_hosts`` is one ``str``. A caller's bug.

    Spec:
        RFC 9112 §3.2, RFC 9110 §7.4, §15.5.20.
    """
    if allowed_hosts is None:
        return
    values = request.headers.get_all("Host")
    if not values:
        raise HostError()
    if len(values) > 1:
        raise HostError(", ".join(values), "repeated")
    if (found := split_host(values[0])) is None:
        raise HostError(values[0])
    entries = [_parse_entry(entry) for entry in check_values(allowed_hosts, "allowed_hosts")]
    if not any(_matches(entry, found) for entry in entries):
        raise HostError(values[0], "unknown", 421)


def check_origin(request: Request, origins: Sequence[str | re.Pattern[str] | None] | None) -> str | None:
    """
    Check that the page which opens the connection is trusted; the defence against cross-site hijacking.

    Args:
        request: Request; read only.
        origins: Accepted values of Origin: equal strings, patterns that match in full, ``None`` for a missing header.
            ``None`` instead of a sequence for no check.

    Returns:
        The value of Origin; ``None`` when there is none.

    Raises:
        OriginError: Origin is repeated, or none of ``origins``: 403.
        TypeError: ``origins`` is one ``str``. A caller's bug.

    Spec:
        RFC 6455 §4.2.2 item 4, §10.2; RFC 6454 §7.
    """
    values = request.headers.get_all("Origin")
    if len(values) > 1:
        raise OriginError(", ".join(values), "repeated")
    origin = values[0] if values else None
    if origins is not None:
        if isinstance(origins, str):
            raise TypeError("origins must be a sequence, not str")
        if not any(_accepts(accepted, origin) for accepted in origins):
            raise OriginError(origin)
    return origin


def _accepts(accepted: str | re.Pattern[str] | None, origin: str | None) -> bool:
    # Exact comparison: prefixes and suffixes of an origin belong to somebody else.
    if isinstance(accepted, re.Pattern):
        return origin is not None and accepted.fullmatch(origin) is not None
    return accepted == origin


def _parse_entry(entry: str) -> tuple[str, int | None]:
    wildcard = entry.startswith("*.")
    if (parsed := split_host(entry[2:] if wildcard else entry)) is None or "*" in parsed[0]:
        raise ValueError(f"allowed_hosts must hold hosts with or without port, not {entry!r}")
    host, port = parsed
    return f".{host}" if wildcard else host, port


def _matches(entry: tuple[str, int | None], found: tuple[str, int | None]) -> bool:
    allowed, port = entry
    host, actual = found
    same = host.endswith(allowed) and host != allowed if allowed.startswith(".") else host == allowed
    return same and (port is None or port == actual or (actual is None and port in (80, 443)))
