"""Dispatch by path: `route`, `unix_route`, `Router`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from twoway.http import Request, Response

from ._server import ProcessRequest, ServerConnection, serve, unix_serve

if TYPE_CHECKING:
    import ssl as ssl_module
    from os import PathLike
    from typing import Literal

    from werkzeug.routing import Map

#: Scheme of a redirect for who does not want a WebSocket.
_HTTP_SCHEMES = {"ws": "http", "wss": "https"}

#: What may stand in a Location as it is (RFC 3986 §2.2, §2.3, and the percent sign).
_URI_CHARACTERS = "%/:?#[]@!$&'()*+,;=~"


class Router:
    """
    Find the handler of a connection by the path of its request; `route` makes it.

    Derive from it to change where requests lead, and give the new class to `route` as ``create_router``.

    Args:
        url_map: Rules whose endpoints are handlers; kept, and rules may be added later.
        server_name: Host and port for redirects and for rules with a host; None takes the ``Host`` header.
        url_scheme: ``ws`` or ``wss``; scheme of redirects.
    """

    def __init__(self, url_map: Map, server_name: str | None = None, url_scheme: str = "ws") -> None:
        self.url_map = url_map
        self.server_name = server_name
        self.url_scheme = url_scheme
        # Weak, because a handshake may fail between the routing and the handler.
        self._matches: WeakKeyDictionary[ServerConnection, tuple[Callable[..., Awaitable[None]], Mapping[str, Any]]]
        self._matches = WeakKeyDictionary()

    def get_server_name(self, connection: ServerConnection, request: Request) -> str:
        """
        Tell which host a request is for.

        Args:
            connection: Connection of the request.
            request: Request; read only.

        Returns:
            The ``server_name`` of the router, else the ``Host`` header; empty when there is not exactly one.
        """
        if self.server_name is not None:
            return self.server_name
        hosts = request.headers.get_all("Host")
        return hosts[0] if len(hosts) == 1 else ""

    def redirect(self, connection: ServerConnection, url: str) -> Response:
        """
        Make the answer to a request whose path leads elsewhere.

        Args:
            connection: Connection of the request.
            url: Where it leads; absolute.

        Returns:
            A response with status 302, which no client remembers.

        Spec:
            RFC 6455 §4.1, RFC 9110 §15.4.3.
        """
        from urllib.parse import quote  # as for `unquote`

        location = quote(url, safe=_URI_CHARACTERS)
        response = connection.respond(302, f"It is at {location}\n")
        response.headers["Location"] = location
        return response

    def not_found(self, connection: ServerConnection) -> Response:
        """
        Make the answer to a request whose path leads nowhere.

        Args:
            connection: Connection of the request.

        Returns:
            A response with status 404.
        """
        return connection.respond(404, "There is nothing here.\n")

    def route_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """
        Find the handler of a request.

        Args:
            connection: Connection of the request.
            request: Request; read only.

        Returns:
            None to go on with the opening handshake, or the response to send instead of it: a redirect, 404, or 400
            when the request does not tell its host.
        """
        from werkzeug.exceptions import HTTPException
        from werkzeug.routing import RequestRedirect

        server_name = self.get_server_name(connection, request)
        if not server_name:  # RFC 9112 §3.2: MUST be answered with 400
            return connection.respond(400, "A single Host header is needed.\n")
        try:
            self._matches[connection] = self._match(server_name, request)
        except RequestRedirect as exc:
            return self.redirect(connection, exc.new_url)
        except HTTPException as exc:
            return connection.respond(400, "Bad Host header.\n") if exc.code == 400 else self.not_found(connection)
        return None

    def _match(self, server_name: str, request: Request) -> tuple[Any, Mapping[str, Any]]:
        from urllib.parse import unquote  # costs 3 ms at import, and only routing needs it

        from werkzeug.exceptions import MethodNotAllowed, NotFound
        from werkzeug.routing import WebsocketMismatch

        scheme = self.url_scheme if "Upgrade" in request.headers else _HTTP_SCHEMES.get(self.url_scheme)
        # Not urlsplit, which takes the path //host/ for a host.
        path, _, query = request.path.partition("?")
        adapter = self.url_map.bind(server_name, url_scheme=scheme or self.url_scheme)
        for websocket in (True, False):  # rules need not say websocket=True: there is nothing else here
            with suppress(NotFound, MethodNotAllowed, WebsocketMismatch):
                return adapter.match(unquote(path), method="GET", query_args=query, websocket=websocket)
        raise NotFound

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
    _check_map(url_map, handlers=create_router is None)
    router = (create_router or Router)(url_map, server_name, "wss" if ssl else "ws")
    if ssl is not None and ssl is not True:
        kwargs["ssl"] = ssl
    kwargs["process_request"] = _before(kwargs.get("process_request"), router.route_request)
    return listen(router.handler, *where, **kwargs)


def _check_map(url_map: object, handlers: bool) -> None:
    try:
        from werkzeug.routing import Map
    except ModuleNotFoundError as exc:
        if exc.name != "werkzeug":
            raise
        raise ImportError("route() needs Werkzeug: pip install twoway-asyncio[routing]") from exc
    if not isinstance(url_map, Map):
        raise TypeError(f"url_map must be a werkzeug.routing.Map, not {type(url_map).__name__}")
    for rule in url_map.iter_rules() if handlers else ():
        if not (callable(rule.endpoint) or rule.redirect_to is not None or rule.build_only):
            raise TypeError(
                f"url_map: the endpoint of {rule.rule!r} must be a coroutine function, not {rule.endpoint!r}"
            )


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
