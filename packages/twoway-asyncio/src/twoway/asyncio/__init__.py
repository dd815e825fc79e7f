"""
WebSocket clients and servers for asyncio.

| module | holds |
|---|---|
| `_client` | `connect`, `unix_connect` and `ClientConnection` |
| `_proxy` | connecting through proxies |
| `_reconnect` | connecting again: the iterator |
| `_turns` | one opening handshake at a time for each address |
| `_server` | `serve`, `unix_serve`, `Server` and `ServerConnection` |
| `_shutdown` | what `Server.shutdown` does |
| `_auth` | servers that ask who a client is |
| `_broadcast` | one message to many connections |
| `_router` | dispatch by path |
| `_connection` | what both sides have in common, on an asyncio transport |

What performs no I/O is in `twoway.protocol`, for it is the same in every driver.
"""

from __future__ import annotations

from twoway.frames import CloseCode, FrameError, PayloadTooBig, ProtocolError
from twoway.http import Headers, Request, Response
from twoway.protocol import (
    Cause,
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidState,
    InvalidStatus,
    InvalidURI,
    ProxyError,
    ShutdownReport,
    State,
    WebSocketException,
    backoff,
    process_exception,
)

from ._auth import Authentication, basic_auth, digest_auth
from ._broadcast import broadcast
from ._client import ClientConnection, connect, unix_connect
from ._connection import Connection
from ._router import Router, route, unix_route
from ._server import Server, ServerConnection, serve, unix_serve

__all__ = [
    "Authentication",
    "Cause",
    "ClientConnection",
    "CloseCode",
    "ConcurrencyError",
    "Connection",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "FrameError",
    "Headers",
    "InvalidHandshake",
    "InvalidProxy",
    "InvalidProxyMessage",
    "InvalidProxyStatus",
    "InvalidState",
    "InvalidStatus",
    "InvalidURI",
    "PayloadTooBig",
    "ProtocolError",
    "ProxyError",
    "Request",
    "Response",
    "Router",
    "Server",
    "ServerConnection",
    "ShutdownReport",
    "State",
    "WebSocketException",
    "backoff",
    "basic_auth",
    "broadcast",
    "connect",
    "digest_auth",
    "process_exception",
    "route",
    "serve",
    "unix_connect",
    "unix_route",
    "unix_serve",
]

for _object in (
    Authentication,
    broadcast,
    ClientConnection,
    Connection,
    Router,
    Server,
    ServerConnection,
    basic_auth,
    connect,
    digest_auth,
    route,
    serve,
    unix_connect,
    unix_route,
    unix_serve,
):
    _object.__module__ = __name__
