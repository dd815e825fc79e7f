"""Connecting again and again: which failures pass, and how long to wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from twoway.frames import Record

from ._checks import check_count, check_seconds
from ._errors import InvalidHandshake, InvalidStatus
from ._proxy_errors import InvalidProxyStatus, ProxyError
from ._state import Cause

#: Told what an exception means: None to try again, an exception to give up with.
ProcessException: TypeAlias = Callable[[Exception], Exception | None]

# No wait of ours is longer, whatever the server asks for; seconds.
_MAX_DELAY = 90.0
# Answers of a server, or of a proxy before it, that is overloaded or not up yet (RFC 9110 §15.6, RFC 6585 §4).
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
#: Causes after which the next connection need not wait: this side wanted the last one to end.
OWN_WISHES = frozenset({Cause.LOCAL_CLOSE, Cause.ABORTED})


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

    These do: all of the operating system, timeouts and TLS included; a server or proxy that hangs up in the opening
    handshake; HTTP status 429, 500, 502, 503 and 504 of either; a proxy that cannot be reached, or one for SOCKS that
    cannot reach the server.

    Args:
        exc: Why an attempt failed.

    Returns:
        None to try again, or ``exc`` to give up.
    """
    if isinstance(exc, OSError):  # TimeoutError is one
        return None
    if isinstance(exc, (InvalidStatus, InvalidProxyStatus)):
        return None if exc.response.status_code in _TRANSIENT else exc
    if isinstance(exc, ProxyError) and exc.transient:
        return None
    if isinstance(exc, InvalidHandshake) and _has_lost_connection(exc):
        return None
    return exc


def _has_lost_connection(exc: BaseException) -> bool:
    cause = exc.__cause__
    return cause is not None and (isinstance(cause, (EOFError, OSError)) or _has_lost_connection(cause))


def read_retry_after(exc: BaseException | None) -> float:
    """
    Read how long a server, or a proxy, that refused asks to wait.

    Args:
        exc: Why an attempt failed.

    Returns:
        Seconds, 0 to 90; 0 when it does not ask, or not in seconds.

    Spec:
        RFC 9110 §10.2.3.
    """
    if not isinstance(exc, (InvalidStatus, InvalidProxyStatus)):
        return 0.0
    values = exc.response.headers.get_all("Retry-After")
    if len(values) != 1 or not (values[0].isascii() and values[0].isdigit()):
        return 0.0
    return min(float(values[0]), _MAX_DELAY)


class Policy(Record):
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

    __slots__ = ("process_exception", "reconnect_delays", "max_attempts")

    process_exception: ProcessException
    reconnect_delays: Callable[[], Iterator[float]]
    max_attempts: int | None

    def __init__(
        self,
        process_exception: ProcessException = process_exception,
        reconnect_delays: Callable[[], Iterator[float]] = backoff,
        max_attempts: int | None = None,
    ) -> None:
        for name, value in (("process_exception", process_exception), ("reconnect_delays", reconnect_delays)):
            if not callable(value):
                raise TypeError(f"{name} must be callable, not {type(value).__name__}")
        check_count("max_attempts", max_attempts)
        super().__init__(process_exception, reconnect_delays, max_attempts)

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


class Retries:
    """
    Count the attempts of one who connects again and again, and say how long to wait before the next.

    Args:
        policy: How to go on after a failure; kept.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._delays: Iterator[float] | None = None  # None after a connection was open
        self._failures = 0  # one after the other

    def connected(self) -> None:
        """Take note that a connection is open: failures and delays begin anew."""
        self._delays = None
        self._failures = 0

    def failed(self, exc: Exception) -> float | None:
        """
        Say what to do after an attempt that failed.

        Args:
            exc: Why it failed; not kept.

        Returns:
            How long to wait before the next attempt; seconds. None to give up with ``exc``.

        Raises:
            Exception: What `Policy.process_exception` wants to give up with, or raised itself.
            TypeError: A delay of the caller is not a number; a caller's bug.
            ValueError: A delay of the caller is out of range; a caller's bug.
        """
        try:
            self._failures += 1
            if not self._policy.permits(exc) or self._failures == self._policy.max_attempts:
                return None
            delay = self._next_delay()
            return None if delay is None else max(delay, read_retry_after(exc))
        finally:
            del exc  # what is raised here may be this one

    def lost(self, cause: Cause | None) -> float | None:
        """
        Say what to do after a connection that was open.

        Args:
            cause: Why it ended.

        Returns:
            How long to wait before the next attempt; seconds, 0 after one of `OWN_WISHES`. None to give up.

        Raises:
            TypeError: A delay of the caller is not a number; a caller's bug.
            ValueError: A delay of the caller is out of range; a caller's bug.

        Spec:
            RFC 6455 §7.2.3.
        """
        return 0.0 if cause in OWN_WISHES else self._next_delay()

    def _next_delay(self) -> float | None:
        if self._delays is None:
            self._delays = iter(self._policy.reconnect_delays())
        delay = next(self._delays, None)
        check_seconds("reconnect_delays", delay)
        return delay


def describe_error(exc: BaseException) -> str:
    """
    Describe an exception in one line of a log.

    Args:
        exc: Not kept.

    Returns:
        Its type and text; what a peer may have put into it is escaped.
    """
    return f"{type(exc).__name__}: {ascii(str(exc))[1:-1]}"
