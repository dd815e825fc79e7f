"""Which proxy a connection goes through: the one that was given, or what the environment and the system say."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from ._proxy import Proxy, parse_proxy
from ._uri import WebSocketURI

#: ``True`` for the settings of the environment and of the system, ``None`` for no proxy, a URL or a `Proxy`, or a
#: function that gives one of the last three for a URI.
ProxyLike: TypeAlias = str | Proxy | Literal[True] | Callable[[WebSocketURI], str | Proxy | None] | None

# Preferred ones first. RFC 6455 §4.1 item 3: SOCKS 5, else the one for HTTPS, which surely knows CONNECT, else the one
# for HTTP.
_SETTINGS = {True: ("wss", "socks", "https", "all"), False: ("ws", "socks", "https", "http", "all")}
# These keep settings elsewhere, too; on others no variable means no proxy, which is found out without urllib.
_SYSTEMS = ("darwin", "win32", "cygwin")

# RFC 6761 §6.3; RFC 1122 §3.2.1.3, in the short forms that resolvers take, too; RFC 4291 §2.5.3, §2.5.5.2.
_match_loopback = re.compile(
    r"(?:.*\.)?localhost\.?|(?:::ffff:)?127(?:\.[0-9]{1,10}){1,3}\.?|::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}|::1"
).fullmatch


def choose_proxy(
    proxy: ProxyLike,
    uri: WebSocketURI,
    *,
    getproxies: Callable[[], Mapping[str, str]] | None = None,
    proxy_bypass: Callable[[str], object] | None = None,
) -> Proxy | None:
    """
    Find the proxy for a connection.

    Settings of the environment and of the system come from `urllib.request`: for ``wss`` the variables ``wss_proxy``,
    ``socks_proxy``, ``https_proxy`` and ``all_proxy``, for ``ws`` ``ws_proxy``, ``socks_proxy``, ``https_proxy``,
    ``http_proxy`` and ``all_proxy``; the first one counts. ``no_proxy`` lists exceptions: hosts, which include their
    subdomains, with or without port, networks such as ``10.0.0.0/8``, or ``*``. What leads to this machine
    (``localhost``, ``127.0.0.0/8``, ``::1``) is always one. None of this applies to a proxy that is given.

    Args:
        proxy: What the caller of the driver passed.
        uri: Where to connect.
        getproxies: Instead of `urllib.request.getproxies`.
        proxy_bypass: Instead of `urllib.request.proxy_bypass`.

    Returns:
        The proxy; ``None`` for a direct connection.

    Raises:
        InvalidProxy: The setting is no proxy that can be used; the error says where it comes from.
        TypeError: ``proxy`` is something else, or the function gave something else. A caller's bug.

    Spec:
        RFC 6455 §4.1 item 3.

    Cost:
        Nothing but a look at the names of the variables when there is none about proxies. On macOS and Windows, the
        system may look up the name of the host, which blocks.
    """
    if proxy is True:
        return _find(uri, getproxies, proxy_bypass)
    if callable(proxy):
        proxy = proxy(uri)
    if proxy is None or isinstance(proxy, Proxy):
        return proxy
    if isinstance(proxy, str):
        return parse_proxy(proxy)
    raise TypeError(
        f"proxy must be True, None, a str, a Proxy or a function that gives one, not {type(proxy).__name__}"
    )


def is_loopback(host: str) -> bool:
    """
    Tell whether a host is this machine, whatever the network.

    Args:
        host: As `parse_uri` gives it.

    Returns:
        Whether it is ``localhost`` or below, or a loopback address.
    """
    return _match_loopback(host.partition("%")[0]) is not None


def _find(
    uri: WebSocketURI,
    getproxies: Callable[[], Mapping[str, str]] | None,
    proxy_bypass: Callable[[str], object] | None,
) -> Proxy | None:
    if is_loopback(uri.host):
        return None
    if getproxies is None or proxy_bypass is None:
        if sys.platform not in _SYSTEMS and not any(name.lower().endswith("_proxy") for name in os.environ):
            return None
        import urllib.request  # slow to import, and needed by few

        getproxies = getproxies or urllib.request.getproxies
        proxy_bypass = proxy_bypass or urllib.request.proxy_bypass
    settings = getproxies()
    name = next((name for name in _SETTINGS[uri.secure] if settings.get(name)), None)
    if name is None or proxy_bypass(uri.authority) or _is_listed(uri, settings.get("no", "")):
        return None
    source = next((f"environment variable {key}" for key in _variables(name) if os.environ.get(key)), "system settings")
    return parse_proxy(_complete(name, settings[name]), source)


def _variables(name: str) -> list[str]:
    # In the order in which urllib takes them: lower case wins.
    written = f"{name}_proxy"
    return [written, *(key for key in os.environ if key.lower() == written)]


def _complete(name: str, value: str) -> str:
    # macOS says http:// and Windows says socks:// of proxies for SOCKS.
    scheme, found, rest = value.partition("://")
    return f"socks5h://{rest if found else value}" if name == "socks" and (not found or scheme == "http") else value


def _is_listed(uri: WebSocketURI, no_proxy: str) -> bool:
    """Tell whether ``no_proxy`` names the host in a way that `urllib` does not know."""
    return any(_matches(uri, entry) for part in no_proxy.split(",") if (entry := part.strip().lower()))


def _matches(uri: WebSocketURI, entry: str) -> bool:
    if entry == "*":
        return True
    if entry.startswith("*."):
        return uri.host.rstrip(".").endswith(entry[1:])
    from ipaddress import ip_address, ip_network  # rarely needed

    try:
        return ip_address(uri.host.partition("%")[0]) in ip_network(
            entry.replace("[", "").replace("]", ""), strict=False
        )
    except ValueError:  # one of them is a name
        return False
