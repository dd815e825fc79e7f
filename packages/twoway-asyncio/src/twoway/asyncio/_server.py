"""The server: `serve`, `unix_serve`, `Server`."""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from functools import partial
from os import PathLike
from time import monotonic
from types import TracebackType
from typing import Any

from twoway.deflate import check_compression, enable_server_permessage_deflate
from twoway.frames import DEFAULT_MAX_FRAGMENTS, DEFAULT_MAX_SIZE, Close, CloseCode, ServerExtensionFactory
from twoway.http import HTTPLimits, Request, Response
from twoway.protocol import (
    USER_AGENT,
    Admission,
    Closed,
    ConnectionClosed,
    ConnectionLimits,
    HandshakeFailed,
    LoggerLike,
    MaxQueue,
    MaxSize,
    Origins,
    ServerOptions,
    ServerProtocol,
    ShutdownReport,
    SlowConsumer,
    State,
    check_duration,
    describe_failure,
    make_settings,
)

from ._client import tls_timeouts
from ._connection import Connection
from ._listener import Listening, listen
from ._shutdown import Shutdown


class ServerConnection(Connection):
    """
    Be the server's side of a connection; `serve` makes it and gives it to the handler.

    Attributes:
        server: The server that accepted the connection.
        username: Who the peer is, None unless ``process_request`` found out and set it.

    Spec:
        RFC 6455 §4.2.
    """

    protocol: ServerProtocol
    server: Server
    username: str | None

    def __init__(self, protocol: ServerProtocol, server: Server, **kwargs: Any) -> None:
        super().__init__(protocol, **kwargs)
        self.server = server
        self.username = None
        self._opening: asyncio.Task[None] | None = None  # what answers the opening handshake

    def respond(self, status: int, text: str) -> Response:
        """
        Make a plain HTTP response that ``process_request`` can return.

        Args:
            status: HTTP status; 200-599.
            text: Body, for people.

        Returns:
            A response that may be altered.

        Raises:
            ValueError: ``status`` is out of range; a caller's bug.
        """
        return self.protocol.reject(status, text)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; asyncio calls this."""
        super().connection_made(transport)
        self.server._add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the loss of the transport; asyncio calls this."""
        try:
            super().connection_lost(exc)
        finally:
            self.server._discard(self)

    def _handle(self, event: object) -> None:
        super()._handle(event)
        if isinstance(event, Request):
            self.server._begin(self)
        elif isinstance(event, (HandshakeFailed, Closed)):
            line = describe_failure(event, self.protocol, self.server._admission.refuses(self))
            if line is not None:
                self.logger.info("%s", line)
            if isinstance(event, HandshakeFailed):
                self.server._admission.answered(self)
                self._stop_opening()

    def _stop_opening(self) -> None:
        """Stop callbacks that still think about an answer, now that there is one or nobody to take it."""
        task, self._opening = self._opening, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _answer(self, response: Response) -> bool:
        """
        Send the answer to the opening handshake, unless the client has gone or the time is over.

        Tells whether the connection was opened; it may be closing by now.
        """
        if self.protocol.state is not State.CONNECTING:
            return False
        self.protocol.send_response(response, monotonic())
        self.server._admission.answered(self)
        self._changed()
        return response.status_code == 101


#: What handles a connection; when it returns, the connection is closed.
Handler = Callable[[ServerConnection], Awaitable[None]]
ProcessRequest = Callable[[ServerConnection, Request], Awaitable[Response | None] | Response | None]
ProcessResponse = Callable[[ServerConnection, Request, Response], Awaitable[Response | None] | Response | None]
SelectSubprotocol = Callable[[ServerConnection, Sequence[str]], str | None]


