"""The connections that one opening handshake takes: redirects, credentials and proxies, for any driver."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from twoway.http import HeadersLike, HTTPError, Proxy, ProxyLike, Response, StatusError, choose_proxy, parse_proxy
from twoway.http import InvalidProxy as HTTPInvalidProxy

from ._errors import InvalidStatus, convert_http_error
from ._proxy_errors import convert_proxy_error
from ._tunneling import Tunneling

if TYPE_CHECKING:
    from twoway.http import WebSocketURI

    from ._options import ClientOptions, LoggerLike

# Answers after which `twoway.auth` may know better (RFC 9110 §15.4, §15.5.2).
_ASKING = frozenset({301, 302, 303, 307, 308, 401})
# Systems that may look up the name of a host to tell whether it needs a proxy.
_SLOW_SYSTEMS = ("darwin", "win32")
#: What callers give values for, or functions that give them for each attempt.
Source: TypeAlias = Literal["additional_headers", "auth", "proxy_headers", "proxy_auth"]

_FIXED = {
    "sock": "sock serves for one connection, so there is no second attempt",
    "path": "what is on a Unix socket has no other address to go to",
}


class Planner:
    """
    Hold what a client was told about ways to its server, and make a `Plan` for each attempt.

    Args:
        uri: Where to connect to.
        options: The settings of connections; without ``additional_headers``.
        additional_headers: Further headers of the request, or a function that gives them.
        auth: Credentials for the server, as `twoway.auth.read_auth` takes them, or a function that gives them; None
            for those in ``uri``.
        redirects: Which redirects to follow, as for `twoway.auth.Attempts`.
        cookies: Cookie jar, as for `twoway.auth.Attempts`; None for no cookies.
        proxy: As for `twoway.http.choose_proxy`.
        proxy_headers: Headers for an HTTP proxy, or a function that gives them; None for none.
        proxy_auth: Credentials for the proxy, or a function that gives them; None for those in its URL.
        fixed: What leads to one place only: ``"sock"`` to one connection, ``"path"`` to a Unix socket; None if there
            is neither.
        load: Gives the module `twoway.auth`, on which this package does not depend; called when it is needed.
        logger: Gets which proxy is used.

    Raises:
        InvalidProxy: ``proxy`` is no proxy; a caller's bug.
        TypeError: An argument has the wrong type; a caller's bug.
        ValueError: An argument is out of range, or there is a ``proxy`` beside something ``fixed``; a caller's bug.
    """

    uri: WebSocketURI
    options: ClientOptions
    redirects: Any
    cookies: Any
    proxy: ProxyLike
    fixed: Literal["sock", "path"] | None
    load: Callable[[], Any]
    logger: LoggerLike

    def __init__(
        self,
        uri: WebSocketURI,
        options: ClientOptions,
        *,
        additional_headers: Any,
        auth: Any,
        redirects: Any,
        cookies: Any,
        proxy: ProxyLike,
        proxy_headers: Any,
        proxy_auth: Any,
        fixed: Literal["sock", "path"] | None,
        load: Callable[[], Any],
        logger: LoggerLike,
    ) -> None:
        self.uri = uri
        self.options = options
        self.redirects = redirects
        self.cookies = cookies
        self.proxy = _check_proxy(proxy, fixed)
        self.fixed = fixed
        self.load = load
        self.logger = logger
        self._kept: tuple[Proxy, Any] | None = None  # credentials from the URL of a proxy: they may remember a nonce
        values = {
            "additional_headers": additional_headers,
            "auth": auth,
            "proxy_headers": proxy_headers,
            "proxy_auth": proxy_auth,
        }
        self._functions = {name: value for name, value in values.items() if callable(value)}
        self._values = {name: None if callable(value) else value for name, value in values.items()}
        self._check_values()

    def _check_values(self) -> None:
        """Let mistakes surface before there is a connection, and make credentials once."""
        values = self._values
        for name in ("auth", "proxy_auth"):
            if values[name] is not None:
                values[name] = self.load().read_auth(values[name])
        if values["additional_headers"] is not None:
            self.options = replace(self.options, additional_headers=values["additional_headers"])
            values["additional_headers"] = None
        if self.needs_auth(values["auth"]) or not (self.redirects is None or isinstance(self.redirects, bool)):
            # Not with the credentials themselves, which would give away the nonce that they remember.
            self.make_attempts(self.options, None if values["auth"] is None else self.load().BasicAuth("", ""))
        if values["proxy_headers"] is not None:
            probe = Proxy("http", "localhost", 80)
            self.make_tunneling(probe, "localhost:80", values["proxy_headers"], None).begin()

    def ask(self, name: Source) -> Any:
        """
        Give what the caller gave for an attempt.

        Args:
            name: Name of the argument.

        Returns:
            The value, or what the function gave, which may have to be awaited; None for headers that ``options`` have.
        """
        function = self._functions.get(name)
        return self._values[name] if function is None else function()

    def needs_auth(self, auth: Any) -> bool:
        """
        Tell whether the first request already needs `twoway.auth`.

        Args:
            auth: Credentials, or None.

        Returns:
            Whether there is anything that it may add to a request.
        """
        return auth is not None or self.cookies is not None or self.uri.username is not None

    def make_attempts(self, options: ClientOptions, auth: Any) -> Any:
        """
        Make what plans the requests to servers.

        Args:
            options: The settings of the first connection.
            auth: Credentials, or None.

        Returns:
            A `twoway.auth.Attempts`.

        Raises:
            TypeError: An argument has the wrong type; a caller's bug.
            ValueError: An argument is out of range; a caller's bug.
        """
        return self.load().Attempts(
            self.uri, auth=auth, headers=options.additional_headers, redirects=self.redirects, cookies=self.cookies
        )

    def make_tunneling(self, proxy: Proxy, authority: str, headers: HeadersLike | None, auth: Any) -> Tunneling:
        """
        Make what asks an HTTP proxy for a tunnel.

        Args:
            proxy: The proxy.
            authority: Host and port to ask for.
            headers: Headers for the proxy, None for none.
            auth: Credentials for it; None for those in its URL.

        Returns:
            Something that knows no server yet.

        Raises:
            TypeError: An argument has the wrong type; a caller's bug.
            ValueError: An argument is out of range; a caller's bug.
        """
        found = self._find_proxy_auth(proxy) if auth is None else auth

        def make_auth() -> Any:
            return self.load().ProxyAuth(found, authority, (proxy.host, proxy.port))

        return Tunneling(
            proxy,
            authority,
            headers=() if headers is None else headers,
            user_agent_header=self.options.user_agent_header,
            limits=self.options.limits,
            make_auth=make_auth,
            eager=found is not None,
        )

    def _find_proxy_auth(self, proxy: Proxy) -> Any:
        if proxy.username is None:
            return None
        kept = self._kept
        if kept is None or kept[0] != proxy:
            auth = self.load().PasswordAuth(proxy.username, proxy.password or "", preemptive=True)
            self._kept = kept = proxy, auth
        return kept[1]


class Plan:
    """
    Say for each connection of one attempt where it leads, and how.

    Connect to ``uri``, through what `find_proxy` gives. If the server refuses, give that to `refuse`, and begin again
    if it returns; else give the answer to `accept`.

    Args:
        planner: What is the same for all attempts.
        additional_headers: What `Planner.ask` gave, awaited if need be.
        auth: The same.

    Attributes:
        uri: Where the next connection leads.
        options: The settings of the next connection.
        proxy: The proxy that `find_proxy` has found for it; None for none.

    Raises:
        TypeError: An argument has the wrong type; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.
    """

    __slots__ = ("_attempts", "_auth", "_base", "_planner", "options", "proxy", "uri")

    uri: WebSocketURI
    options: ClientOptions
    proxy: Proxy | None

    def __init__(self, planner: Planner, additional_headers: HeadersLike | None = None, auth: Any = None) -> None:
        self._planner = planner
        self._base = planner.options
        if additional_headers is not None:
            self._base = replace(self._base, additional_headers=additional_headers)
        self._attempts = planner.make_attempts(self._base, auth) if planner.needs_auth(auth) else None
        self.proxy = None
        self._take_next()

    @property
    def same_origin(self) -> bool:
        """Tell whether ``uri`` has scheme, host and port of the first one: settings for that place still fit."""
        return self.uri.origin == self._planner.uri.origin

    @property
    def may_block(self) -> bool:
        """Tell whether `find_proxy` may wait for the network, as on systems that resolve names for it."""
        return self._planner.proxy is True and sys.platform in _SLOW_SYSTEMS

    @property
    def place(self) -> str:
        """Say where the next connection leads, for people; without what may be secret in a URI."""
        place = f"{self.uri.host}:{self.uri.port}"
        return place if self.proxy is None else f"{place} through proxy {self.proxy} ({self.proxy.source})"

    def find_proxy(self) -> Proxy | None:
        """
        Find the proxy for the next connection, and log it.

        Returns:
            The proxy; None for a direct connection.

        Raises:
            InvalidProxy: The setting is no proxy that can be used; a user's mistake.
            TypeError: A function of the caller gave something else; a caller's bug.
        """
        try:
            self.proxy = choose_proxy(self._planner.proxy, self.uri)
        except HTTPInvalidProxy as exc:
            raise convert_proxy_error(exc) from exc
        if self.proxy is not None:
            self._planner.logger.info("%s", f"connecting to {self.place}")
        return self.proxy

    def tunnel(self, host: str, port: int, headers: HeadersLike | None, auth: Any) -> Tunneling:
        """
        Ask the HTTP proxy that `find_proxy` has found for a tunnel.

        Args:
            host: Host to ask for: that of ``uri``, or another one that the caller wants to connect to.
            port: Port to ask for.
            headers: What `Planner.ask` gave for ``proxy_headers``, awaited if need be.
            auth: The same for ``proxy_auth``.

        Returns:
            What makes the requests.

        Raises:
            TypeError: An argument has the wrong type; a caller's bug.
            ValueError: An argument is out of range; a caller's bug.
        """
        assert self.proxy is not None
        authority = replace(self.uri, host=host, port=port).authority
        return self._planner.make_tunneling(self.proxy, authority, headers, auth)

    def refuse(self, exc: InvalidStatus) -> None:
        """
        Take a refusal; return if another connection may do better.

        Args:
            exc: Why the server refused.

        Raises:
            InvalidStatus: There is nothing else to do; ``exc`` itself, or one that says why.
            InvalidHandshake: The server claims to know the password, and does not.
        """
        try:
            if self._attempts is None and exc.response.status_code not in _ASKING:
                raise exc
            self._consult(exc)
            self._take_next()
            fixed = self._planner.fixed
            if fixed == "sock" or (fixed == "path" and not self.same_origin):
                raise InvalidStatus(exc.response, _FIXED[fixed])
        finally:
            del exc  # what is raised here may be this one

    def accept(self, response: Response) -> None:
        """
        Take the answer that opened the connection.

        Args:
            response: Response, 101.

        Raises:
            InvalidHandshake: The server claims to know the password, and does not.
        """
        if self._attempts is None:
            return
        try:
            self._attempts.accept(response)
        except HTTPError as exc:
            raise convert_http_error(exc) from exc

    def _consult(self, exc: InvalidStatus) -> None:
        if self._attempts is None:
            self._attempts = self._planner.make_attempts(self._base, None)
        try:
            self._attempts.refuse(exc.response)
        except HTTPError as error:
            if type(error) is StatusError:  # nothing that `exc` does not say
                raise exc from exc.__cause__
            raise convert_http_error(error) from error
        finally:
            del exc

    def _take_next(self) -> None:
        if self._attempts is None:
            self.uri, self.options = self._planner.uri, self._base
        else:
            self.uri = self._attempts.uri
            self.options = replace(self._base, additional_headers=self._attempts.headers())


def _check_proxy(proxy: ProxyLike, fixed: str | None) -> ProxyLike:
    if fixed is not None:
        if proxy is not True and proxy is not None:
            raise ValueError(f"proxy must be None or True beside {fixed}, which leads to the server already")
        return None
    if isinstance(proxy, str):
        try:
            return parse_proxy(proxy)
        except HTTPInvalidProxy as exc:
            raise convert_proxy_error(exc) from exc
    if proxy is True or proxy is None or isinstance(proxy, Proxy) or callable(proxy):
        return proxy
    raise TypeError(f"proxy must be True, None, a str, a Proxy or a function, not {type(proxy).__name__}")
