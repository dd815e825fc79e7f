"""One opening handshake at a time for each address and port."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from os import fsencode
from socket import SOCK_STREAM
from typing import Any, TypeAlias, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

_T = TypeVar("_T")
_Locks: TypeAlias = WeakValueDictionary[object, asyncio.Lock]

# Locks last as long as somebody holds them or waits for them, and the rest as long as the event loop.
_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Locks] = WeakKeyDictionary()
# What asks for an address, and is not for who connects to one that is known.
_RESOLVING = ("family", "proto", "flags")


async def take_turn(attempt: Callable[[dict[str, Any]], Awaitable[_T]], arguments: dict[str, Any]) -> _T:
    """
    Connect when nobody else is connecting to the same address and port.

    The addresses of a host are tried one after the other, each in its turn.

    Args:
        attempt: Connects, and shakes hands; gets ``arguments`` with one address.
        arguments: For ``loop.create_connection`` or ``loop.create_unix_connection``; not changed.

    Returns:
        What ``attempt`` gives.

    Raises:
        OSError: The host has no address, or none could be connected to; that of the last one.

    Spec:
        RFC 6455 §4.1 item 2.
    """
    targets = await _find_targets(arguments)
    while True:
        key, target = targets.pop(0)
        async with _lock(key):
            try:
                return await attempt(target)
            except OSError:
                if not targets:
                    raise


async def take_turn_at(key: object, attempt: Callable[[], Awaitable[_T]]) -> _T:
    """
    Connect when nobody else is connecting to the same place, where only a proxy knows its address.

    Args:
        key: Host and port.
        attempt: Connects, and shakes hands.

    Returns:
        What ``attempt`` gives.

    Spec:
        RFC 6455 §4.1 item 2: each host name is then taken for a place of its own.
    """
    async with _lock(key):
        return await attempt()


def _lock(key: object) -> asyncio.Lock:
    locks = _locks.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
    return locks.setdefault(key, asyncio.Lock())


async def _find_targets(arguments: dict[str, Any]) -> list[tuple[object, dict[str, Any]]]:
    """Give address and arguments of each place to try."""
    sock = arguments.get("sock")
    if sock is not None:
        return [(_read_address(sock.getpeername()), arguments)]
    if "path" in arguments:
        return [(fsencode(arguments["path"]), arguments)]
    resolving = {name: arguments[name] for name in _RESOLVING if name in arguments}
    rest = {name: value for name, value in arguments.items() if name not in _RESOLVING}
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(arguments["host"], arguments["port"], type=SOCK_STREAM, **resolving)
    addresses = dict.fromkeys(_read_address(item[4]) for item in found)
    return [(address, {**rest, "host": address[0], "port": address[1]}) for address in addresses]


def _read_address(address: Any) -> Any:
    """Give the IP address, with the zone if there is one, and the port; or the path of a Unix socket."""
    if isinstance(address, (str, bytes)):
        return fsencode(address)
    host, port = address[:2]
    scope = address[3] if len(address) > 3 else 0  # of a link-local IPv6 address
    return (f"{host.partition('%')[0]}%{scope}" if scope else host), port
