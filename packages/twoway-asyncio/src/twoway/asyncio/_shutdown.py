"""The shutdown of a server that takes no longer than it may."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from twoway.frames import Close
from twoway.protocol import ShutdownReport, State

if TYPE_CHECKING:
    from ._server import Server, ServerConnection

# Who has connected, but sent no request yet, may do so for this long, and who is refused may hang up; seconds.
_PATIENCE = 1.0
# Handlers that were cancelled may clean up for this long; seconds.
_LAST_WORDS = 1.0


class Shutdown:
    """
    Shut a server down, once.

    Args:
        server: Which one.
        close: What the connections are told.
        grace: When to cancel and abort what is left; seconds from now.
        spread: Over how long the Close frames are spread; seconds from now.
    """

    def __init__(self, server: Server, close: Close, grace: float, spread: float) -> None:
        self._server = server
        self._close = close
        self._loop = server.get_loop()
        self._begun = monotonic()
        self._end = self._begun + grace
        self._patience = min(grace, _PATIENCE)
        self._spread = spread
        self._refused = 0

    def note_refusal(self, connection: ServerConnection) -> None:
        """
        Count a handshake that was answered with 503.

        Args:
            connection: Dropped when the client does not hang up soon.
        """
        self._refused += 1
        self._loop.call_later(self._patience, _drop, connection)

    async def run(self) -> ShutdownReport:
        """
        Close the connections, wait for the handlers, then cut off what is left.

        Returns:
            What it came to.
        """
        opened = [one for one in self._server._connections if _is_open(one)]
        timer = self._loop.call_later(self._patience, self._drop_strangers)
        try:
            await self._say_goodbye(opened)
            await self._wait(self._end)
        finally:  # when the event loop is shut down meanwhile, too
            timer.cancel()
            cancelled, tasks = self._cut_off()
            try:
                await self._wait(monotonic() + _LAST_WORDS)
            finally:
                abandoned = self._abandon(tasks)
        closed = sum(one.protocol.close_rcvd is not None and one.protocol.close_sent is not None for one in opened)
        return ShutdownReport(closed, len(opened) - closed, self._refused, cancelled, abandoned)

    async def _say_goodbye(self, opened: list[ServerConnection]) -> None:
        """Send the Close frames, evenly spread, so that not all clients reconnect at the same time."""
        for number, connection in enumerate(opened):
            delay = self._begun + self._spread * number / len(opened) - monotonic()
            if delay > 0 and connection.state is State.OPEN:
                await asyncio.wait([connection._closed], timeout=delay)
            if connection.state is State.OPEN:
                connection.protocol.close(self._close.code, self._close.reason, now=monotonic())
                connection._changed()

    async def _wait(self, end: float) -> None:
        """Wait until nothing is left, or the time has come."""
        server = self._server
        await asyncio.sleep(0)  # transports that are accepted, but not made known yet, come to life now
        while (waits := {*server._tasks, *(one._closed for one in server._connections)}) and monotonic() < end:
            await asyncio.wait(waits, timeout=end - monotonic())
            await asyncio.sleep(0)  # what ended leaves the sets in callbacks

    def _drop_strangers(self) -> None:
        """Drop who has sent no request, and who was refused before this began."""
        for connection in list(self._server._connections):
            if connection.request is None or connection.protocol.handshake_exc is not None:
                connection.abort()

    def _cut_off(self) -> tuple[int, list[asyncio.Task[None]]]:
        """Cancel all tasks and abort all connections; give the number of handlers that still ran, and the tasks."""
        server = self._server
        server._cut_off = True
        cancelled, tasks = len(server._handling), list(server._tasks)
        for task in tasks:
            task.cancel()
        for connection in list(server._connections):
            connection.abort()
        return cancelled, tasks

    def _abandon(self, tasks: list[asyncio.Task[None]]) -> int:
        """Count the tasks that nothing ends, and wait for them no more."""
        abandoned = [task for task in tasks if not task.done()]
        if abandoned:
            names = ", ".join(task.get_name() for task in abandoned[:10])
            text = f"{len(abandoned)} tasks of connections were cancelled, but ignore it and still run: {names}"
            self._server.logger.error("%s", text)
        self._server._end()
        return len(abandoned)


def _is_open(connection: ServerConnection) -> bool:
    """Tell whether the opening handshake has succeeded, and the connection has not ended yet."""
    return connection.state in (State.OPEN, State.CLOSING) and connection.protocol.handshake_exc is None


def _drop(connection: ServerConnection) -> None:
    if not connection._closed.done():
        connection.abort()
