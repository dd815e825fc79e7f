"""The server: `serve`, `unix_serve`, `Server`."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from os import PathLike
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

from twoway.deflate import check_compression, enable_server_permessage_deflate
from twoway.frames import DEFAULT_MAX_FRAGMENTS, DEFAULT_MAX_SIZE, Close, CloseCode, ServerExtensionFactory
from twoway.http import HTTPLimits, Request, Response
from twoway.protocol import (
    USER_AGENT,
    Admission,
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
    check_count,
    check_duration,
    check_seconds,
    describe_failure,
    make_settings,
)

from ._connection import Connection
from ._io import io_thread
from ._listen import Listener, listen, listen_unix
from ._logging import late_logger
from ._shutdown import Shutdown
from ._tls import TLS
from ._waiting import Deadline, wait_on
from ._workers import Workers

if TYPE_CHECKING:
    from ssl import SSLContext


class ServerConnection(Connection):
    """
    Be the server's side of a connection; `serve` makes it and gives it to the handler.

    Attributes:
        server: The server that accepted the connection.
        username: Who the peer is, None unless ``process_request`` found out and set it.

    Spec:
        RFC 6455 §4.2.
    """

    # Not without a __dict__: handlers may keep things of their own here.

    protocol: ServerProtocol
    server: Server
    username: str | None

    def __init__(self, protocol: ServerProtocol, server: Server, *args: Any, **kwargs: Any) -> None:
        super().__init__(protocol, *args, **kwargs)
        self.server = server
        self.username = None

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

    def handle(self, event: object) -> None:
        """
        Take an event that is not a message; called without the lock.

        Args:
            event: Of the protocol.
        """
        super().handle(event)
        if isinstance(event, Request):
            self.server._begin(self)
            return
        failure = describe_failure(event, self.protocol, self.server._refuses(self))
        if failure is not None:
            self.logger.info("%s", failure)
        if isinstance(event, HandshakeFailed):
            self.server._answered(self)

    def _answer(self, response: Response) -> bool | None:
        """
        Send the answer to the opening handshake, unless the client has gone or the time is over.

        Tells whether the connection was opened, though it may be closing by now; None if this was not sent.
        """
        with self._lock:
            if self.protocol.state is not State.CONNECTING:
                return None
            self.protocol.send_response(response, monotonic())
            opened = response.status_code == 101
        self.server._answered(self)
        self._settle()
        return opened


#: What handles a connection; when it returns, the connection is closed.
Handler: TypeAlias = Callable[[ServerConnection], None]
ProcessRequest: TypeAlias = Callable[[ServerConnection, Request], Response | None]
ProcessResponse: TypeAlias = Callable[[ServerConnection, Request, Response], Response | None]
SelectSubprotocol: TypeAlias = Callable[[ServerConnection, Sequence[str]], str | None]


class Server:
    """
    Accept connections and run a handler for each; `serve` makes it.

    Use it as a context manager: at its end the server and its connections are closed.
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
        max_threads: int | None,
        context: SSLContext | None,
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
        self._workers = Workers(max_threads)
        self._context = context
        self._io = io_thread()
        self._backlog = 0
        # A signal handler may close the server while the same thread is in `serve_forever`: so it may enter again.
        self._mutex = threading.RLock()
        self._condition = threading.Condition(self._mutex)
        self._listeners: list[Listener] = []
        self._connections: set[ServerConnection] = set()
        self._running: dict[ServerConnection, threading.Thread] = {}  # what answers a request, or handles
        self._handling: set[ServerConnection] = set()  # those of them in which the handler runs
        self._closing = False
        self._shutdown: Shutdown | None = None
        self._is_cut_off = False  # whether nobody may live any more
        self._ended = False

    # Facts

    @property
    def connections(self) -> set[ServerConnection]:
        """Give the connections that are open now, in a new set."""
        return {connection for connection in self._all() if connection.state is State.OPEN}

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """Give the sockets on which the server listens; empty once it is closed."""
        return tuple(listener.socket for listener in self._listeners if not listener.closing)

    def is_serving(self) -> bool:
        """
        Tell whether new connections are accepted.

        Returns:
            False once the server is closed.
        """
        return any(listener.serving for listener in self._listeners if not listener.closing)

    # Life

    def start_serving(self) -> None:
        """Accept connections, if ``start_serving=False`` has put that off; harmless when it is done or over."""
        for listener in self._listeners:
            if not listener.closing and not listener.serving:
                listener.socket.listen(self._backlog)
                listener.serving = True
                self._io.update(listener)

    def serve_forever(self) -> None:
        """Serve until interrupted or closed; then the server and its connections are closed."""
        try:
            self.start_serving()
            self.wait_closed()
        except BaseException:  # Ctrl-C, or what a signal handler raises
            self.close()
            self.wait_closed()
            raise

    def close(self, close_connections: bool = True, code: int = CloseCode.GOING_AWAY, reason: str = "") -> None:
        """
        Close the server: no new connections, handshakes under way get 503, connections are closed.

        Args:
            close_connections: Whether to close connections that are open; else they live on until they end.
            code: Close code for them; 1000-1003, 1007-1014 or 3000-4999.
            reason: Close reason for them; at most 123 bytes of UTF-8.

        Harmless when the server is closed already. `wait_closed` waits for the end of it, however long handlers
        take that do not end with their connections; `shutdown` takes a limited time. A signal handler may call this
        while its thread is in `serve_forever`.

        Raises:
            TypeError: An argument has the wrong type; a caller's bug.
            ValueError: An argument is out of range; a caller's bug.

        Spec:
            RFC 6455 §7.4.1: 1001, going away.
        """
        Close(code, reason).serialize()
        with self._mutex:
            if self._closing or self._shutdown is not None:
                return
            self._closing = True
        self._stop_listening()
        for connection in self._all():
            if connection.state is State.CONNECTING:
                self._refuse(connection)
            elif close_connections and connection.state is State.OPEN:
                connection._begin_close(code, reason)

    def shutdown(
        self, grace: float = 10, spread: float = 0, code: int = CloseCode.GOING_AWAY, reason: str = ""
    ) -> ShutdownReport:
        """
        Close the server in a limited time, gently at first.

        No new connections are accepted at once, handshakes under way get 503, connections are closed one after the
        other. When ``grace`` is over, connections that are left are dropped; nothing can stop the handlers, but
        whatever they ask of their connections raises `ConnectionClosed`. They have one more second to clean up; who
        ignores that is left alone and logged, so that this never takes longer than ``grace`` and that second.

        To be called once: further calls wait for the first one. A handler that calls this waits for itself, until it
        is left alone; let a thread of its own do that.

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
        with self._mutex:
            first = self._shutdown is None
            if first:
                self._shutdown = Shutdown(self, close, grace, spread)
        shutdown = self._shutdown
        assert shutdown is not None
        if not first:
            with self._mutex:
                wait_on(self._condition, lambda: shutdown.report is not None, Deadline(None))
            assert shutdown.report is not None
            return shutdown.report
        self._stop_listening()
        for connection in self._all():
            if connection.state is State.CONNECTING and connection.request is not None:
                self._refuse(connection)
        try:
            return shutdown.run()
        finally:
            with self._mutex:
                self._condition.notify_all()

    def wait_closed(self, timeout: float | None = None) -> None:
        """
        Wait until the server is closed, its connections have ended and their handlers have returned.

        Args:
            timeout: Seconds; None waits for ever.

        Raises:
            TimeoutError: The time is over.
        """
        check_seconds("timeout", timeout)
        with self._mutex:
            if not wait_on(self._condition, self._is_closed, Deadline(timeout)):
                raise TimeoutError("the server is not closed yet")

    def __enter__(self) -> Server:
        """Give the server."""
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the server and its connections, and wait for that."""
        self.close()
        self.wait_closed()

    def _is_closed(self) -> bool:
        return self._ended or (self._closing and self._shutdown is None and self._is_empty())

    def _is_empty(self) -> bool:
        return not (self._listeners or self._connections or self._running)

    def _stop_listening(self) -> None:
        for listener in list(self._listeners):
            listener.closing = True
            self._io.update(listener)

    def _wait_until_empty(self, end: float) -> bool:
        """Wait until nothing is left; false when the time has come."""
        with self._mutex:
            return wait_on(self._condition, self._is_empty, Deadline(max(end - monotonic(), 0)))

    def _cut_off(self) -> int:
        """Let nobody live any more; give the number of handlers that still run."""
        with self._mutex:
            self._is_cut_off = True
            return len(self._handling)

    def _end(self) -> list[str]:
        """Say that the server is closed; give the names of threads that still run."""
        with self._mutex:
            self._ended = True
            self._condition.notify_all()
            return [thread.name for thread in self._running.values()]

    # Connections

    def _all(self) -> list[ServerConnection]:
        with self._mutex:
            return list(self._connections)

    def _listen(self, sockets: Iterable[socket.socket], backlog: int, start: bool) -> None:
        self._backlog = backlog
        self._listeners = [Listener(sock, self._accept, self._forget, self._disown, self.logger) for sock in sockets]
        for listener in self._listeners:
            self._io.update(listener)
        if start:
            self.start_serving()

    def _forget(self, listener: Listener) -> None:
        with self._mutex:
            self._listeners.remove(listener)
            self._condition.notify_all()

    def _accept(self, sock: socket.socket) -> None:
        """Take a new connection; the I/O thread calls this."""
        tls = None if self._context is None else TLS(self._context, server_side=True)
        protocol = ServerProtocol(late_logger(self._options), monotonic())
        connection = self._make(protocol, self, sock, tls, self._io, **self._settings)
        with self._mutex:
            self._connections.add(connection)
            admitted = self._admission.enter(connection, connection.remote_address, monotonic())
            admitted = admitted and not self._is_cut_off and (not self._closing or self._shutdown is not None)
        connection._at_end(partial(self._discard, connection))
        self._io.update(connection)
        if not admitted:
            connection.abort()

    def _disown(self) -> None:
        """Forget everything, in a child process: threads that are not there may have held the lock."""
        self._mutex = threading.RLock()
        self._condition = threading.Condition(self._mutex)
        self._listeners, self._connections, self._running = [], set(), {}
        self._ended = True

    def _discard(self, connection: ServerConnection) -> None:
        with self._mutex:
            self._connections.discard(connection)
            self._admission.leave(connection)
            self._condition.notify_all()

    def _refuses(self, connection: ServerConnection) -> bool:
        with self._mutex:
            return self._admission.refuses(connection)

    def _answered(self, connection: ServerConnection) -> None:
        with self._mutex:
            self._admission.answered(connection)

    def _begin(self, connection: ServerConnection) -> None:
        """Answer a request in a thread of its own; before there is one, a connection costs no thread."""
        with self._mutex:
            refused = self._shutdown is not None or self._closing or self._admission.refuses(connection)
        if refused:
            self._refuse(connection)
        elif not self._workers.run(partial(self._run, connection)):
            self._refuse(connection, full=True)

    def _refuse(self, connection: ServerConnection, full: bool = False) -> None:
        """Answer 503 (RFC 9110 §15.6.4), if there is a request to answer."""
        if connection.request is None:
            connection.abort()
        elif full or self._refuses(connection):
            response = connection.respond(503, "Too many connections.\n")
            response.headers["Retry-After"] = "1"
            connection._answer(response)
        else:
            answered = connection._answer(connection.respond(503, "Server is shutting down.\n")) is not None
            with self._mutex:
                if answered and self._shutdown is not None:
                    self._shutdown.note_refusal(connection)

    def _run(self, connection: ServerConnection) -> None:
        """Answer a request, and handle the connection; in a thread of its own."""
        with self._mutex:
            self._running[connection] = threading.current_thread()
        try:
            if self._handshake(connection):
                self._handle(connection)
        except BaseException:
            self.logger.error("opening handshake failed: a callback of the server raised", exc_info=True)
            connection._answer(connection.respond(500, "The server failed to handle the request.\n"))
        finally:
            with self._mutex:
                del self._running[connection]
                self._condition.notify_all()

    def _handshake(self, connection: ServerConnection) -> bool:
        """Answer the request; tell whether the connection was opened."""
        protocol, request = connection.protocol, connection.protocol.request
        assert request is not None
        response = None
        if self._process_request is not None:
            response = self._process_request(connection, request)
        if response is None:
            select = self._select_subprotocol
            response = protocol.accept(
                request, select_subprotocol=None if select is None else partial(select, connection)
            )
        if self._process_response is not None:
            response = self._process_response(connection, request, response) or response
        return bool(connection._answer(response))

    def _handle(self, connection: ServerConnection) -> None:
        """Run the handler, then close: with 1011 when it raised, else with 1000."""
        code = CloseCode.NORMAL_CLOSURE
        with self._mutex:
            self._handling.add(connection)
        try:
            self._handler(connection)
        except ConnectionClosed as exc:
            if connection.state is State.OPEN:  # that of another connection
                code = self._log_handler(exc)
        except BaseException as exc:  # such as SystemExit, which ends nothing but the handler
            code = self._log_handler(exc)
        finally:
            with self._mutex:
                self._handling.discard(connection)
        connection.close(code)

    def _log_handler(self, exc: BaseException) -> CloseCode:
        self.logger.error("connection handler failed", exc_info=exc)
        return CloseCode.INTERNAL_ERROR


