"""The connection scope of ASGI, and how it is named in the log."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, unquote

from twoway.http import Request

if TYPE_CHECKING:
    from uvicorn.config import Config

Scope: TypeAlias = dict[str, Any]


def make_scope(request: Request, transport: asyncio.Transport, config: Config, state: dict[str, Any]) -> Scope:
    """
    Describe a connection to the application.

    Args:
        request: What the client has sent; not kept.
        transport: Where it has come from; not kept.
        config: Settings of uvicorn, of which ``root_path`` counts here.
        state: What the lifespan of the application has left; a shallow copy goes into the scope.

    Returns:
        A scope of type ``websocket``, of version 2.4 of the specification: ``send`` raises ``OSError`` once the
        client is gone.

    Spec:
        ASGI, WebSocket Connection Scope.
    """
    raw_path, _, query = request.path.partition("?")
    return {
        "type": "websocket",
        "asgi": {"version": config.asgi_version, "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "wss" if transport.get_extra_info("sslcontext") else "ws",
        "server": _read_address(transport.get_extra_info("sockname")),
        "client": _read_address(transport.get_extra_info("peername")),
        "root_path": config.root_path,
        "path": config.root_path + unquote(raw_path),
        "raw_path": config.root_path.encode() + raw_path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.raw_items()],
        "subprotocols": _read_subprotocols(request),
        "state": state.copy(),
        "extensions": {"websocket.http.response": {}},
    }


def describe(scope: Scope) -> str:
    """
    Name a connection as uvicorn does.

    Args:
        scope: The scope, as the middleware of the application may have altered it.

    Returns:
        One line: who has asked for what.
    """
    client, query = scope["client"], scope["query_string"].decode("latin-1")
    address, path = ":".join(map(str, client or ())), quote(scope["path"])
    return f'{address} - "WebSocket {f"{path}?{query}" if query else path}"'


def _read_address(info: Any) -> tuple[str, int | None] | None:
    if isinstance(info, (tuple, list)):
        return str(info[0]), int(info[1])
    return (info, None) if isinstance(info, str) and info else None  # that of a Unix socket, where it has one


def _read_subprotocols(request: Request) -> list[str]:
    values = request.headers.get_all("Sec-WebSocket-Protocol")
    return [token.strip() for value in values for token in value.split(",")]
