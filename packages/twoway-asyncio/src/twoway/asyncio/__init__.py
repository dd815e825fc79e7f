"""
WebSocket clients and servers for asyncio.

| module | holds |
|---|---|
| `_client` | `connect` and `ClientConnection` |
| `_server` | `serve`, `Server` and `ServerConnection` |
| `_broadcast` | one message to many connections |
| `_router` | dispatch by path |
| `_connection` | what both sides have in common, on an asyncio transport |
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
    InvalidState,
    InvalidStatus,
    InvalidURI,
    State,
    WebSocketException,
)

from ._broadcast import broadcast
from ._client import ClientConnection, connect
from ._connection import Connection
from ._router import Router, route, unix_route
from ._server import Server, ServerConnection, serve

__all__ = [
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
    "InvalidState",
    "InvalidStatus",
    "InvalidURI",
    "PayloadTooBig",
    "ProtocolError",
    "Request",
    "Response",
    "Router",
    "Server",
    "ServerConnection",
    "State",
    "WebSocketException",
    "broadcast",
    "connect",
    "route",
    "serve",
    "unix_route",
]

for _object in (
    broadcast,
    ClientConnection,
    Connection,
    Router,
    Server,
    ServerConnection,
    connect,
    route,
    serve,
    unix_route,
):
    _object.__module__ = __name__
