"""Connecting through proxies: CONNECT over TCP or TLS, and SOCKS."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

from twoway.protocol import Tunneling, refused_by_socks, unreachable

if TYPE_CHECKING:
    from twoway.http import Proxy

    from ._connection import Connection

_Connection = TypeVar("_Connection", bound="Connection")

# python-socks takes no "never", and whoever calls has a limit of their own; seconds.
_NEVER = 1e6
# Versions of Python whose asyncio cannot abort TLS in TLS (https://github.com/python/cpython/issues/113214).
_BROKEN = [(3, 11, micro) for micro in range(8)] + [(3, 12, 0), (3, 12, 1)]


class Relay(asyncio.Protocol):
    """
    Ask a proxy for a tunnel; then keep what comes until the connection takes over.

    Args:
        tunneling: Knows what to say.
        proxy: The proxy, for errors.
    """

    def __init__(self, tunneling: Tunneling, proxy: Proxy) -> None:
        self._tunneling = tunneling
        self._proxy = proxy
        self._answer: asyncio.Future[bool] | None = asyncio.get_running_loop().create_future()  # None once it is there
        # Between two iterations of the loop, transports read once or twice: this needs no limit of its own.
        self._kept: list[bytes] = []
        self._lost: list[Exception | None] = []

    async def ask(self, transport: asyncio.WriteTransport) -> bool:
        """
        Ask for a tunnel.

        Args:
            transport: To the proxy.

        Returns:
            Whether it is open; False to ask again on a new connection.

        Raises:
            ProxyError: The proxy refused, broke a rule or hung up.
        """
        answer = self._answer
        assert answer is not None
        transport.write(self._tunneling.begin())
        try:
            return await answer
        except BaseException:
            del self, answer  # else the exception would keep itself and us, through its traceback
            raise

    def data_received(self, data: bytes) -> None:
        """Take bytes; asyncio calls this."""
        if self._answer is None:
            self._kept.append(data)
        else:
            self._take(data)

    def eof_received(self) -> None:
        """Take the end of the stream; asyncio calls this."""
        self._take(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the loss of the transport; asyncio calls this."""
        self._lost.append(exc)
        if isinstance(exc, OSError):
            self._conclude(unreachable(exc, self._proxy))
        self._take(b"")

    def _take(self, data: bytes) -> None:
        if self._answer is None:
            return
        try:
            opened = self._tunneling.receive(data)
        except Exception as exc:
            self._conclude(exc.with_traceback(None))  # as in `ask`
        else:
            if opened is not None:
                self._conclude(opened)

    def _conclude(self, outcome: bool | Exception) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():  # nobody wants to know any more
            return
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    def hand_over(self, transport: asyncio.Transport, connection: Connection) -> None:
        """
        Let the connection take over, with all that came in the meantime.

        Args:
            transport: That of the tunnel, or of TLS in it.
            connection: Whom the tunnel is for.
        """
        transport.set_protocol(connection)
        connection.connection_made(transport)
        for data in self._kept:
            connection.data_received(data)
        for exc in self._lost:
            connection.connection_lost(exc)


async def open_tunnel(
    new_connection: Callable[[], _Connection],
    tunneling: Tunneling,
    proxy: Proxy,
    to_proxy: dict[str, Any],
    tls: dict[str, Any],
) -> _Connection:
    """
    Connect through an HTTP proxy.

    Args:
        new_connection: Makes the connection.
        tunneling: Knows what to ask of the proxy.
        proxy: The proxy.
        to_proxy: Arguments for ``loop.create_connection``, for the connection to the proxy; besides host and port.
        tls: Arguments for ``loop.start_tls``, for TLS with the server; ``ssl`` among them. Empty for none.

    Returns:
        The connection; its transport is that of the tunnel, or of TLS in it.

    Raises:
        ProxyError: The proxy cannot be reached, refused, or broke a rule.
        OSError: TLS with the server failed.

    Spec:
        RFC 6455 §4.1 item 3.
    """
    while True:
        transport, relay = await _reach(tunneling, proxy, to_proxy)
        try:
            opened = await relay.ask(transport)
            if opened and tls:
                transport = await _start_tls(transport, relay, tls)
        except BaseException:
            transport.abort()
            del transport, relay  # as in `ask`
            raise
        if opened:
            connection = new_connection()
            relay.hand_over(transport, connection)
            return connection
        transport.abort()


