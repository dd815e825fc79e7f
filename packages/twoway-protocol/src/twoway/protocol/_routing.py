"""Dispatch by path: which handler a request leads to, and what is answered to everybody else."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from weakref import WeakKeyDictionary

from twoway.http import Request, Response

if TYPE_CHECKING:
    from werkzeug.routing import Map

#: Scheme of a redirect for who does not want a WebSocket.
_HTTP_SCHEMES = {"ws": "http", "wss": "https"}

#: What may stand in a Location as it is (RFC 3986 §2.2, §2.3, and the percent sign).
_URI_CHARACTERS = "%/:?#[]@!$&'()*+,;=~"


class Responder(Protocol):
    """Be what a router needs of a connection."""

    def respond(self, status: int, text: str) -> Response:
        """
        Make a plain HTTP response.

        Args:
            status: HTTP status; 200-599.
            text: Body, for people.

        Returns:
            A response that may be altered.
        """


_Connection = TypeVar("_Connection", bound=Responder)


class RouterBase(Generic[_Connection]):
    """
    Find the handler of a connection by the path of its request; the router of a driver only has to run it.

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
        self._matches: WeakKeyDictionary[_Connection, tuple[Any, Mapping[str, Any]]] = WeakKeyDictionary()

    def get_server_name(self, connection: _Connection, request: Request) -> str:
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

    def redirect(self, connection: _Connection, url: str) -> Response:
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

    def not_found(self, connection: _Connection) -> Response:
        """
        Make the answer to a request whose path leads nowhere.

        Args:
            connection: Connection of the request.

        Returns:
            A response with status 404.
        """
        return connection.respond(404, "There is nothing here.\n")

    def route_request(self, connection: _Connection, request: Request) -> Response | None:
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


def check_map(url_map: object, endpoints: str | None, requirement: str) -> None:
    """
    Check the argument ``url_map`` of ``route``.

    Args:
        url_map: What was given.
        endpoints: What the endpoints of rules must be, in words, for the error; None if they need not be callable.
        requirement: What to install when Werkzeug is missing, for the error.

    Raises:
        ImportError: Werkzeug is not installed.
        TypeError: ``url_map`` is no map, or an endpoint is not callable; a caller's bug.
    """
    try:
        from werkzeug.routing import Map
    except ModuleNotFoundError as exc:
        if exc.name != "werkzeug":
            raise
        raise ImportError(f"route() needs Werkzeug: pip install {requirement}") from exc
    if not isinstance(url_map, Map):
        raise TypeError(f"url_map must be a werkzeug.routing.Map, not {type(url_map).__name__}")
    for rule in () if endpoints is None else url_map.iter_rules():
        if not (callable(rule.endpoint) or rule.redirect_to is not None or rule.build_only):
            raise TypeError(f"url_map: the endpoint of {rule.rule!r} must be {endpoints}, not {rule.endpoint!r}")
