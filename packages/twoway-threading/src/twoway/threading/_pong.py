"""What a ping gives: something to wait on for its answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from twoway.protocol import check_seconds

from ._waiting import Deadline

if TYPE_CHECKING:
    from ._connection import Connection


class Pong:
    """
    Wait for the answer to a ping; `Connection.ping` makes it.

    Args:
        connection: Where the ping was sent.
        ack_on_close: Whether the end of the connection counts as an answer.

    Attributes:
        latency: Time between ping and pong; seconds, NaN when the connection has ended first, None before.
    """

    __slots__ = ("_ack_on_close", "_connection", "_failed", "latency")

    def __init__(self, connection: Connection, ack_on_close: bool) -> None:
        self._connection = connection
        self._ack_on_close = ack_on_close
        self._failed = False
        self.latency: float | None = None

    def done(self) -> bool:
        """
        Tell whether the pong has come, or never will.

        Returns:
            True if `wait` does not wait.
        """
        return self.latency is not None

    def wait(self, timeout: float | None = None) -> float:
        """
        Wait for the pong.

        Args:
            timeout: Seconds; None waits for ever.

        Returns:
            Time between ping and pong; seconds.

        Raises:
            ConnectionClosed: The connection was closed before.
            TimeoutError: The time is over; the pong may still come.

        Spec:
            RFC 6455 §5.5.3.
        """
        check_seconds("timeout", timeout)
        if not self._connection._wait(self.done, Deadline(timeout)):
            raise TimeoutError("no pong in time")
        if self._failed:
            raise self._connection.protocol.close_exc
        assert self.latency is not None
        return self.latency

    def fail(self) -> None:
        """Take note that the connection has ended before the pong."""
        self._failed = not self._ack_on_close
        self.latency = math.nan
