"""A connection between twoway and a peer, whichever of them is the client."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from twoway.asyncio import ClientConnection, Connection, ServerConnection, connect, serve

from .base import Certificates, End, Peer, Refused, Settings

# Of the whole closing handshake on our side; seconds. No peer needs it: a test that waits for it is too slow.
CLOSE_TIMEOUT = 15


class Counting(Connection):
    """Count the bytes on the wire, so that a test sees whether a message was compressed."""

    received = sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(CountingTransport(transport, self))  # type: ignore[arg-type]  # has all its methods

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        super().data_received(data)


class CountingTransport:
    """A transport that tells a connection what it writes."""

    def __init__(self, transport: Any, connection: Counting) -> None:
        self._transport = transport
        self._connection = connection

    def write(self, data: Any) -> None:
        self._connection.sent += len(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class CountingClient(Counting, ClientConnection):
    """Our client's connection."""


class CountingServer(Counting, ServerConnection):
    """Our server's connection."""


@dataclass(frozen=True)
class Link:
    """
    What opens connections with a peer: call it, in ``async with``, for our end and the peer's.

    Attributes:
        peer: The other implementation.
        role: What the peer is, ``client`` or ``server``.
        refused: What opening raises when the peer is the client, and the server refuses.
    """

    peer: Peer
    role: str
    refused: ClassVar[type[Refused]] = Refused

    @asynccontextmanager
    async def __call__(
        self,
        *,
        path: str = "/",
        tls: Certificates | None = None,
        ours: dict[str, Any] | None = None,
        **theirs: Any,
    ) -> AsyncIterator[tuple[Connection, End]]:
        """
        Open a connection, and close it.

        Args:
            path: For the client to ask for.
            tls: None for none.
            ours: Options of our `connect` or `serve`.
            theirs: `Settings` of the peer.
        """
        options = {"compression": None, "close_timeout": CLOSE_TIMEOUT, **(ours or {})}
        settings = Settings(tls=tls, **theirs)
        opened = self._accept if self.role == "client" else self._connect
        async with opened(path, options, settings) as (connection, end):
            try:
                yield connection, end
            except BaseException:
                connection.abort()
                raise
            await connection.close()
            await end.closed

    @asynccontextmanager
    async def _accept(
        self, path: str, options: dict[str, Any], settings: Settings
    ) -> AsyncIterator[tuple[ServerConnection, End]]:
        accepted: asyncio.Queue[ServerConnection] = asyncio.Queue()

        async def handler(connection: ServerConnection) -> None:
            accepted.put_nowait(connection)
            await connection.wait_closed()

        tls = settings.tls and settings.tls.server
        options = {"ssl": tls, "create_connection": CountingServer, **options}
        async with serve(handler, "127.0.0.1", 0, **options) as server:
            port = server.sockets[0].getsockname()[1]
            end = await self.peer.connect(address(port, path, settings), settings)
            yield await accepted.get(), end
        check_closed(port)

    @asynccontextmanager
    async def _connect(
        self, path: str, options: dict[str, Any], settings: Settings
    ) -> AsyncIterator[tuple[Connection, End]]:
        tls = settings.tls and settings.tls.client
        options = {"ssl": tls, "create_connection": CountingClient, **options}
        async with self.peer.serve(settings) as listener:
            connection = await connect(address(listener.port, path, settings), **options)
            yield connection, await listener.accept()
        check_closed(listener.port)


def address(port: int, path: str, settings: Settings) -> str:
    """Return the URI of a server on this machine."""
    return f"{'wss' if settings.tls else 'ws'}://127.0.0.1:{port}{path}"


def check_closed(port: int) -> None:
    """Fail if something still listens on a port."""
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, f"port {port} is still open"
