"""The client: `connect` and `unix_connect`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from os import PathLike, fsencode
from socket import socket as Socket  # a name of its own beside the argument
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from twoway.deflate import check_compression, enable_client_permessage_deflate
from twoway.frames import DEFAULT_MAX_FRAGMENTS, DEFAULT_MAX_SIZE, ClientExtensionFactory
from twoway.http import HeadersLike, Proxy, ProxyLike
from twoway.protocol import (
    USER_AGENT,
    Cause,
    ClientOptions,
    ClientProtocol,
    InvalidStatus,
    LoggerLike,
    MaxQueue,
    MaxSize,
    Plan,
    Planner,
    Policy,
    ProcessException,
    SlowConsumer,
    State,
    backoff,
    make_settings,
    process_exception,
    read_uri,
)

from ._connection import Connection
from ._dial import dial, dial_unix, in_time, prepare, resolve, start_tls
from ._ending import Ending
from ._io import io_thread
from ._logging import late_logger
from ._reconnect import Reconnections
from ._tls import TLS
from ._turns import take_turn
from ._waiting import Deadline

if TYPE_CHECKING:
    from ssl import SSLContext
    from types import ModuleType

    from twoway.auth import AuthLike, CookieJarLike, RedirectsLike

    #: Credentials, or a function that gives them for each attempt.
    AuthSource: TypeAlias = AuthLike | Callable[[], AuthLike | None]

#: A way to an address: what is to be waited for in turn, and a function that gives a socket, and TLS to a proxy.
_Way: TypeAlias = tuple[Any, Callable[[], tuple[Socket, TLS | None]]]
#: Headers, or a function that gives them for each attempt.
HeadersSource: TypeAlias = HeadersLike | Callable[[], HeadersLike]


class ClientConnection(Connection):
    """
    Be the client's side of a connection; `connect` makes it.

    Spec:
        RFC 6455 §4.1.
    """

    __slots__ = ("_ending", "_opened")

    protocol: ClientProtocol

    def __init__(self, protocol: ClientProtocol, *args: Any, **kwargs: Any) -> None:
        super().__init__(protocol, *args, **kwargs)
        self._watched = False  # this thread reads the answer
        self._ending: Ending | None = None  # if somebody wants to be told
        self._opened = False  # whether the opening handshake is over, and has succeeded

    def handshake(self, timeout: float | None = None) -> None:
        """
        Run the opening handshake; `connect` calls this.

        Args:
            timeout: Seconds; None waits for ever.

        Raises:
            InvalidHandshake: The server refused, or answered something that is not the handshake.
            TimeoutError: The time is over.

        Spec:
            RFC 6455 §4.1.
        """
        with self._lock:
            self._take_early_bytes()
            if self.protocol.state is State.CONNECTING:  # not if the server hung up, or spoke, first
                self.protocol.send_request(self.protocol.connect())
        self._settle()
        self._receive(self._take_outcome, timeout)
        if self.protocol.handshake_exc is not None:
            if self.protocol.cause is Cause.VANISHED:  # what `process_exception` looks for
                source = self.protocol.handshake_exc.__cause__ or self.protocol.handshake_exc
                source.__cause__ = EOFError("connection closed by the server")
                del source
            try:
                raise self.protocol.handshake_exc
            finally:
                del self  # else the exception, which we keep, would keep us through its traceback
        self._opened = True

    def _take_early_bytes(self) -> None:
        """Take what came in the same TLS record as the end of the TLS handshake."""
        early = b"" if self._tls is None else self._tls.receive(b"")
        if early:
            self.protocol.receive_data(early, monotonic())

    def _take_outcome(self) -> Literal[True] | None:
        over = self.protocol.state is not State.CONNECTING or self.protocol.handshake_exc is not None
        return True if over else None

    def _check_begun(self) -> None:
        if self._opened:
            super()._check_begun()

    def _tell_ending(self) -> None:
        """Tell of the end now, if somebody wants to know and has not been told."""
        if self._ending is not None:
            self._ending.tell()

    def _close_in_background(self) -> None:
        """Close although nobody waits; for a finalizer."""
        if not self._ended:
            self._io.call_from_finalizer(partial(self._begin_close, 1000, ""))


class connect:
    """
    Connect to a WebSocket server.

    Use it as a context manager that gives a `ClientConnection`, and closes it:

        with connect("ws://localhost:8765/") as websocket:
            websocket.send("Hello!")

    Or iterate over it, to connect again whenever a connection has ended or could not be made:

        for websocket in connect("ws://localhost:8765/"):
            try:
                websocket.send("Hello!")
                ...
            except ConnectionClosed:
                continue

    Each step closes the connection before, and gives the next one. When the loop is left, by ``break`` or by an
    exception, its connection is closed in the background. Failures that `process_exception` takes for transient are
    logged in one line, and repeated after a time; the rest is raised. After a connection that this side closed, the
    next attempt is made at once.

    Or use it directly: it connects when something is asked of it that a `ClientConnection` has, and passes that on.
    `close` ends it:

        websocket = connect("ws://localhost:8765/")
        websocket.send("Hello!")
        websocket.close()

    Args:
        uri: ``ws://`` or ``wss://``; IRIs are converted.
        origin: Value of the ``Origin`` header; None for none.
        extensions: Factories of extensions to offer, preferred ones first.
        subprotocols: Subprotocols to offer, preferred ones first.
        compression: ``"deflate"`` adds permessage-deflate to ``extensions``, unless they have it; None does not.
        additional_headers: Further headers of the request, or a function that gives them, called for each attempt.
        user_agent_header: Value of the ``User-Agent`` header; None for none.
        auth: Credentials of ``twoway.auth``, or a pair of user name and password, or a function that gives one of
            these or None, called for each attempt; None takes those in ``uri``.
        redirects: Which redirects to follow: a policy, ``twoway.auth.Redirects``; True for the usual one; False or
            None for none.
        cookies: Cookie jar, such as ``http.cookiejar.CookieJar()``, asked and filled in each handshake; None for
            no cookies.
        proxy: URL of a proxy for HTTP or SOCKS, or a ``twoway.http.Proxy``, or a function that gives one or None for
            the parts of a URI; True takes the settings of the environment or the system, but for this machine; None
            connects directly.
        proxy_headers: Headers for an HTTP proxy, or a function that gives them, called for each tunnel.
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
        serialize_connecting: Whether to wait while another connection, made with this option in this process, is
            in its opening handshake with the same address and port; this counts against ``open_timeout``.
        open_timeout: For all until the connection is open: proxy, TCP, TLS, handshake, redirects; seconds, None for no
            limit.
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
        ssl: TLS context for servers; None and True take the default one for ``wss://``.
        server_hostname: Name that the certificate must have; None takes the host of the URI. This one, and ``host``
            and ``port``, do not count after a redirect to another origin.
        sock: A connected socket to use; closed at the end, and good for one connection.
        host: Where to connect, or what to ask a proxy for, instead of the host of the URI, which still is what the
            ``Host`` header and the certificate must name.
        port: Where to connect instead of the port of the URI.
        local_addr: Where to connect from, to the server or a proxy, host and port; None leaves that to the system.
        family: Of the addresses to connect to, as in ``socket``; 0 for any.

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

    _path: str | bytes | PathLike[str] | None = None  # set by `unix_connect`, before it comes here
    _fixed: Literal["path"] | None = None

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
        ssl: SSLContext | Literal[True] | None = None,
        server_hostname: str | None = None,
        sock: Socket | None = None,
        host: str | None = None,
        port: int | None = None,
        local_addr: tuple[str, int] | None = None,
        family: int = 0,
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
            fixed="sock" if sock is not None else self._fixed,
            load=_load_auth,
            logger=self._logger,
        )
        self._proxy_ssl = proxy_ssl
        self._proxy_server_hostname = proxy_server_hostname
        self._policy = Policy(process_exception, reconnect_delays, max_attempts)
        if on_state is not None and not callable(on_state):
            raise TypeError(f"on_state must be callable or None, not {type(on_state).__name__}")
        self._on_state = on_state
        self._serialize = serialize_connecting
        if not self._target.secure and ssl is not None:
            raise ValueError("ssl must be None for a ws:// URI")
        if ssl is not None and not ssl:  # what people try to have no certificates verified
            raise ValueError("ssl must not be False for a wss:// URI")
        self._ssl = ssl
        self._server_hostname = server_hostname
        self._sock = sock
        self._host = host
        self._port = port
        self._local_addr = local_addr
        self._family = family
        self._mutex = Lock()
        self._connection: ClientConnection | None = None  # of `with`, or of direct use

    def connect(self) -> ClientConnection:
        """
        Connect, and give the connection, which is the caller's to close.

        Returns:
            A new, open connection.

        Raises:
            InvalidHandshake: The server or a proxy refused, or answered something that is not the handshake.
            OSError: The TCP or TLS connection could not be made.
            TimeoutError: ``open_timeout`` has passed.
        """
        self._tell("connecting", None)
        try:
            connection = self._connect_in_time()
        except BaseException as exc:
            self._tell("disconnected", exc)
            raise
        self._tell("connected", None)
        if self._on_state is not None:
            connection._ending = Ending(partial(self._tell_disconnected, connection.protocol))
            connection._at_end(connection._ending.tell_in_a_thread)
        return connection

    def __enter__(self) -> ClientConnection:
        """Connect, and give the connection."""
        self._connection = self.connect()
        return self._connection

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def __iter__(self) -> Reconnections:
        """
        Connect, and connect again.

        Returns:
            An iterator without end; its ``close()`` waits until the connection is closed.

        Raises:
            ValueError: There is a ``sock``, which serves for one connection only; a caller's bug.
        """
        if self._sock is not None:
            raise ValueError("sock must be None to connect again and again: a socket serves for one connection")
        return Reconnections(self, self._policy)

    # Direct use

    def _get(self) -> ClientConnection:
        """Give the connection, made now if there is none."""
        if self._connection is None:
            with self._mutex:
                if self._connection is None:
                    self._connection = self.connect()
        return self._connection

    def close(self, code: int = 1000, reason: str = "", *, timeout: float | None = None) -> None:
        """
        Close the connection, if there is one, and wait until it is closed.

        Args:
            code: 1000-1003, 1007-1014 or 3000-4999.
            reason: At most 123 bytes of UTF-8.
            timeout: Less time than ``close_timeout``, for this call; seconds, None for no other limit.

        Raises:
            TypeError: An argument has the wrong type; a caller's bug.
            ValueError: An argument is out of range; a caller's bug.

        Spec:
            RFC 6455 §7.1.2.
        """
        if self._connection is not None:
            self._connection.close(code, reason, timeout=timeout)
            self._connection._tell_ending()

    def __getattr__(self, name: str) -> Any:
        """Give what the connection has."""
        if name.startswith("_") or not hasattr(ClientConnection, name):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self._get(), name)

    # Attempts

    def _connect_in_time(self) -> ClientConnection:
        deadline = Deadline(self._options.open_timeout)
        plan = None
        try:
            plan = Plan(self._planner, self._planner.ask("additional_headers"), self._planner.ask("auth"))
            return self._follow(plan, deadline)
        except Exception as exc:
            if deadline.left() != 0:
                raise
            place = self._place if plan is None else plan.place
            raise TimeoutError(f"opening handshake with {place} timed out") from exc

    def _follow(self, plan: Plan, deadline: Deadline) -> ClientConnection:
        """Connect as often as redirects and challenges want."""
        while True:
            try:
                connection = self._open(plan, deadline)
            except InvalidStatus as exc:
                plan.refuse(exc)
            else:
                return _accept(plan, connection)

    def _open(self, plan: Plan, deadline: Deadline) -> ClientConnection:
        deadline.check()  # headers and credentials may have taken it all
        errors: list[OSError] = []
        for address, make_line in self._ways(plan, deadline):
            with take_turn(address if self._serialize else None, deadline):
                try:
                    line = make_line()
                except OSError as exc:
                    if deadline.left() == 0:
                        raise
                    errors.append(exc)
                    continue
                return self._open_on(*line, plan, deadline)
        try:
            raise _join(errors)
        finally:
            errors.clear()  # else the exception would keep itself through its traceback

    def _ways(self, plan: Plan, deadline: Deadline) -> list[_Way]:
        """Give the addresses to try, and how."""
        if self._sock is not None:
            sock = self._sock
            return [(sock.getpeername(), lambda: (_adopt(sock), None))]
        if self._path is not None:
            path = self._path
            return [(fsencode(path), lambda: (dial_unix(path, deadline), None))]
        proxy = in_time(plan.find_proxy, deadline) if plan.may_block else plan.find_proxy()
        if proxy is not None:  # RFC 6455 §4.1 item 2: what only a proxy can resolve is a place of its own
            return [((plan.uri.host, plan.uri.port), partial(self._open_through_proxy, plan, proxy, deadline))]
        return [self._way(one, deadline) for one in resolve(*self._address(plan), self._family, deadline)]

    def _way(self, address: tuple[Any, ...], deadline: Deadline) -> _Way:
        return address[4], lambda: (dial(address, self._local_addr, deadline), None)

    def _address(self, plan: Plan) -> tuple[str, int]:
        """Give host and port to connect to; other ones than those of the URI are for the first origin only."""
        host, port = (self._host, self._port) if plan.same_origin else (None, None)
        return host or plan.uri.host, port or plan.uri.port

    def _open_through_proxy(self, plan: Plan, proxy: Proxy, deadline: Deadline) -> tuple[Socket, TLS | None]:
        from ._proxy import open_socks, open_tunnel, reach  # few clients have a proxy

        dial_proxy = partial(reach, proxy, self._local_addr, self._family, deadline)
        host, port = self._address(plan)
        if proxy.is_socks:
            return open_socks((host, port), proxy, dial_proxy, deadline), None
        tls = None
        if proxy.scheme == "https":
            self._proxy_ssl = self._proxy_ssl or _default_context()
            tls = self._proxy_ssl, self._proxy_server_hostname or proxy.host
        tunneling = plan.tunnel(host, port, self._planner.ask("proxy_headers"), self._planner.ask("proxy_auth"))
        return open_tunnel(tunneling, proxy, dial_proxy, tls, deadline)

    def _open_on(self, sock: Socket, over: TLS | None, plan: Plan, deadline: Deadline) -> ClientConnection:
        try:
            tls = self._start_tls(sock, over, plan, deadline)
            protocol = ClientProtocol(plan.uri, late_logger(plan.options), monotonic())
            connection = self._make(protocol, sock, tls, io_thread(), **self._settings)
        except BaseException:
            sock.close()
            raise
        try:
            connection.handshake(deadline.left())
        except BaseException:  # refused, interrupted, or an argument that fits no header
            connection.abort()
            del connection, protocol  # as in `handshake`
            raise
        return connection

    def _start_tls(self, sock: Socket, over: TLS | None, plan: Plan, deadline: Deadline) -> TLS | None:
        if not plan.uri.secure:
            return over
        if self._ssl is None or self._ssl is True:
            self._ssl = _default_context()
        name = self._server_hostname if plan.same_origin else None
        return start_tls(sock, self._ssl, name or plan.uri.host, deadline, over)

    def _tell(self, state: str, exc: BaseException | None) -> None:
        """Tell the state to whoever wants to know; no error of theirs ends a connection."""
        if self._on_state is not None:
            try:
                self._on_state(state, exc)
            except Exception:
                self._logger.error("on_state failed", exc_info=True)

    def _tell_disconnected(self, protocol: ClientProtocol) -> None:
        self._tell("disconnected", protocol.close_exc)

    def _announce(self, line: str, exc: Exception) -> None:
        """Tell that we wait before the next attempt."""
        self._logger.info("%s", f"{self._place}: {line}")
        self._tell("waiting", exc)


class unix_connect(connect):
    """
    Connect to a WebSocket server on a Unix socket; otherwise like `connect`.

    Args:
        path: Of the socket, or the name of an abstract one after a NUL character; None if there is ``sock``.
        uri: What the handshake asks for; None takes ``ws://localhost/``, or with ``ssl`` ``wss://localhost/``.
        **kwargs: As for `connect`.

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
        self._path = path
        self._fixed = "path"
        super().__init__(uri, **kwargs)


def _adopt(sock: Socket) -> Socket:
    prepare(sock)
    return sock


def _join(errors: list[OSError]) -> OSError:
    """Make one error of those for each address."""
    if len(errors) == 1:
        return errors[0]
    numbers = {error.errno for error in errors}
    text = "; ".join(error.strerror or str(error) for error in errors)
    return OSError(numbers.pop(), text) if len(numbers) == 1 else OSError(text)


def _default_context() -> SSLContext:
    from ssl import create_default_context  # reads all the certificates of authorities

    return create_default_context()


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
