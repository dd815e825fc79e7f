"""Connecting again and again: which failures pass, how long to wait, and the iterator that does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from twoway.protocol import Cause, InvalidHandshake, InvalidStatus, check_seconds

if TYPE_CHECKING:
    from ._client import ClientConnection, connect

#: Told what an exception means: None to try again, an exception to give up with.
ProcessException: TypeAlias = Callable[[Exception], Exception | None]

# No wait of ours is longer, whatever the server asks for; seconds.
_MAX_DELAY = 90.0
# Answers of a server, or of a proxy before it, that is overloaded or not up yet (RFC 9110 §15.6, RFC 6585 §4).
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
# The next connection need not wait when one of these ended the last one.
_OWN_WISHES = (Cause.LOCAL_CLOSE, Cause.ABORTED)


def backoff(*, initial_delay: float = 5.0, max_delay: float = _MAX_DELAY, factor: float = 1.618) -> Iterator[float]:
    """
    Give the times to wait between attempts: random, below a bound that grows.

    Args:
        initial_delay: Bound of the first time; seconds, > 0.
        max_delay: What the bound never exceeds; seconds, > 0.
        factor: What the bound is multiplied by each time; >= 1.

    Returns:
        An iterator without end; seconds.

    Raises:
        TypeError: An argument is no number; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.

    Spec:
        RFC 6455 §7.2.3: the first attempt after a random time between 0 and 5 seconds, then longer ones.
    """
    for name, value in (("initial_delay", initial_delay), ("max_delay", max_delay), ("factor", factor)):
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise TypeError(f"{name} must be a number, not {type(value).__name__}")
        check_seconds(name, value, positive=True)
    if factor < 1:
        raise ValueError(f"factor must be >= 1, not {factor}")
    return _delays(initial_delay, max_delay, factor)


def _delays(bound: float, limit: float, factor: float) -> Iterator[float]:
    from random import random  # few programs reconnect, and it takes time to import

    while True:
        bound = min(bound, limit)
        yield random() * bound
        bound *= factor


def process_exception(exc: Exception) -> Exception | None:
    """
    Tell which failures to connect may pass by themselves.

    These do: all of the operating system, timeouts and TLS included; a server that hangs up in the opening
    handshake; HTTP status 429, 500, 502, 503 and 504.

    Args:
        exc: Why an attempt failed.

    Returns:
        None to try again, or ``exc`` to give up.
    """
    if isinstance(exc, OSError):  # TimeoutError is one
        return None
    if isinstance(exc, InvalidStatus):
        return None if exc.response.status_code in _TRANSIENT else exc
    if isinstance(exc, InvalidHandshake) and _has_lost_connection(exc):
        return None
    return exc


def _has_lost_connection(exc: BaseException) -> bool:
    cause = exc.__cause__
    return cause is not None and (isinstance(cause, (EOFError, OSError)) or _has_lost_connection(cause))


def read_retry_after(exc: BaseException | None) -> float:
    """
    Read how long a server that refused asks to wait.

    Args:
        exc: Why an attempt failed.

    Returns:
        Seconds, 0 to 90; 0 when it does not ask, or not in seconds.

    Spec:
        RFC 9110 §10.2.3.
    """
    if not isinstance(exc, InvalidStatus):
        return 0.0
    values = exc.response.headers.get_all("Retry-After")
    if len(values) != 1 or not (values[0].isascii() and values[0].isdigit()):
        return 0.0
    return min(float(values[0]), _MAX_DELAY)


@dataclass(frozen=True, slots=True)
class Policy:
    """
    Say how to go on after a failure.

    Args:
        process_exception: Tells which failures to connect are final.
        reconnect_delays: Called for the times to wait; seconds. An iterator that ends ends the attempts.
        max_attempts: Largest number of attempts that fail one after the other; None for no limit.

    Raises:
        TypeError: An argument has the wrong type; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.
    """

    process_exception: ProcessException = process_exception
    reconnect_delays: Callable[[], Iterator[float]] = backoff
    max_attempts: int | None = None

    def __post_init__(self) -> None:
        for name in ("process_exception", "reconnect_delays"):
            if not callable(getattr(self, name)):
                raise TypeError(f"{name} must be callable, not {type(getattr(self, name)).__name__}")
        if self.max_attempts is None:
            return
        if not isinstance(self.max_attempts, int) or isinstance(self.max_attempts, bool):
            raise TypeError(f"max_attempts must be an int or None, not {type(self.max_attempts).__name__}")
        if self.max_attempts < 1:
            raise ValueError(f"max_attempts must be >= 1, or None for no limit, not {self.max_attempts}")

    def permits(self, exc: Exception) -> bool:
        """
        Tell whether an attempt may be repeated.

        Args:
            exc: Why it failed.

        Returns:
            False to give up with ``exc``.

        Raises:
            Exception: `process_exception` wants to give up with this one.
        """
        final = self.process_exception(exc)
        try:
            if final is None or final is exc:
                return final is None
            raise final from exc
        finally:
            del final, exc  # exceptions with this frame in their tracebacks


class Reconnections(AsyncIterator["ClientConnection"]):
    """
    Give one connection after the other.

    No generator: when a loop is left, its last reference goes, and the connection begins to close right then.

    Args:
        connector: Makes the connections.
        policy: How to go on after a failure.
    """

    def __init__(self, connector: connect, policy: Policy) -> None:
        self._connector = connector
        self._policy = policy
        self._connection: ClientConnection | None = None
        self._delays: Iterator[float] | None = None  # None after a connection was open
        self._failures = 0  # one after the other

    async def __anext__(self) -> ClientConnection:
        """Close the connection that there is, and connect."""
        await self._leave()
        while True:
            try:
                self._connection = await self._connector._connect()
            except Exception as exc:
                delay = self._delay_after_failure(exc)
                if delay is None:
                    raise
                self._connector._announce(f"connecting failed ({_show(exc)}); next attempt in {delay:.1f} s", exc)
            else:
                self._delays = None
                self._failures = 0
                return self._connection
            await asyncio.sleep(delay)

    async def aclose(self) -> None:
        """Close the connection that there is, and wait until it is closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def __del__(self) -> None:
        if self._connection is not None:
            self._connection._close_in_background()

    async def _leave(self) -> None:
        """Close the connection; if it is not we who ended it, wait before the next one (RFC 6455 §7.2.3)."""
        connection = self._connection
        await self.aclose()
        if connection is None or connection.protocol.cause in _OWN_WISHES:
            return
        exc = connection.protocol.close_exc
        del connection
        try:
            delay = self._next_delay()
            if delay is None:
                raise exc
            self._connector._announce(f"connection lost ({_show(exc)}); next attempt in {delay:.1f} s", exc)
        finally:
            del exc  # else it would hold itself, by its traceback
        await asyncio.sleep(delay)

    def _delay_after_failure(self, exc: Exception) -> float | None:
        """Give the time to wait; None to give up."""
        try:
            self._failures += 1
            if not self._policy.permits(exc) or self._failures == self._policy.max_attempts:
                return None
            delay = self._next_delay()
            return None if delay is None else max(delay, read_retry_after(exc))
        finally:
            del exc  # what is raised here may be this one

    def _next_delay(self) -> float | None:
        if self._delays is None:
            self._delays = iter(self._policy.reconnect_delays())
        delay = next(self._delays, None)
        check_seconds("reconnect_delays", delay)
        return delay


def _show(exc: BaseException) -> str:
    """Describe an exception in one line; what a peer has put into it is escaped."""
    return f"{type(exc).__name__}: {ascii(str(exc))[1:-1]}"
