"""The client: `connect`."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any

from twoway.deflate import check_compression, enable_client_permessage_deflate
from twoway.frames import DEFAULT_MAX_SIZE, ClientExtensionFactory
from twoway.http import HeadersLike, Response
from twoway.protocol import (
    ClientOptions,
    ClientProtocol,
    HandshakeFailed,
    LoggerLike,
    MaxQueue,
    MaxSize,
    Options,
    State,
    read_uri,
)

from ._connection import Connection, make_settings

#: Default value of the ``User-Agent`` header.
USER_AGENT = f"Python/{sys.version_info[0]}.{sys.version_info[1]} twoway"


class ClientConnection(Connection):
    """
    Be the client's side of a connection; `connect` makes it.

    Spec:
        RFC 6455 §4.1.
    """

    protocol: ClientProtocol

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
            try:
                raise self.protocol.handshake_exc
            finally:
                del self  # else the exception, which we keep, would keep us through its traceback

    def _handle(self, event: object) -> None:
        super()._handle(event)
        # Behind the response, the connection may be closing already: what counts is that there was one.
        if isinstance(event, (Response, HandshakeFailed)) and not self._opened.done():
            self._opened.set_result(None)


class connect:
    """
    Connect to a WebSocket server.

    Await it for a `ClientConnection`, or use it as an asynchronous context manager that closes the connection:

        async with connect("ws://localhost:8765/") as websocket:
            await websocket.send("Hello!")

    Args:
        uri: ``ws://`` or ``wss://``; IRIs are converted.
        origin: Value of the ``Origin`` header; None for none.
        extensions: Factories of extensions to offer, preferred ones first.
        subprotocols: Subprotocols to offer, preferred ones first.
        compression: ``"deflate"`` adds permessage-deflate to ``extensions``, unless they have it; None does not.
        additional_headers: Further headers of the request.
        user_agent_header: Value of the ``User-Agent`` header; None for none.
        open_timeout: For all until the connection is open: TCP, TLS, handshake; seconds, None for no limit.
        ping_interval: From one keepalive ping to the next; seconds, None for no pings.
        ping_timeout: From a ping to a sign of life; seconds, None to wait for ever.
        close_timeout: For all that comes after the first Close frame; seconds, None for no limit.
        idle_release: Time without a message after which compression releases memory; seconds, None for never.
        max_size: Largest message, or a pair: largest message and largest frame; bytes, None for no limit.
        max_queue: High-water mark, or high and low mark, of received messages that wait; None for no limit.
        write_limit: High-water mark, or high and low mark, of bytes that wait to be written.
        logger: Gets what happens; None takes the logger ``twoway.client``.
        create_connection: Makes the connection; None takes `ClientConnection`.
        **kwargs: For ``loop.create_connection``: ``ssl``, ``sock``, ``local_addr``, and ``host``, ``port`` and
            ``server_hostname`` to connect elsewhere than the URI says.

    Raises:
        InvalidURI: ``uri`` is not a WebSocket URI; a caller's bug.
        InvalidHandshake: The server refused, or answered something that is not the handshake.
        OSError: The TCP or TLS connection could not be made.
        TimeoutError: ``open_timeout`` has passed.
        TypeError: An argument has the wrong type; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.

    Spec:
        RFC 6455 §4.1.
    """

    def __init__(
        self,
        uri: str,
        *,
        origin: str | None = None,
        extensions: Sequence[ClientExtensionFactory] | None = None,
        subprotocols: Sequence[str] | None = None,
        compression: str | None = "deflate",
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        idle_release: float | None = 60,
        max_size: MaxSize = DEFAULT_MAX_SIZE,
        max_queue: MaxQueue = 16,
        write_limit: int | tuple[int, int | None] = 65536,
        logger: LoggerLike | None = None,
        create_connection: type[ClientConnection] | None = None,
        **kwargs: Any,
    ) -> None:
        self.uri = uri
        self._target = read_uri(uri)
        self._logger = logging.getLogger("twoway.client") if logger is None else logger
        if check_compression(compression):
            extensions = enable_client_permessage_deflate(extensions)
        self._options = ClientOptions(
            origin=origin,
            extensions=tuple(extensions or ()),
            subprotocols=subprotocols or (),
            additional_headers=additional_headers or (),
            user_agent_header=user_agent_header,
            open_timeout=open_timeout,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
            idle_release=idle_release,
            max_size=max_size,
            fragments=True,
            defer_failure=True,
            logger=self._logger,
        )
        self._make = create_connection or ClientConnection
        self._settings = make_settings(max_queue, write_limit, self._logger)
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

    async def _connect(self) -> ClientConnection:
        try:
            async with asyncio.timeout(self._options.open_timeout):
                return await self._open()
        except TimeoutError as exc:
            raise TimeoutError(f"opening handshake with {self._target} timed out") from exc

    async def _open(self) -> ClientConnection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(self._new_connection, **self._transport_arguments())
        try:
            await connection.handshake()
        except BaseException:  # refused, cancelled, or an argument that fits no header
            connection.abort()
            del connection  # as in `handshake`
            raise
        return connection

    def _new_connection(self) -> ClientConnection:
        now = asyncio.get_running_loop().time()
        return self._make(ClientProtocol(self._target, self._options, now), **self._settings)

    def _transport_arguments(self) -> dict[str, Any]:
        target, kwargs = self._target, dict(self._kwargs)
        if target.secure:
            kwargs.setdefault("ssl", True)
            kwargs.setdefault("server_hostname", target.host)
            kwargs = {**tls_timeouts(self._options), **kwargs}
            if not kwargs["ssl"]:
                raise ValueError("ssl must not be None for a wss:// URI")
        elif kwargs.get("ssl") is not None:
            raise ValueError("ssl must be None for a ws:// URI")
        if kwargs.get("sock") is None:
            kwargs.setdefault("host", target.host)
            kwargs.setdefault("port", target.port)
        return kwargs


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