class Server:
    """
    Accept connections and run a handler for each; `serve` makes it.

    Use it as an asynchronous context manager: at its end the server and its connections are closed.
    """

    def __init__(
        self,
        handler: Handler,
        options: ServerOptions,
        *,
        process_request: ProcessRequest | None,
        process_response: ProcessResponse | None,
        select_subprotocol: SelectSubprotocol | None,
        create_connection: type[ServerConnection],
        settings: dict[str, Any],
        connection_limits: ConnectionLimits,
        logger: LoggerLike,
    ) -> None:
        self.logger = logger
        self._handler = handler
        self._options = options
        self._process_request = process_request
        self._process_response = process_response
        self._select_subprotocol = select_subprotocol
        self._make = create_connection
        self._settings = settings
        self._admission = Admission(connection_limits, logger)
        self._loop = asyncio.get_running_loop()
        self._server: Listening  # since `serve` listens
        self._connections: set[ServerConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._handling: set[asyncio.Task[None]] = set()  # those tasks in which the handler runs
        self._closing: asyncio.Task[None] | None = None
        self._shutdown: Shutdown | None = None
        self._ending: asyncio.Task[ShutdownReport]  # since `shutdown`
        self._cut_off = False  # whether nobody may live any more
        self._closed: asyncio.Future[None] = self._loop.create_future()

    # Facts

    @property
    def connections(self) -> set[ServerConnection]:
        """Give the connections that are open now, in a new set."""
        return {connection for connection in self._connections if connection.state is State.OPEN}

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """Give the sockets on which the server listens; empty once it is closed."""
        return tuple(self._server.sockets)

    def is_serving(self) -> bool:
        """
        Tell whether new connections are accepted.

        Returns:
            False once the server is closed.
        """
        return self._server.is_serving()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """
        Give the event loop that the server runs on.

        Returns:
            The loop.
        """
        return self._loop

    # Life

    async def start_serving(self) -> None:
        """Accept connections, if ``start_serving=False`` has put that off; harmless when it is done or over."""
        if self._closing is None and self._shutdown is None:
            await self._server.start_serving()

    async def serve_forever(self) -> None:
        """Serve until cancelled or closed; then the server and its connections are closed."""
        try:
            await self.start_serving()
            await self.wait_closed()
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise

    def close(self, close_connections: bool = True, code: int = CloseCode.GOING_AWAY, reason: str = "") -> None:
        """
        Close the server: no new connections, handshakes under way get 503, connections are closed.

        Args:
            close_connections: Whether to close connections that are open; else they live on until they end.
            code: Close code for them; 1000-1003, 1007-1014 or 3000-4999.
            reason: Close reason for them; at most 123 bytes of UTF-8.

        Harmless when the server is closed already. `wait_closed` waits for the end of it, however long handlers
        take that do not end with their connections; `shutdown` takes a limited time.

        Raises:
            TypeError: An argument has the wrong type; a caller's bug.
            ValueError: An argument is out of range; a caller's bug.

        Spec:
            RFC 6455 §7.4.1: 1001, going away.
        """
        Close(code, reason).serialize()
        if self._closing is not None or self._shutdown is not None:
            return
        self._server.close()
        for connection in list(self._connections):
            if connection.state is State.CONNECTING:
                self._refuse(connection)
            elif close_connections and connection.state is State.OPEN:
                connection.protocol.close(code, reason, now=monotonic())
                connection._changed()
        self._closing = self._loop.create_task(self._finish())

    async def shutdown(
        self, grace: float = 10, spread: float = 0, code: int = CloseCode.GOING_AWAY, reason: str = ""
    ) -> ShutdownReport:
        """
        Close the server in a limited time, gently at first.

        No new connections are accepted at once, handshakes under way get 503, connections are closed one after the
        other. When ``grace`` is over, handlers that still run are cancelled and connections that are left are
        dropped. Handlers have one more second to clean up; who ignores that is left alone and logged, so that this
        never takes longer than ``grace`` and that second.

        To be called once: further calls wait for the first one. Cancelling a call does not stop the shutdown. A
        handler that waits for it waits for itself, until it is cancelled; let a task of its own do that.

        Args:
            grace: How long handlers and connections may take to end; seconds, >= 0.
            spread: Over how long the Close frames are spread, so that clients do not reconnect all at once;
                seconds, 0 to ``grace``.
            code: Close code; 1000-1003, 1007-1014 or 3000-4999.
            reason: Close reason; at most 123 bytes of UTF-8.

        Returns:
            How the connections and handlers ended.

        Raises:
            TypeError: An argument has the wrong type; a caller's bug.
            ValueError: An argument is out of range; a caller's bug.

        Spec:
            RFC 6455 §7.1.2, §7.4.1: 1001, going away; §7.2.3: clients should not reconnect all at once.
        """
        close = Close(code, reason)
        close.serialize()
        check_duration("grace", grace)
        check_duration("spread", spread, grace)
        if self._shutdown is None:
            self._server.close()
            self._shutdown = Shutdown(self, close, grace, spread)
            for connection in list(self._connections):
                if connection.state is State.CONNECTING and connection.request is not None:
                    self._refuse(connection)
            self._ending = self._loop.create_task(self._shutdown.run())
        return await asyncio.shield(self._ending)

    async def wait_closed(self) -> None:
        """Wait until the server is closed, its connections have ended and their handlers have returned."""
        await asyncio.shield(self._closed)

    async def __aenter__(self) -> Server:
        """Give the server."""
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the server and its connections, and wait for that."""
        self.close()
        await self.wait_closed()

    async def _finish(self) -> None:
        # Transports that are accepted, but not made known yet, come to life in the next iteration: `_add` refuses them.
        await asyncio.sleep(0)
        while waits := {*self._tasks, *(connection._closed for connection in self._connections)}:
            await asyncio.wait(waits)  # does not cancel them when `shutdown` cancels this
            await asyncio.sleep(0)  # what ended leaves the sets in callbacks
        self._end()

    def _end(self) -> None:
        """Say that the server is closed."""
        if self._closing is not None and self._closing is not asyncio.current_task():
            self._closing.cancel()
        if not self._closed.done():
            self._closed.set_result(None)

    # Connections

    def _new_connection(self) -> ServerConnection:
        protocol = ServerProtocol(self._options, monotonic())
        return self._make(protocol, self, **self._settings)

    def _add(self, connection: ServerConnection) -> None:
        self._connections.add(connection)
        admitted = self._admission.enter(connection, connection.remote_address, monotonic())
        if not admitted or self._cut_off or (self._closing is not None and self._shutdown is None):
            connection.abort()

    def _discard(self, connection: ServerConnection) -> None:
        self._connections.discard(connection)
        self._admission.leave(connection)

    def _begin(self, connection: ServerConnection) -> None:
        """Start the task of a connection, now that there is a request; before, a connection costs no task."""
        if self._shutdown is not None or self._admission.refuses(connection):
            self._refuse(connection)
            return
        connection._opening = task = self._loop.create_task(self._run(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _refuse(self, connection: ServerConnection) -> None:
        """Answer 503 (RFC 9110 §15.6.4), if there is a request to answer."""
        if connection.request is None:
            connection.abort()
        elif self._admission.refuses(connection):
            response = connection.respond(503, "Too many connections.\n")
            response.headers["Retry-After"] = "1"
            connection._answer(response)
        else:
            connection._answer(connection.respond(503, "Server is shutting down.\n"))
            if self._shutdown is not None:
                self._shutdown.note_refusal(connection)

    async def _run(self, connection: ServerConnection) -> None:
        try:
            opened = await self._handshake(connection)
            connection._opening = None
            if opened:
                await self._handle(connection)
        except (Exception, asyncio.CancelledError):
            if _cancelled():
                if connection.protocol.handshake_exc is None:  # else the refusal may still be on its way
                    connection.abort()
                raise
            self.logger.error("opening handshake failed: a callback of the server raised", exc_info=True)
            connection._answer(connection.respond(500, "The server failed to handle the request.\n"))
        await connection.wait_closed()

    async def _handshake(self, connection: ServerConnection) -> bool:
        """Answer the request; tell whether the connection was opened."""
        protocol, request = connection.protocol, connection.protocol.request
        assert request is not None
        response = None
        if self._process_request is not None:
            response = await _result(self._process_request(connection, request))
        if response is None:
            select = self._select_subprotocol
            response = protocol.accept(
                request, select_subprotocol=None if select is None else partial(select, connection)
            )
        if self._process_response is not None:
            response = await _result(self._process_response(connection, request, response)) or response
        return connection._answer(response)

    async def _handle(self, connection: ServerConnection) -> None:
        """Run the handler, then close: with 1011 when it raised, else with 1000."""
        code = CloseCode.NORMAL_CLOSURE
        task = asyncio.current_task()
        assert task is not None
        self._handling.add(task)
        try:
            await self._handler(connection)
        except ConnectionClosed as exc:
            if connection.state is State.OPEN:  # that of another connection
                code = self._log_handler(exc)
        except asyncio.CancelledError as exc:
            if _cancelled():
                raise
            code = self._log_handler(exc)  # something else was cancelled, for which the handler waited
        except Exception as exc:
            code = self._log_handler(exc)
        finally:
            self._handling.discard(task)
        if connection.state is not State.CLOSED:
            await connection.close(code)

    def _log_handler(self, exc: BaseException) -> CloseCode:
        self.logger.error("connection handler failed", exc_info=exc)
        return CloseCode.INTERNAL_ERROR


def _cancelled() -> bool:
    """Tell whether the task itself is cancelled, not only something for which it waits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _result(value: Awaitable[Response | None] | Response | None) -> Response | None:
    """Await what a coroutine function returned; take what a function returned."""
    return await value if inspect.isawaitable(value) else value


def _http_date() -> str:
    """Give the time in the form of RFC 9110 §5.6.7."""
    from email.utils import formatdate  # costs 6 ms at import, and only refusals need it

    return formatdate(usegmt=True)


class serve:
    """
    Serve WebSocket connections.

    Await it for a `Server`, or use it as an asynchronous context manager that closes the server:

        async with serve(handler, "localhost", 8765) as server:
            await server.serve_forever()

    Args:
        handler: Coroutine function that gets a `ServerConnection`; when it returns, the connection is closed with
            1000, and with 1011 when it raises.
        host: Where to listen, as in ``loop.create_server``; None for all interfaces.
        port: Where to listen; 0 takes a free one.
        origins: Accepted values of the ``Origin`` header: exact strings, patterns for the whole value, None for
            requests without one. None accepts all.
        allowed_hosts: Accepted values of the ``Host`` header, against DNS rebinding; None accepts all.
        extensions: Factories of extensions to accept, preferred ones first.
        subprotocols: Supported subprotocols, preferred ones first.
        select_subprotocol: Gets connection and offered subprotocols; returns one of them or None.
        compression: ``"deflate"`` adds permessage-deflate to ``extensions``, unless they have it; None does not.
        process_request: Function or coroutine function that gets connection and request before the handshake; a
            response that it returns is the answer instead of the handshake.
        process_response: Function or coroutine function that gets connection, request and response before the
            response is sent; it may alter it or return another one.
        server_header: Value of the ``Server`` header; None for none.
        open_timeout: For the whole opening handshake; seconds, None for no limit.
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
        limits: What the request may be at most; None takes the defaults of `HTTPLimits`.
        max_connections: Connections at a time; None for no limit. Further ones get 503.
        max_connections_per_address: The same for each IPv4 address and each IPv6 network of 64 bits.
        max_handshakes: Connections at a time whose request is not answered yet; None for no limit.
        logger: Gets what happens; None takes the logger ``twoway.server``.
        create_connection: Makes the connections; None takes `ServerConnection`.
        **kwargs: For ``loop.create_server``: ``ssl``, ``sock``, ``family``, ``backlog``, ``reuse_port``,
            ``start_serving`` and others.

    Raises:
        OSError: The server could not listen.
        TypeError: An argument has the wrong type; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.

    Spec:
        RFC 6455 §4.2.
    """

    def __init__(
        self,
        handler: Handler,
        host: str | Iterable[str] | None = None,
        port: int | None = None,
        *,
        origins: Origins | None = None,
        allowed_hosts: Sequence[str] | None = None,
        extensions: Sequence[ServerExtensionFactory] | None = None,
        subprotocols: Sequence[str] | None = None,
        select_subprotocol: SelectSubprotocol | None = None,
        compression: str | None = "deflate",
        process_request: ProcessRequest | None = None,
        process_response: ProcessResponse | None = None,
        server_header: str | None = USER_AGENT,
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
        limits: HTTPLimits | None = None,
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
        max_handshakes: int | None = None,
        logger: LoggerLike | None = None,
        create_connection: type[ServerConnection] | None = None,
        **kwargs: Any,
    ) -> None:
        _check_callables(
            handler=handler,
            select_subprotocol=select_subprotocol,
            process_request=process_request,
            process_response=process_response,
        )
        self._logger = logging.getLogger("twoway.server") if logger is None else logger
        if check_compression(compression):
            extensions = enable_server_permessage_deflate(extensions)
        options = ServerOptions(
            origins=origins,
            allowed_hosts=allowed_hosts,
            extensions=tuple(extensions or ()),
            subprotocols=subprotocols or (),
            server_header=server_header,
            date=_http_date,
            open_timeout=open_timeout,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
            idle_release=idle_release,
            max_size=max_size,
            max_fragments=max_fragments,
            fragments=True,
            defer_failure=True,
            limits=limits or HTTPLimits(),
            logger=self._logger,
        )
        self._new_server = partial(
            Server,
            handler,
            options,
            process_request=process_request,
            process_response=process_response,
            select_subprotocol=select_subprotocol,
            create_connection=create_connection or ServerConnection,
            settings=make_settings(
                max_queue=max_queue,
                max_queue_bytes=max_queue_bytes,
                write_limit=write_limit,
                slow_consumer=slow_consumer,
                logger=self._logger,
            ),
            connection_limits=ConnectionLimits(
                max_connections=max_connections,
                max_connections_per_address=max_connections_per_address,
                max_handshakes=max_handshakes,
            ),
            logger=self._logger,
        )
        self._where: dict[str, Any] = {"host": host, "port": port}
        self._unix = False
        self._kwargs = kwargs
        if kwargs.get("ssl") is not None:
            self._kwargs = {**tls_timeouts(options), **kwargs}
        self._server: Server  # since __aenter__

    def __await__(self) -> Generator[Any, None, Server]:
        """Start the server, and give it."""
        return self._start().__await__()

    async def __aenter__(self) -> Server:
        """Start the server, and give it."""
        self._server = await self._start()
        return self._server

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the server and its connections, and wait for that."""
        self._server.close()
        await self._server.wait_closed()

    async def _start(self) -> Server:
        server = self._new_server()
        server._server = await listen(server._new_connection, unix=self._unix, **self._where, **self._kwargs)
        return server


def unix_serve(handler: Handler, path: str | PathLike[str] | None = None, **kwargs: Any) -> serve:
    """
    Serve WebSocket connections on a Unix socket.

    Args:
        handler: As for `serve`.
        path: Where the socket is made; a socket that is left there is replaced. None with ``sock``.
        **kwargs: As for `serve`, but for ``host`` and ``port``; further ones for ``loop.create_unix_server``.

    Returns:
        What `serve` gives: to await, or to use as an asynchronous context manager.

    Raises:
        TypeError: An argument has the wrong type; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.
    """
    for name in ("host", "port"):
        if name in kwargs:
            raise TypeError(f"{name} is not for unix_serve: a Unix socket has a path")
    serving = serve(handler, **kwargs)
    serving._unix, serving._where = True, {"path": path}
    return serving


def _check_callables(handler: object, **callbacks: object) -> None:
    if not callable(handler):
        raise TypeError(f"handler must be a coroutine function, not {type(handler).__name__}")
    for name, callback in callbacks.items():
        if callback is not None and not callable(callback):
            raise TypeError(f"{name} must be callable or None, not {type(callback).__name__}")
