"""Dispatch by path: `route`, `unix_route`, `Router`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from twoway.http import Request, Response
from twoway.protocol import RouterBase, check_map

from ._server import ProcessRequest, ServerConnection, serve, unix_serve

if TYPE_CHECKING:
    import ssl as ssl_module
    from os import PathLike
    from typing import Literal

    from werkzeug.routing import Map


class Router(RouterBase[ServerConnection]):
    """
    Find the handler of a connection by the path of its request; `route` makes it.

    Derive from it to change where requests lead, and give the new class to `route` as ``create_router``. What can be
    changed is in ``twoway.protocol.RouterBase``.

    Args:
        url_map: Rules whose endpoints are handlers; kept, and rules may be added later.
        server_name: Host and port for redirects and for rules with a host; None takes the ``Host`` header.
        url_scheme: ``ws`` or ``wss``; scheme of redirects.
    """

    async def handler(self, connection: ServerConnection) -> None:
        """
        Run the handler that was found, with the connection and the arguments from the path.

        Args:
            connection: An open connection that `route_request` has seen.
        """
        handler, arguments = self._matches.pop(connection)
        await handler(connection, **arguments)


def route(
    url_map: Map,
    *args: Any,
    server_name: str | None = None,
    ssl: ssl_module.SSLContext | Literal[True] | None = None,
    create_router: Callable[..., Router] | None = None,
    **kwargs: Any,
) -> serve:
    """
    Serve WebSocket connections with a handler for each path.

    The endpoints of the rules are the handlers; they get the connection, and the parts of the path as keywords:

        async def channel(connection: ServerConnection, number: int) -> None: ...

        url_map = Map([Rule("/channel/<int:number>", endpoint=channel)])
        async with route(url_map, "localhost", 8765) as server:
            await server.serve_forever()

    An unknown path is answered with 404, and rules that lead elsewhere with a redirect. ``process_request`` comes
    first: what it answers is not routed. Needs Werkzeug: ``pip install twoway-asyncio[routing]``.

    Args:
        url_map: A ``werkzeug.routing.Map`` whose endpoints are coroutine functions; kept.
        *args: ``host`` and ``port`` of `serve`.
        server_name: Host and port for redirects and for rules with a host; None takes the ``Host`` header.
        ssl: TLS context; True when a proxy in front does TLS, so that redirects lead to ``wss``.
        create_router: Makes the router from ``url_map``, ``server_name`` and the scheme; None takes `Router`.
        **kwargs: For `serve`.

    Returns:
        Something to await or to enter, as `serve` is.

    Raises:
        ImportError: Werkzeug is not installed.
        TypeError: An argument has the wrong type, or an endpoint is no function; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.
    """
    return _routed(serve, url_map, args, server_name, ssl, create_router, kwargs)


def unix_route(
    url_map: Map,
    path: str | PathLike[str] | None = None,
    *,
    server_name: str | None = None,
    ssl: ssl_module.SSLContext | Literal[True] | None = None,
    create_router: Callable[..., Router] | None = None,
    **kwargs: Any,
) -> serve:
    """
    Serve WebSocket connections on a Unix socket with a handler for each path.

    Args:
        url_map: As for `route`.
        path: Where the socket is made; None with ``sock``.
        server_name: As for `route`.
        ssl: As for `route`.
        create_router: As for `route`.
        **kwargs: For `unix_serve`.

    Returns:
        Something to await or to enter, as `serve` is.

    Raises:
        ImportError: Werkzeug is not installed.
        TypeError: An argument has the wrong type, or an endpoint is no function; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.
    """
    return _routed(unix_serve, url_map, (path,), server_name, ssl, create_router, kwargs)


def _routed(
    listen: Callable[..., serve],
    url_map: Map,
    where: tuple[Any, ...],
    server_name: str | None,
    ssl: ssl_module.SSLContext | Literal[True] | None,
    create_router: Callable[..., Router] | None,
    kwargs: dict[str, Any],
) -> serve:
    check_map(url_map, "a coroutine function" if create_router is None else None, "twoway-asyncio[routing]")
    router = (create_router or Router)(url_map, server_name, "wss" if ssl else "ws")
    if ssl is not None and ssl is not True:
        kwargs["ssl"] = ssl
    kwargs["process_request"] = _before(kwargs.get("process_request"), router.route_request)
    return listen(router.handler, *where, **kwargs)


def _before(process_request: ProcessRequest | None, route_request: ProcessRequest) -> ProcessRequest:
    """Ask the callback of the user first, which may answer by itself."""
    if process_request is None:
        return route_request
    if not callable(process_request):
        raise TypeError(f"process_request must be callable or None, not {type(process_request).__name__}")

    async def process(connection: ServerConnection, request: Request) -> Response | None:
        response = await _result(process_request(connection, request))
        if response is not None and response.status_code != 101:  # even its own handshake needs a handler
            return response
        return await _result(route_request(connection, request)) or response

    return process


async def _result(value: Awaitable[Response | None] | Response | None) -> Response | None:
    return await value if inspect.isawaitable(value) else value
