"""Connecting through proxies: CONNECT over TCP or TLS, and SOCKS."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from twoway.protocol import Tunneling, refused_by_socks, unreachable

from ._dial import dial, prepare, receive, resolve, send, start_tls
from ._tls import TLS
from ._waiting import Deadline, readable

if TYPE_CHECKING:
    from ssl import SSLContext

    from twoway.http import Proxy

#: A connected socket, and TLS over it if there is any.
Line: TypeAlias = tuple[socket.socket, TLS | None]


def reach(proxy: Proxy, local_addr: tuple[str, int] | None, family: int, deadline: Deadline) -> socket.socket:
    """
    Connect to a proxy.

    Args:
        proxy: The proxy.
        local_addr: Where to connect from, host and port; None leaves that to the system.
        family: Of the addresses to connect to; 0 for any.
        deadline: When to give up.

    Returns:
        A connected socket, non-blocking.

    Raises:
        ProxyError: The proxy cannot be reached.
    """
    try:
        addresses = resolve(proxy.host, proxy.port, family, deadline)
        for address in addresses[:-1]:
            with suppress(OSError):
                return dial(address, local_addr, deadline)
        return dial(addresses[-1], local_addr, deadline)
    except OSError as exc:
        raise unreachable(exc, proxy) from exc


def open_tunnel(
    tunneling: Tunneling,
    proxy: Proxy,
    connect: Callable[[], socket.socket],
    tls: tuple[SSLContext, str] | None,
    deadline: Deadline,
) -> Line:
    """
    Ask an HTTP proxy for a tunnel, as often as it takes.

    Args:
        tunneling: Knows what to ask of the proxy.
        proxy: The proxy.
        connect: Gives a new connection to it.
        tls: For an ``https`` proxy: the settings, and the name that it must have.
        deadline: When to give up.

    Returns:
        The tunnel.

    Raises:
        ProxyError: The proxy cannot be reached, refused, or broke a rule.
        TimeoutError: The time is over.

    Spec:
        RFC 6455 §4.1 item 3.
    """
    while True:
        sock = connect()
        try:
            line = sock, None if tls is None else _start_tls(sock, proxy, tls, deadline)
            if _ask(tunneling, proxy, line, deadline):
                return line
        except BaseException:
            sock.close()
            raise
        sock.close()


def _start_tls(sock: socket.socket, proxy: Proxy, tls: tuple[SSLContext, str], deadline: Deadline) -> TLS:
    try:
        return start_tls(sock, *tls, deadline)
    except OSError as exc:
        raise unreachable(exc, proxy) from exc


def _ask(tunneling: Tunneling, proxy: Proxy, line: Line, deadline: Deadline) -> bool:
    sock, tls = line
    wait = readable(sock)
    request = tunneling.begin()
    try:
        if tls is not None:
            request = _wrap(tls, request)
        send(sock, request, deadline)
        data = b"" if tls is None else tls.receive(b"")  # what came with the end of the TLS handshake
        while True:
            opened = tunneling.receive(data) if data else None
            if opened is not None:
                return opened
            data = receive(sock, wait, deadline)
            if tls is not None:
                ended, data = not data, tls.receive(data)
                if not data and not ended and not tls.eof:
                    continue
            if not data:
                return bool(tunneling.receive(b""))  # raises
    except OSError as exc:
        raise unreachable(exc, proxy) from exc


def _wrap(tls: TLS, data: bytes) -> bytes:
    """Give what to send for some plain bytes, which are far less than TLS takes at once."""
    tls.send(data)
    return tls.data_to_send()


class _TimedSocket(socket.socket):
    """Be a socket whose methods all end at one time, however little each of them gets; as far as python-socks goes."""

    deadline: Deadline

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        if not readable(self)(self.deadline.left()):
            raise TimeoutError("timed out")
        data = super().recv(bufsize, flags)
        if not data:
            raise ConnectionResetError("the proxy hung up")
        return data

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        send(self, bytes(data), self.deadline)


class _Way:
    """Give python-socks, which takes it for a proxy before the proxy, a connection that there is already."""

    def __init__(self, sock: _TimedSocket) -> None:
        self._sock = sock

    def connect(self, dest_host: str, dest_port: int, timeout: float | None = None) -> socket.socket:
        """Give the socket."""
        return self._sock


def open_socks(
    address: tuple[str, int], proxy: Proxy, connect: Callable[[], socket.socket], deadline: Deadline
) -> socket.socket:
    """
    Connect through a proxy that speaks SOCKS.

    Args:
        address: Host and port of the server.
        proxy: The proxy.
        connect: Gives a new connection to it.
        deadline: When to give up.

    Returns:
        A connected socket, non-blocking.

    Raises:
        ImportError: ``python-socks`` is not installed.
        ProxyError: The proxy cannot be reached, refused, or broke a rule.
        OSError: The name of the server cannot be resolved, where that is up to us.
        TimeoutError: The time is over.

    Spec:
        RFC 1928, RFC 1929.
    """
    try:
        from python_socks import ProxyType
        from python_socks.sync import Proxy as SocksProxy
    except ImportError as exc:
        raise ImportError("a SOCKS proxy needs python-socks: install twoway-threading[socks]") from exc
    old = proxy.scheme.startswith("socks4")
    remote = proxy.scheme in ("socks4a", "socks5h")
    host = address[0].partition("%")[0]
    if not remote:
        found = resolve(host, address[1], socket.AF_INET if old else 0, deadline)
        host = str(min(found, key=lambda item: item[0])[4][0])  # IPv4, which more servers listen on, before IPv6
    sock = _TimedSocket(fileno=connect().detach())
    sock.deadline = deadline
    kind = ProxyType.SOCKS4 if old else ProxyType.SOCKS5
    way: Any = _Way(sock)
    client = SocksProxy(kind, proxy.host, proxy.port, proxy.username, proxy.password, remote, way)
    try:
        client.connect(host, address[1])
        plain = socket.socket(fileno=sock.detach())
    except Exception as exc:  # a proxy that breaks the rules makes python-socks raise this and that
        raise refused_by_socks(exc, proxy) from exc
    finally:
        sock.close()
    prepare(plain)
    return plain
