"""Keepalive and heartbeat: when to ping, and when the peer is gone. Time is an argument."""

from __future__ import annotations

import math
import os
from enum import Enum

from ._errors import InvalidState

#: When no byte has come.
NEVER = -math.inf
#: A deadline that is handled later than this was missed by us, not by the peer; seconds.
LATE = 0.1
#: Pings that may wait for their pongs; a peer that never answers costs no more memory than that.
MAX_PENDING_PINGS = 1024


class Verdict(Enum):
    """Say what is to be done when a deadline has come."""

    NOTHING = 0
    PING = 1
    VANISHED = 2


class Keepalive:
    """
    Decide when to ping and when to give up.

    A peer is alive if any byte of it came after the last ping. While our own side does not read, and for as long
    as our own timer was late, the peer has no chance to show life: that time does not count.

    Args:
        interval: From one ping to the next; seconds, None for no pings.
        timeout: From a ping to a sign of life; seconds, None to wait for ever.
    """

    __slots__ = ("_credit", "_interval", "_overdue_first", "_paused_at", "_pending", "_sent", "_timeout", "received_at")

    def __init__(self, interval: float | None, timeout: float | None) -> None:
        self._interval = math.inf if interval is None else interval
        self._timeout = math.inf if timeout is None else timeout
        #: When the last byte since the last ping came, None if none has; set by the owner before `check`.
        self.received_at: float | None = None
        self._sent = math.inf  # when the last ping was, or the start
        self._pending = False  # that ping has not been answered, as far as was looked
        self._overdue_first = False  # the next ping was due, but the last one is still unanswered
        self._paused_at: float | None = None
        self._credit = 0.0  # time since the ping that does not count

    def start(self, now: float) -> None:
        """Begin when the connection opens."""
        self._sent = now

    def pause(self, now: float) -> None:
        """Stop the clock: we do not read."""
        if self._paused_at is None:
            self._paused_at = now

    def resume(self, now: float) -> None:
        """Go on: we read again."""
        if self._paused_at is not None:
            self._credit += now - self._paused_at
            self._paused_at = None

    def next_deadline(self) -> float:
        """Say when `check` wants to be called; infinity for never."""
        due = self._sent + self._interval
        if not self._pending:
            return due
        return self._overdue() if self._overdue_first else min(due, self._overdue())

    def check(self, now: float) -> tuple[Verdict, float]:
        """Judge the situation; also tells by how many seconds the timer was late when that matters."""
        if now < self.next_deadline():
            return Verdict.NOTHING, 0.0
        if self._pending and self.received_at is not None:
            self._pending = self._overdue_first = False
        overdue = self._overdue()
        if now >= overdue:
            lag = now - overdue
            if lag <= LATE:
                return Verdict.VANISHED, 0.0
            # Bytes may wait in the socket that nobody had time to read: look again after they could be.
            self._credit += lag + LATE
            return Verdict.NOTHING, lag
        if now < self._sent + self._interval:
            return Verdict.NOTHING, 0.0
        if self._pending and self._timeout < math.inf:
            self._overdue_first = True  # one unanswered ping is enough to judge the peer
            return Verdict.NOTHING, 0.0
        self._pending, self._sent, self._credit, self.received_at = True, now, 0.0, None
        if self._paused_at is not None:
            self._paused_at = now
        return Verdict.PING, 0.0

    def _overdue(self) -> float:
        if not self._pending or self._paused_at is not None:
            return math.inf
        return self._sent + self._timeout + self._credit


class PendingPings:
    """
    Remember pings until they are answered; the answer to one is an answer to those before it.

    Spec:
        RFC 6455 §5.5.3.
    """

    __slots__ = ("_sent",)

    def __init__(self) -> None:
        self._sent: dict[bytes, float] = {}

    def add(self, data: bytes | None, now: float, limit: bool = True) -> bytes:
        """
        Remember a ping; None picks data that no pending ping has.

        Raises ValueError for data in use, and with `limit` InvalidState when too many pings wait.
        """
        if limit and len(self._sent) >= MAX_PENDING_PINGS:
            raise InvalidState(f"{MAX_PENDING_PINGS} pings wait for their pongs already")
        if data is None:
            data = os.urandom(4)
            while data in self._sent:
                data = os.urandom(4)
        elif data in self._sent:
            raise ValueError("data must differ from that of every ping that waits for its pong")
        self._sent[data] = now
        return data

    def forget(self, data: bytes) -> None:
        """Stop waiting for the answer to a ping."""
        self._sent.pop(data, None)

    def acknowledge(self, data: bytes, now: float) -> list[tuple[bytes, float]]:
        """Take a pong; give data and latency in seconds of all the pings that it answers, oldest first."""
        answered = []
        while data in self._sent:
            oldest = next(iter(self._sent))
            answered.append((oldest, now - self._sent.pop(oldest)))
        return answered
