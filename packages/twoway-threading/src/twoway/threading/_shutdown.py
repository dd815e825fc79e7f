"""The shutdown of a server that takes no longer than it may."""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from twoway.frames import Close
from twoway.protocol import ShutdownReport, State

if TYPE_CHECKING:
    from ._server import Server, ServerConnection

# Who has connected, but sent no request yet, may do so for this long, and who is refused may hang up; seconds.
_PATIENCE = 1.0
# Handlers whose connection was dropped may clean up for this long; seconds.
_LAST_WORDS = 1.0


class Shutdown:
    """
    Shut a server down, once.

    Args:
        server: Which one.
        close: What the connections are told.
        grace: When to abort what is left; seconds from now.
        spread: Over how long the Close frames are spread; seconds from now.
    """

    def __init__(self, server: Server, close: Close, grace: float, spread: float) -> None:
        self._server = server
        self._close = close
        self._opened = [one for one in server._all() if _is_open(one)]
        self._begun = monotonic()
        self._end = self._begun + grace
        self._patience = min(grace, _PATIENCE)
        self._spread = spread
        self._refused = 0
        self._drops: deque[tuple[float, ServerConnection]] = deque()
        self.report: ShutdownReport | None = None

    def note_refusal(self, connection: ServerConnection) -> None:
        """
        Count a handshake that was answered with 503.

        Args:
            connection: Dropped when the client does not hang up soon.
        """
        self._refused += 1
        self._drops.append((monotonic() + self._patience, connection))

    def run(self) -> ShutdownReport:
        """
        Close the connections, wait for the handlers, then cut off what is left.

        Returns:
            What it came to.
        """
        opened = self._opened
        try:
            self._say_goodbye(opened)
            self._wait(self._end)
        finally:  # after Ctrl-C, too
            cancelled = self._cut_off()
            try:
                self._wait(monotonic() + _LAST_WORDS)
            finally:
                abandoned = self._abandon()
        closed = sum(one.protocol.close_rcvd is not None and one.protocol.close_sent is not None for one in opened)
        self.report = ShutdownReport(closed, len(opened) - closed, self._refused, cancelled, abandoned)
        return self.report

    def _say_goodbye(self, opened: list[ServerConnection]) -> None:
        """Send the Close frames, evenly spread, so that not all clients reconnect at the same time."""
        for number, connection in enumerate(opened):
            self._wait(self._begun + self._spread * number / len(opened), connection)
            if connection.state is State.OPEN:
                connection._begin_close(self._close.code, self._close.reason)

    def _wait(self, end: float, connection: ServerConnection | None = None) -> None:
        """Wait until nothing is left, or one connection has ended, or the time has come."""
        while monotonic() < end and (connection is None or connection.state is State.OPEN):
            if self._server._wait_until_empty(min(end, self._next_drop())):
                return
            self._drop_strangers()

    def _next_drop(self) -> float:
        times = [self._begun + self._patience, *(when for when, _ in list(self._drops)[:1])]
        return min((when for when in times if when > monotonic()), default=self._end + _LAST_WORDS + 1)

    def _drop_strangers(self) -> None:
        """Drop who has sent no request, and who was refused and does not hang up."""
        now = monotonic()
        while self._drops and self._drops[0][0] <= now:
            self._drops.popleft()[1].abort()
        if now >= self._begun + self._patience:
            for connection in self._server._all():
                refused = connection.protocol.handshake_exc is not None
                if connection.request is None or (refused and not any(one is connection for _, one in self._drops)):
                    connection.abort()

    def _cut_off(self) -> int:
        """Abort all connections; give the number of handlers that still run."""
        running = self._server._cut_off()
        for connection in self._server._all():
            connection.abort()
        return running

    def _abandon(self) -> int:
        """Count the threads that nothing ends, and wait for them no more."""
        names = self._server._end()
        if names:
            text = f"{len(names)} threads of connections still run, though these have ended: {', '.join(names[:10])}"
            self._server.logger.error("%s", text)
        return len(names)


def _is_open(connection: ServerConnection) -> bool:
    """Tell whether the opening handshake has succeeded, and the connection has not ended yet."""
    return connection.state in (State.OPEN, State.CLOSING) and connection.protocol.handshake_exc is None