def _http_date() -> str:
    """Give the time in the form of RFC 9110 §5.6.7."""
    from email.utils import formatdate  # costs 6 ms at import, and only refusals need it

    return formatdate(usegmt=True)


def serve(
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
    max_threads: int | None = 1024,
    logger: LoggerLike | None = None,
    create_connection: type[ServerConnection] | None = None,
    ssl: SSLContext | None = None,
    sock: socket.socket | None = None,
    family: int = 0,
    backlog: int = 100,
    reuse_port: bool = False,
    start_serving: bool = True,
) -> Server:
    """
    Serve WebSocket connections.

    The server accepts connections when this returns. Use it as a context manager that closes the server:

        with serve(handler, "localhost", 8765) as server:
            server.serve_forever()

    Args:
        handler: Function that gets a `ServerConnection` and runs in a thread of its own; when it returns, the
            connection is closed with 1000, and with 1011 when it raises.
        host: Where to listen, a name or several; None for all interfaces.
        port: Where to listen; 0 takes a free one.
        origins: Accepted values of the ``Origin`` header: exact strings, patterns for the whole value, None for
            requests without one. None accepts all.
        allowed_hosts: Accepted values of the ``Host`` header, against DNS rebinding; None accepts all.
        extensions: Factories of extensions to accept, preferred ones first.
        subprotocols: Supported subprotocols, preferred ones first.
        select_subprotocol: Gets connection and offered subprotocols; returns one of them or None.
        compression: ``"deflate"`` adds permessage-deflate to ``extensions``, unless they have it; None does not.
        process_request: Function that gets connection and request before the handshake; a response that it returns
            is the answer instead of the handshake.
        process_response: Function that gets connection, request and response before the response is sent; it may
            alter it or return another one.
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
        max_threads: Threads of handlers at a time, one for each connection that has sent its request; None for no
            limit. Further ones get 503.
        logger: Gets what happens; None takes the logger ``twoway.server``.
        create_connection: Makes the connections; None takes `ServerConnection`.
        ssl: TLS context; None for no TLS.
        sock: A bound socket to listen on, instead of ``host`` and ``port``; closed at the end.
        family: Of the addresses to listen on, as in ``socket``; 0 for any.
        backlog: How many connections may wait to be accepted.
        reuse_port: Whether other processes may listen on the same port, too.
        start_serving: Whether to accept connections at once; else `Server.start_serving` does.

    Returns:
        The server.

    Raises:
        OSError: The server could not listen.
        TypeError: An argument has the wrong type; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.

    Spec:
        RFC 6455 §4.2.
    """
    _check_callables(
        handler=handler,
        select_subprotocol=select_subprotocol,
        process_request=process_request,
        process_response=process_response,
    )
    check_count("max_threads", max_threads)
    logger = logging.getLogger("twoway.server") if logger is None else logger
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
        logger=logger,
    )
    server = Server(
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
            logger=logger,
        ),
        connection_limits=ConnectionLimits(
            max_connections=max_connections,
            max_connections_per_address=max_connections_per_address,
            max_handshakes=max_handshakes,
        ),
        max_threads=max_threads,
        context=ssl,
        logger=logger,
    )
    if sock is None:
        sockets = listen(host, port, family=family, reuse_port=reuse_port)
    elif host is None and port is None:
        sock.setblocking(False)
        sockets = [sock]
    else:
        raise ValueError("sock must be None, or else host and port")
    server._listen(sockets, backlog, start_serving)
    return server


def unix_serve(handler: Handler, path: str | PathLike[str] | None = None, **kwargs: Any) -> Server:
    """
    Serve WebSocket connections on a Unix socket.

    Args:
        handler: As for `serve`.
        path: Where the socket is made; a socket that is left there is replaced. None with ``sock``.
        **kwargs: As for `serve`, but for ``host`` and ``port``.

    Returns:
        The server.

    Raises:
        OSError: The server could not listen.
        TypeError: An argument has the wrong type; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.
    """
    for name in ("host", "port"):
        if name in kwargs:
            raise TypeError(f"{name} is not for unix_serve: a Unix socket has a path")
    if (path is None) is (kwargs.get("sock") is None):
        raise ValueError("path must be given, or else sock")
    if path is None:
        return serve(handler, **kwargs)
    sock = listen_unix(path)
    try:
        return serve(handler, sock=sock, **kwargs)
    except BaseException:
        sock.close()
        raise


def _check_callables(handler: object, **callbacks: object) -> None:
    if not callable(handler):
        raise TypeError(f"handler must be a function, not {type(handler).__name__}")
    for name, callback in callbacks.items():
        if callback is not None and not callable(callback):
            raise TypeError(f"{name} must be callable or None, not {type(callback).__name__}")
