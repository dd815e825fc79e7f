"""Listening sockets, on a loop that watches sockets: accepting takes no task, and connections have a lean transport."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any, Protocol

from ._transport import begin, is_ours

#: What is lacking when a connection cannot be accepted now, but later.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
#: For how long nothing is accepted then; seconds.
_RETRY = 1


class Listening(Protocol):
    """Be what a server needs of `asyncio.Server`, or of `Listener`."""

    @property
    def sockets(self) -> tuple[Any, ...]:
        """Give the listening sockets; empty once it is closed."""

    def is_serving(self) -> bool:
        """Tell whether connections are accepted."""

    async def start_serving(self) -> None:
        """Accept connections; harmless when that is so."""

    def close(self) -> None:
        """Close the listening sockets."""


async def listen(factory: Callable[[], asyncio.BufferedProtocol], *, unix: bool, **kwargs: Any) -> Listening:
    """
    Listen for connections.

    Args:
        factory: Makes the protocol of each connection.
        unix: Whether on a Unix socket.
        **kwargs: For ``loop.create_unix_server`` or ``loop.create_server``.

    Returns:
        What listens.

    Raises:
        OSError: It could not listen.
    """
    loop = asyncio.get_running_loop()
    create = loop.create_unix_server if unix else loop.create_server
    if not is_ours(create) or kwargs.get("ssl") is not None:
        return await create(factory, **kwargs)
    start = kwargs.pop("start_serving", True)
    server = await create(factory, start_serving=False, **kwargs)
    listener = Listener(loop, server, factory, kwargs.get("backlog", 100))
    if start:
        try:
            await listener.start_serving()
        except BaseException:
            listener.close()
            raise
    return listener


class Listener:
    """
    Accept connections.

    Args:
        loop: Its loop; used.
        server: Has bound the sockets, but does not listen; closed by `close`.
        factory: Makes the protocol of each connection.
        backlog: Most connections that wait to be accepted.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        server: asyncio.Server,
        factory: Callable[[], asyncio.BufferedProtocol],
        backlog: int,
    ) -> None:
        self._loop = loop
        self._server = server
        self._factory = factory
        self._backlog = backlog
        self._listening: list[socket.socket] = []

    @property
    def sockets(self) -> tuple[Any, ...]:
        """Give the listening sockets; empty once it is closed."""
        return tuple(self._server.sockets)

    def is_serving(self) -> bool:
        """Tell whether connections are accepted."""
        return bool(self._listening)

    async def start_serving(self) -> None:
        """Accept connections; harmless when that is so."""
        if not self._listening:
            self._listening = [sock.dup() for sock in self._server.sockets]
            for sock in self._listening:
                sock.listen(self._backlog)
                self._watch(sock)

    def close(self) -> None:
        """Close the listening sockets."""
        for sock in self._listening:
            self._loop.remove_reader(sock)
            sock.close()
        self._listening = []
        self._server.close()

    def _watch(self, sock: socket.socket) -> None:
        if sock in self._listening:
            self._loop.add_reader(sock, self._accept, sock)

    def _accept(self, sock: socket.socket) -> None:
        """Accept what waits; the loop calls this."""
        for _ in range(self._backlog):
            if sock not in self._listening:  # closed by what the last connection set off
                return
            try:
                accepted, peername = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as exc:
                if exc.errno not in _EXHAUSTED:
                    raise
                self._rest(sock, exc)
                return
            try:
                begin(accepted, peername, self._factory)
            except Exception as exc:
                self._report("an accepted connection could not begin", exc)

    def _rest(self, sock: socket.socket, exc: OSError) -> None:
        """Accept nothing for a while: the system would tell over and over that a connection waits."""
        self._report("no resources to accept a connection", exc)
        self._loop.remove_reader(sock)
        self._loop.call_later(_RETRY, self._watch, sock)

    def _report(self, message: str, exc: Exception) -> None:
        self._loop.call_exception_handler({"message": message, "exception": exc})