async def _reach(tunneling: Tunneling, proxy: Proxy, arguments: dict[str, Any]) -> tuple[asyncio.Transport, Relay]:
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_connection(lambda: Relay(tunneling, proxy), proxy.host, proxy.port, **arguments)
    except OSError as exc:
        raise unreachable(exc, proxy) from exc


async def _start_tls(transport: asyncio.Transport, relay: Relay, tls: dict[str, Any]) -> asyncio.Transport:
    """Shake hands with the server; the protocol is that of the proxy still, for nobody makes the new one known."""
    arguments = dict(tls)
    context = arguments.pop("ssl")
    if transport.get_extra_info("ssl_object") is not None:
        _mend(transport)
    secured = await asyncio.get_running_loop().start_tls(transport, relay, context, **arguments)
    if secured is None:  # asyncio does not tell of one that hangs up at a bad moment
        raise ConnectionResetError("the server hung up in the TLS handshake")
    return secured


def _mend(transport: asyncio.Transport) -> None:
    """Let TLS in TLS report its errors: what asyncio calls then raises TypeError before Python 3.11.8 and 3.12.2."""
    if sys.version_info[:3] not in _BROKEN or not hasattr(transport, "__dict__"):  # those of uvloop have none
        return
    own = ref(transport)  # else the transport would keep itself

    def force_close(exc: object) -> None:
        if (alive := own()) is not None:
            alive.abort()

    transport._force_close = force_close  # type: ignore[attr-defined]


async def open_socks(
    new_connection: Callable[[], _Connection],
    address: tuple[str, int],
    proxy: Proxy,
    local_addr: tuple[str, int] | None,
    tls: dict[str, Any],
) -> _Connection:
    """
    Connect through a proxy that speaks SOCKS.

    Args:
        new_connection: Makes the connection.
        address: Host and port of the server.
        proxy: The proxy.
        local_addr: Where to connect from, host and port; None leaves that to the system.
        tls: Arguments for ``loop.create_connection``, for TLS with the server; empty for none.

    Returns:
        The connection.

    Raises:
        ImportError: ``python-socks`` is not installed.
        ProxyError: The proxy cannot be reached, refused, or broke a rule.
        OSError: The name of the server cannot be resolved, where that is up to us, or TLS with it failed.

    Spec:
        RFC 1928, RFC 1929.
    """
    try:
        from python_socks import ProxyConnectionError, ProxyType
        from python_socks.async_.asyncio import Proxy as SocksProxy
    except ImportError as exc:
        raise ImportError("a SOCKS proxy needs python-socks: install twoway-asyncio[socks]") from exc
    loop = asyncio.get_running_loop()
    old = proxy.scheme.startswith("socks4")
    remote = proxy.scheme in ("socks4a", "socks5h")
    host = address[0].partition("%")[0]
    if not remote:
        family = socket.AF_INET if old else socket.AF_UNSPEC
        found = await loop.getaddrinfo(host, address[1], type=socket.SOCK_STREAM, family=family)
        host = str(min(found, key=lambda item: item[0])[4][0])  # IPv4, which more servers listen on, before IPv6
    kind = ProxyType.SOCKS4 if old else ProxyType.SOCKS5
    client = SocksProxy(kind, proxy.host, proxy.port, proxy.username, proxy.password, remote)
    try:
        sock = await client.connect(host, address[1], timeout=_NEVER, local_addr=local_addr)
    except ProxyConnectionError as exc:
        raise unreachable(exc.__cause__ if isinstance(exc.__cause__, OSError) else exc, proxy) from exc
    except Exception as exc:  # a proxy that breaks the rules makes python-socks raise this and that
        raise refused_by_socks(exc, proxy) from exc
    _, connection = await loop.create_connection(new_connection, sock=sock, **tls)
    return connection
