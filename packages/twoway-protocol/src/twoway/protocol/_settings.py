"""Settings of drivers: what is no matter of the protocol, and yet the same for all of them."""

from __future__ import annotations

import sys
from typing import Any, Literal, TypeAlias

from twoway.frames import check_limit

from ._inbox import MaxQueue, check_marks
from ._options import LoggerLike

#: Default value of the ``User-Agent`` and ``Server`` headers.
USER_AGENT = f"Python/{sys.version_info[0]}.{sys.version_info[1]} twoway"

#: What sending does while the write buffer is over its limit.
SlowConsumer: TypeAlias = Literal["wait", "skip", "close"]

_POLICIES = ("wait", "skip", "close")


def make_settings(
    *,
    max_queue: MaxQueue,
    max_queue_bytes: int | None,
    write_limit: int | tuple[int, int | None],
    slow_consumer: SlowConsumer,
    logger: LoggerLike,
) -> dict[str, Any]:
    """
    Check what connections of a driver take, so that wrong settings surface before there is a connection.

    Args:
        max_queue: High-water mark, or high and low mark, of received messages that wait; None for no limit.
        max_queue_bytes: High-water mark of their size, text counted in characters; None for no limit.
        write_limit: High-water mark, or high and low mark, of bytes that wait to be written.
        slow_consumer: What sending does while the write buffer is over its limit: ``"wait"`` until it is not,
            ``"skip"`` the message, or ``"close"`` the connection with 1008.
        logger: Gets what happens.

    Returns:
        The arguments, by name.

    Raises:
        TypeError: An argument has the wrong type; a caller's bug.
        ValueError: An argument is out of range; a caller's bug.
    """
    check_marks("max_queue", max_queue)
    check_limit("max_queue_bytes", max_queue_bytes)
    check_write_limit(write_limit)
    if slow_consumer not in _POLICIES:
        raise ValueError(f"slow_consumer must be one of {', '.join(map(repr, _POLICIES))}, not {slow_consumer!r}")
    return {
        "max_queue": max_queue,
        "max_queue_bytes": max_queue_bytes,
        "write_limit": write_limit,
        "slow_consumer": slow_consumer,
        "logger": logger,
    }


def check_write_limit(value: int | tuple[int, int | None]) -> tuple[int, int | None]:
    """
    Check the limit of a write buffer.

    Args:
        value: High-water mark, or high and low mark; bytes.

    Returns:
        High and low mark; bytes.

    Raises:
        TypeError: ``value`` has the wrong type, None included; a caller's bug.
        ValueError: A mark is negative, or the low one above the high one; a caller's bug.
    """
    high, low = check_marks("write_limit", value)
    if high is None:
        raise TypeError("write_limit must be an int, or a pair that begins with one, not None")
    return high, low
