"""The certificate of a server, in words."""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import Any

from ._text import shorten

# A certificate that ends within so many days is worth a word.
_SOON = 14
_NAMES = 6


def describe_certificate(certificate: dict[str, Any]) -> tuple[str, ...]:
    """
    Show what a certificate says.

    Args:
        certificate: As from ``SSLObject.getpeercert``; empty if it was not checked.

    Returns:
        Lines.
    """
    if not certificate:
        return ()
    kinds = [f"{value}" for _, value in certificate.get("subjectAltName", ())]
    more = f" and {len(kinds) - _NAMES} more" if len(kinds) > _NAMES else ""
    names = ", ".join(shorten(name, 80) for name in kinds[:_NAMES])
    return (
        f"subject {_name(certificate.get('subject', ()))}, issued by {_name(certificate.get('issuer', ()))}",
        f"for {names}{more}" if names else "for no name at all: it has no subjectAltName",
        f"valid from {certificate.get('notBefore')} to {certificate.get('notAfter')}",
    )


def _name(parts: Any) -> str:
    values = {key: value for group in parts for key, value in group}
    for key in ("commonName", "organizationName", "organizationalUnitName"):
        if key in values:
            return shorten(str(values[key]), 80)
    return "nobody"


def check_age(certificate: dict[str, Any]) -> str:
    """
    Warn of a certificate that ends soon.

    Args:
        certificate: As from ``SSLObject.getpeercert``.

    Returns:
        The warning; empty if there is none.
    """
    if "notAfter" not in certificate:
        return ""
    days = (ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) / 86400
    return f"the certificate ends in {max(days, 0):.0f} days" if days < _SOON else ""


async def look_at_bad(host: str, port: int, server_hostname: str) -> tuple[str, ...]:
    """
    Find out what a certificate says that was not accepted.

    Python shows only what it has verified: so we ask for the certificate, and connect once more with trust in it
    alone. Nothing is sent over these connections.

    Args:
        host: Host or address.
        port: 1-65535.
        server_hostname: Name for SNI.

    Returns:
        Lines; none if it cannot be found out, as of one that is over.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        raw = (await _fetch(host, port, context, server_hostname)).getpeercert(binary_form=True)
        if not raw:
            return ()
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=raw)
        context.verify_mode = ssl.CERT_REQUIRED
        return describe_certificate((await _fetch(host, port, context, server_hostname)).getpeercert() or {})
    except (OSError, ValueError):
        return ()


async def _fetch(host: str, port: int, context: ssl.SSLContext, server_hostname: str) -> Any:
    _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=server_hostname)
    found = writer.get_extra_info("ssl_object")
    writer.transport.abort()
    return found
