"""
WebSocket clients and servers for threads.

| module | holds |
|---|---|
| `_client` | `connect`, `unix_connect` and `ClientConnection` |
| `_dial` | addresses, TCP, Unix sockets and TLS, in a limited time |
| `_proxy` | connecting through proxies |
| `_reconnect`, `_ending` | connecting again; telling that a connection has ended |
| `_turns` | one opening handshake at a time for each address |
| `_server` | `serve`, `unix_serve`, `Server` and `ServerConnection` |
| `_listen` | listening sockets |
| `_workers` | the threads of handlers |
| `_shutdown` | what `Server.shutdown` does |
| `_auth` | servers that ask who a client is |
| `_broadcast` | one message to many connections |
| `_router` | dispatch by path |
| `_connection` | what both sides have in common, on a socket |
| `_parts`, `_pong` | a message in parts; the answer to a ping |
| `_outbox`, `_tls` | what waits to be written; TLS without a socket |
| `_io` | the thread that looks after sockets while no other one does |
| `_waiting`, `_logging` | waiting in a limited time; logging without a lock |
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
from ._pong import Pong
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
    "Pong",
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
    Pong,
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
