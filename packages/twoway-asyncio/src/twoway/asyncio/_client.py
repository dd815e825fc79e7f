"""The client: `connect` and `unix_connect`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import suppress
from functools import partial
from inspect import isawaitable
from os import PathLike
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

from twoway.deflate import check_compression, enable_client_permessage_deflate
from twoway.frames import DEFAULT_MAX_FRAGMENTS, DEFAULT_MAX_SIZE, ClientExtensionFactory
from twoway.http import HeadersLike, ProxyLike, Response
from twoway.protocol import (
    USER_AGENT,
    Cause,
    ClientOptions,
    ClientProtocol,
    HandshakeFailed,
    InvalidStatus,
    LoggerLike,
    MaxQueue,
    MaxSize,
    Options,
    Plan,
    Planner,
    Policy,
    ProcessException,
    SlowConsumer,
    Source,
    State,
    backoff,
    make_settings,
    process_exception,
    read_uri,
)

from ._connection import Connection
from ._reconnect import Reconnections
from ._transport import connect_transport
from ._turns import take_turn, take_turn_at

if TYPE_CHECKING:
    from ssl import SSLContext
    from types import ModuleType

    from twoway.auth import AuthLike, CookieJarLike, RedirectsLike

    #: Credentials, or a function that gives them for each attempt.
    AuthSource: TypeAlias = AuthLike | Callable[[], AuthLike | Awaitable[AuthLike | None] | None]

#: Headers, or a function that gives them for each attempt.
HeadersSource: TypeAlias = HeadersLike | Callable[[], HeadersLike | Awaitable[HeadersLike]]

# What is about TLS with the server; the rest of the arguments is about the way to it, or to a proxy.
_TLS = ("ssl", "server_hostname", "ssl_handshake_timeout", "ssl_shutdown_timeout")
# What is about the address of the server, and not of a proxy.
_ADDRESS = ("host", "port")


class ClientConnection(Connection):
    """
    Be the client's side of a connection; `connect` makes it.

    Spec:
        RFC 6455 §4.1.
    """

    protocol: ClientProtocol
    _closing: asyncio.Task[None]  # since _close_in_background, so that it is not lost

    def __init__(self, protocol: ClientProtocol, **kwargs: Any) -> None:
        super().__init__(protocol, **kwargs)
        self._opened: asyncio.Future[None] = self._loop.create_future()

    async def handshake(self) -> None:
        """
        Run the opening handshake; `connect` calls this.

        Raises:
            InvalidHandshake: The server refused, or answered something that is not the handshake.

        Spec:
            RFC 6455 §4.1.
        """
        if self.protocol.state is State.CONNECTING:  # not if the server hung up, or spoke, first
            self.protocol.send_request(self.protocol.connect())
            self._changed()
        await self._opened
        if self.protocol.handshake_exc is not None:
            if self.protocol.cause is Cause.VANISHED:  # what `process_exception` looks for
                source = self.protocol.handshake_exc.__cause__ or self.protocol.handshake_exc
                source.__cause__ = EOFError("connection closed by the server")
                del source
            try:
                raise self.protocol.handshake_exc
            finally:
                del self  # else the exception, which we keep, would keep us through its traceback

    def _handle(self, event: object) -> None:
        super()._handle(event)
        # Behind the response, the connection may be closing already: what counts is that there was one.
        if isinstance(event, (Response, HandshakeFailed)) and not self._opened.done():
            self._opened.set_result(None)

    def _close_in_background(self) -> None:
        """Close although nobody waits; any thread may call this, with a loop that has ended, too."""
        if self._closed.done():
            return
        try:
            running = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            running = False
        if running:
            self._closing = self._loop.create_task(self.close())
            self._closing.add_done_callback(self._closed_in_background)
        else:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._close_in_background)

    def _closed_in_background(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # the program ends before the closing handshake does
            self.abort()


class connect:
    """
    Connect to a WebSocket server.

    Await it for a `ClientConnection`, or use it as an asynchronous context manager that closes the connection:

        async with connect("ws://localhost:8765/") as websocket:
            await websocket.send("Hello!")

    Or iterate over it, to connect again whenever a connection has ended or could not be made:

        async for websocket in connect("ws://localhost:8765/"):
            try:
                await websocket.send("Hello!")
                ...
            except ConnectionClosed:
                continue

    Each step closes the connection before, and gives the next one. When the loop is left, by ``break`` or by an
    exception, its connection is closed in the background. Failures that `process_exception` takes for transient are
    logged in one line, and repeated after a time; the rest is raised. After a connection that this side closed, the
    next attempt is made at once.

    Args:
        uri: ``ws://`` or ``wss://``; IRIs are converted.
        origin: Value of the ``Origin`` header; None for none.
        extensions: Factories of extensions to offer, preferred ones first.
        subprotocols: Subprotocols to offer, preferred ones first.
        compression: ``"deflate"`` adds permessage-deflate to ``extensions``, unless they have it; None does not.
        additional_headers: Further headers of the request, or a function that gives them, called for each attempt;
            it may be a coroutine function.
        user_agent_header: Value of the ``User-Agent`` header; None for none.
        auth: Credentials of ``twoway.auth``, or a pair of user name and password, or a function that gives one of
            these or None, called for each attempt; it may be a
            coroutine function; None takes those in ``uri``.
        redirects: Which redirects to follow: a policy, ``twoway.auth.Redirects``; True for the usual one; False or
            None for none.
        cookies: Cookie jar, such as ``http.cookiejar.CookieJar()``, asked and filled in each handshake; None for
            no cookies.
        proxy: URL of a proxy for HTTP or SOCKS, or a ``twoway.http.Proxy``, or a function that gives one or None for
            the parts of a URI; True takes the settings of the environment or the system, but for this machine; None
            connects directly.
        proxy_headers: Headers for an HTTP proxy, or a function that gives them, called for each tunnel; it
            may be a coroutine function.
        proxy_auth: Credentials for an HTTP proxy, as ``auth``; None takes those in its URL.
        proxy_ssl: TLS context for an ``https`` proxy; None takes the default one.
        proxy_server_hostname: Name that the certificate of an ``https`` proxy must have; None takes its host.
        process_exception: Called with the failure of an attempt when iterating; gives None to try again, or the
            exception to raise. Only this and the next two arguments are about iterating.
        reconnect_delays: Called for an iterator of times to wait between attempts, again after each connection that
            was open; seconds. When it ends, the last failure is raised. The default is `backoff`. ``Retry-After``
            of the server makes a wait longer, up to 90 seconds.
        max_attempts: Number of attempts after which the last failure is raised, if all failed; >= 1, None for no
            limit.
        on_state: Called with ``"connecting"``, ``"connected"``, ``"disconnected"`` or ``"waiting"``, and an exception
            or None: why the attempt or the connection ended, and why the next one has to wait. What it raises is
            logged.
        serialize_connecting: Whether to wait while another connection, made with this option in this event loop, is
            in its opening handshake with the same address and port; this counts against ``open_timeout``.
        open_timeout: For all until the connection is open: functions, proxy, TCP, TLS, handshake, redirects; seconds,
            None for no limit.
        ping_interval: From one keepalive ping to the next; seconds, None for no pings.
        ping_timeout: From a ping to a sign of life; seconds, None to wait for ever.
        close_timeout: For all that comes after the first Close frame; seconds, None for no limit.
        idle_release: Time without a message after which compression releases memory; seconds, None for never.
        max_size: Largest message, or a pair: largest message and largest frame; bytes, None for no limit.
        max_fragments: Largest number of frames in a message; None for no limit.
        max_queue: High-water mark, or high and low mark, of received messages that wait; None for no limit.
        max_queue_bytes: High-water mark of their size, text counted in characters; None for no limit.
        write_limit: High-water mark, or high and low mark, of bytes that wait to be written.
        slow_consumer: What ``send`` does while the write buffer is over its limit: ``"wait"``, ``"skip"`` the message,
            or ``"close"`` the connection with 1008.
        logger: Gets what happens; None takes the logger ``twoway.client``.
        create_connection: Makes the connection; None takes `ClientConnection`.
        **kwargs: For ``loop.create_connection``: ``ssl``, ``local_addr``, ``sock``, a connected socket that is used
            for one connection and closed, and ``host`` and ``port`` to connect elsewhere than the URI says, which
            still is what the ``Host`` header and, without ``server_hostname``, the certificate must name. Through a
            proxy, those about TLS are for the server, ``host`` and ``port`` are what the proxy is asked for, and the
            rest is for the connection to the proxy. After a redirect to another origin, ``host``, ``port`` and
            ``server_hostname`` do not count.

    Raises:
        InvalidURI: ``uri`` is not a WebSocket URI; a caller's bug.
        InvalidProxy: The setting of a proxy cannot be used; a user's mistake.
        InvalidHandshake: The server refused, or answered something that is not the handshake.
        ProxyError: The proxy could not be reached, refused, or broke a rule.
        ImportError: The proxy is for SOCKS, and ``python-socks`` is not installed.
        OSError: The TCP or TLS connection could not be made.
        TimeoutError: ``open_timeout`` has passed.
        TypeError: An argument has the wrong type; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.

    Spec:
        RFC 6455 §4.1, §7.2.3.
    """

    def __init__(
        self,
        uri: str,
        *,
        origin: str | None = None,
        extensions: Sequence[ClientExtensionFactory] | None = None,
        subprotocols: Sequence[str] | None = None,
        compression: str | None = "deflate",
        additional_headers: HeadersSource | None = None,
        user_agent_header: str | None = USER_AGENT,
        auth: AuthSource | None = None,
        redirects: RedirectsLike = True,
        cookies: CookieJarLike | None = None,
        proxy: ProxyLike = True,
        proxy_headers: HeadersSource | None = None,
        proxy_auth: AuthSource | None = None,
        proxy_ssl: SSLContext | None = None,
        proxy_server_hostname: str | None = None,
        process_exception: ProcessException = process_exception,
        reconnect_delays: Callable[[], Iterator[float]] = backoff,
        max_attempts: int | None = None,
        on_state: Callable[[str, BaseException | None], None] | None = None,
        serialize_connecting: bool = False,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        idle_release: float | None = 60,
        max_size: MaxSize = DEFAULT_MAX_SIZE,
        max_fragments: int | None = DEFAULT_MAX_FRAGMENTS,
        max_queue: MaxQueue = 16,
        max_queue_bytes: int | None = None,
        write_limit: int | tuple[int, int | None] = 65536,
        slow_consumer: SlowConsumer = "wait",
        logger: LoggerLike | None = None,
        create_connection: type[ClientConnection] | None = None,
        **kwargs: Any,
    ) -> None:
        self.uri = uri
        self._target = read_uri(uri)
        self._place = f"{self._target.host}:{self._target.port}"  # for logs; the rest of a URI may hold secrets
        self._logger = logging.getLogger("twoway.client") if logger is None else logger
        if check_compression(compression):
            extensions = enable_client_permessage_deflate(extensions)
        self._options = ClientOptions(
            origin=origin,
            extensions=tuple(extensions or ()),
            subprotocols=subprotocols or (),
            user_agent_header=user_agent_header,
            open_timeout=open_timeout,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
            idle_release=idle_release,
            max_size=max_size,
            max_fragments=max_fragments,
            fragments=True,
            defer_failure=True,
            logger=self._logger,
        )
        self._make = create_connection or ClientConnection
        self._settings = make_settings(
            max_queue=max_queue,
            max_queue_bytes=max_queue_bytes,
            write_limit=write_limit,
            slow_consumer=slow_consumer,
            logger=self._logger,
        )
        self._planner = Planner(
            self._target,
            self._options,
            additional_headers=additional_headers,
            auth=auth,
            redirects=redirects,
            cookies=cookies,
            proxy=proxy,
            proxy_headers=proxy_headers,
            proxy_auth=proxy_auth,
            fixed="sock" if kwargs.get("sock") is not None else "path" if "path" in kwargs else None,
            load=_load_auth,
            logger=self._logger,
        )
        self._context: SSLContext | None = None  # the default one, since it is needed
        self._proxy_ssl = proxy_ssl
        self._proxy_server_hostname = proxy_server_hostname
        self._policy = Policy(process_exception, reconnect_delays, max_attempts)
        if on_state is not None and not callable(on_state):
            raise TypeError(f"on_state must be callable or None, not {type(on_state).__name__}")
        self._on_state = on_state
        self._serialize = serialize_connecting
        self._kwargs = kwargs
        self._connection: ClientConnection  # since __aenter__

    def __await__(self) -> Generator[Any, None, ClientConnection]:
        """Connect, and give the connection."""
        return self._connect().__await__()

    async def __aenter__(self) -> ClientConnection:
        """Connect, and give the connection."""
        self._connection = await self._connect()
        return self._connection

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self._connection.close()

    def __aiter__(self) -> Reconnections:
        """
        Connect, and connect again.

        Returns:
            An iterator without end; its ``aclose()`` waits until the connection is closed.

        Raises:
            ValueError: There is a ``sock``, which serves for one connection only; a caller's bug.
        """
        if self._kwargs.get("sock") is not None:
            raise ValueError("sock must be None to connect again and again: a socket serves for one connection")
        return Reconnections(self, self._policy)

    async def _connect(self) -> ClientConnection:
        self._tell("connecting", None)
        try:
            connection = await self._connect_in_time()
        except BaseException as exc:
            self._tell("disconnected", exc)
            raise
        self._tell("connected", None)
        if self._on_state is not None:
            connection._closed.add_done_callback(partial(self._tell_disconnected, connection.protocol))
        return connection

    async def _connect_in_time(self) -> ClientConnection:
        timeout = asyncio.timeout(self._options.open_timeout)
        plan = None
        try:
            async with timeout:
                plan = Plan(self._planner, await self._ask("additional_headers"), await self._ask("auth"))
                return await self._follow(plan)
        except TimeoutError as exc:
            if not timeout.expired():  # the one of TCP
                raise
            place = self._place if plan is None else plan.place
            raise TimeoutError(f"opening handshake with {place} timed out") from exc

    async def _ask(self, name: Source) -> Any:
        value = self._planner.ask(name)
        return await value if isawaitable(value) else value

    async def _follow(self, plan: Plan) -> ClientConnection:
        """Connect as often as redirects and challenges want."""
        while True:
            try:
                connection = await self._open(plan)
            except InvalidStatus as exc:
                plan.refuse(exc)
            else:
                return _accept(plan, connection)

    async def _open(self, plan: Plan) -> ClientConnection:
        proxy = await asyncio.to_thread(plan.find_proxy) if plan.may_block else plan.find_proxy()
        if proxy is not None:
            open_transport = partial(self._open_through_proxy, plan)
            place = plan.uri.host, plan.uri.port
            return await (take_turn_at(place, open_transport) if self._serialize else open_transport())
        arguments = self._transport_arguments(plan)
        if not self._serialize:
            return await self._open_transport(plan, arguments)
        return await take_turn(partial(self._open_transport, plan), arguments)

    async def _open_transport(self, plan: Plan, arguments: dict[str, Any]) -> ClientConnection:
        loop = asyncio.get_running_loop()
        create = loop.create_unix_connection if "path" in arguments else loop.create_connection
        # The connection has no name here: see `_shake_hands`.
        new_connection = partial(self._new_connection, plan)
        return await _shake_hands(await connect_transport(create, new_connection, **arguments))

    async def _open_through_proxy(self, plan: Plan) -> ClientConnection:
        from ._proxy import open_socks, open_tunnel  # few clients have a proxy

        proxy = plan.proxy
        assert proxy is not None
        new_connection, tls = partial(self._new_connection, plan), self._tls_arguments(plan)
        host, port = self._address(plan)
        to_proxy = {name: value for name, value in self._kwargs.items() if name not in (*_TLS, *_ADDRESS)}
        if proxy.is_socks:
            local_addr = to_proxy.get("local_addr")
            return await _shake_hands(await open_socks(new_connection, (host, port), proxy, local_addr, tls))
        if proxy.scheme == "https":
            to_proxy["ssl"] = self._proxy_ssl or self._default_context()
            to_proxy["server_hostname"] = self._proxy_server_hostname or proxy.host
            to_proxy.update(tls_timeouts(self._options))
        tunneling = plan.tunnel(host, port, await self._ask("proxy_headers"), await self._ask("proxy_auth"))
        return await _shake_hands(await open_tunnel(new_connection, tunneling, proxy, to_proxy, tls))

    def _new_connection(self, plan: Plan) -> ClientConnection:
        return self._make(ClientProtocol(plan.uri, plan.options, monotonic()), **self._settings)

    def _tell(self, state: str, exc: BaseException | None) -> None:
        """Tell the state to whoever wants to know; no error of theirs ends a connection."""
        if self._on_state is not None:
            try:
                self._on_state(state, exc)
            except Exception:
                self._logger.error("on_state failed", exc_info=True)

    def _tell_disconnected(self, protocol: ClientProtocol, closed: asyncio.Future[None]) -> None:
        self._tell("disconnected", protocol.close_exc)

    def _announce(self, line: str, exc: Exception) -> None:
        """Tell that we wait before the next attempt."""
        self._logger.info("%s", f"{self._place}: {line}")
        self._tell("waiting", exc)

    def _transport_arguments(self, plan: Plan) -> dict[str, Any]:
        arguments = {name: value for name, value in self._kwargs.items() if name not in _TLS}
        if arguments.get("sock") is None and "path" not in arguments:
            arguments["host"], arguments["port"] = self._address(plan)
        return {**arguments, **self._tls_arguments(plan)}

    def _default_context(self) -> SSLContext:
        """Make the context that asyncio would make for each connection; it reads the certificates of authorities."""
        if self._context is None:
            from ssl import create_default_context

            self._context = create_default_context()
        return self._context

    def _address(self, plan: Plan) -> tuple[Any, Any]:
        """Give host and port to connect to; other ones than those of the URI are for the first origin only."""
        given = self._kwargs if plan.same_origin else {}
        return given.get("host", plan.uri.host), given.get("port", plan.uri.port)

    def _tls_arguments(self, plan: Plan) -> dict[str, Any]:
        given = {name: self._kwargs[name] for name in _TLS if name in self._kwargs}
        if not plan.same_origin:
            given.pop("server_hostname", None)
            if not (plan.uri.secure and given.get("ssl")):
                given.pop("ssl", None)
        if plan.uri.secure:
            given = {**tls_timeouts(self._options), "ssl": True, "server_hostname": plan.uri.host, **given}
            if not given["ssl"]:
                raise ValueError("ssl must not be None for a wss:// URI")
            if given["ssl"] is True:
                given["ssl"] = self._default_context()
            return given
        if given.get("ssl") is not None:
            raise ValueError("ssl must be None for a ws:// URI")
        return given if plan.same_origin else {}


class unix_connect(connect):
    """
    Connect to a WebSocket server on a Unix socket; otherwise like `connect`.

    Args:
        path: Of the socket, or the name of an abstract one after a NUL character; None if there is ``sock``.
        uri: What the handshake asks for; None takes ``ws://localhost/``, or with ``ssl`` ``wss://localhost/``.
        **kwargs: As for `connect`; those that go on to the event loop are for ``loop.create_unix_connection``.

    Raises:
        InvalidURI: ``uri`` is not a WebSocket URI; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.

    Spec:
        RFC 6455 §4.1.
    """

    def __init__(self, path: str | bytes | PathLike[str] | None = None, uri: str | None = None, **kwargs: Any) -> None:
        if uri is None:
            uri = "ws://localhost/" if kwargs.get("ssl") is None else "wss://localhost/"
        if (path is None) is (kwargs.get("sock") is None):
            raise ValueError("path must be given, or else sock")
        super().__init__(uri, path=path, **kwargs)


def tls_timeouts(options: Options) -> dict[str, float]:
    """
    Bound what TLS does before and after the connection.

    Args:
        options: The settings of the connection.

    Returns:
        Arguments for the event loop, which takes neither None nor 0; our own timers cover that.
    """
    timeouts = {"ssl_handshake_timeout": options.open_timeout, "ssl_shutdown_timeout": options.close_timeout}
    return {name: timeout for name, timeout in timeouts.items() if timeout}


def _load_auth() -> ModuleType:
    from twoway import auth  # few clients need it

    return auth


def _accept(plan: Plan, connection: ClientConnection) -> ClientConnection:
    assert connection.response is not None
    try:
        plan.accept(connection.response)
    except BaseException:  # the server is not the one that knows the password
        connection.abort()
        raise
    return connection


async def _shake_hands(connection: ClientConnection) -> ClientConnection:
    try:
        await connection.handshake()
    except BaseException:  # refused, cancelled, or an argument that fits no header
        connection.abort()
        del connection  # as in `handshake`; no other frame of those that the exception passes may have it
        raise
    return connection
