"""Hosts that stand for a place which only this machine or network can reach."""

from __future__ import annotations

import re

# The resolvers of most systems take "127.1", "0x7f000001" and "2130706433" for addresses: a last label that begins
# with a digit is never a domain.
_is_numeric = re.compile(r"(?:.*\.)?[0-9][^.]*").fullmatch


def is_private_address(host: str) -> bool:
    """
    Tell whether a host is an address that is not public; names are not resolved.

    Args:
        host: Host name, IPv4 address, or IPv6 address without brackets, its zone after ``%``.

    Returns:
        Whether it is loopback, private, link-local, multicast or reserved; ``localhost`` and names below it; or an odd
        form of an IPv4 address, such as ``127.1``. False for any other name.

    Spec:
        RFC 6761 §6.3, RFC 6890.
    """
    host = host.lower().removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    if ":" not in host and _is_numeric(host) is None:
        return False
    from ipaddress import ip_address  # rarely needed

    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return True
    # ::ffff:127.0.0.1 is 127.0.0.1; 2002:7f00:1:: and 64:ff9b::7f00:1 may lead there.
    for embedded in (getattr(address, "ipv4_mapped", None), getattr(address, "sixtofour", None)):
        if embedded is not None:
            return is_private_address(str(embedded))
    if address.version == 6 and address.packed.startswith(_NAT64):
        return is_private_address(".".join(map(str, address.packed[12:])))
    return not address.is_global or address.is_multicast


_NAT64 = bytes.fromhex("0064ff9b0000000000000000")  # RFC 6052 §2.1
