"""Waiting for sockets and other threads, for a limited time, and such that Ctrl-C ends it."""

from __future__ import annotations

import math
import select
import socket
import sys
from collections.abc import Callable
from threading import Condition
from time import monotonic

# Where the system does not let a signal end a wait, waits are cut into pieces; seconds.
_SLICE = 0.2 if sys.platform == "win32" else None
_HAS_POLL = hasattr(select, "poll")  # not on Windows


class Deadline:
    """
    Be the time until which a call may wait.

    Args:
        timeout: Seconds from now; None for no limit.
    """

    __slots__ = ("at",)

    def __init__(self, timeout: float | None) -> None:
        self.at = None if timeout is None else monotonic() + timeout

    def left(self) -> float | None:
        """
        Give what is left of the time.

        Returns:
            Seconds, >= 0; None for no limit.
        """
        return None if self.at is None else max(self.at - monotonic(), 0.0)

    def check(self) -> None:
        """
        Raise when there is nothing left.

        Raises:
            TimeoutError: The time is over.
        """
        if self.at is not None and monotonic() >= self.at:
            raise TimeoutError("timed out")


#: No limit.
FOREVER = Deadline(None)


def readable(sock: socket.socket) -> Callable[[float | None], object]:
    """
    Make a function that waits until a socket can be read.

    Args:
        sock: The socket; its descriptor is remembered.

    Returns:
        A function of the time to wait, in seconds, None for ever; false when the time is over. One thread at a time
        may call it.
    """
    return _waiter(sock, reading=True)


def writable(sock: socket.socket) -> Callable[[float | None], object]:
    """
    Make a function that waits until a socket can be written, or is connected.

    Args:
        sock: The socket; its descriptor is remembered.

    Returns:
        As for `readable`.
    """
    return _waiter(sock, reading=False)


def _waiter(sock: socket.socket, reading: bool) -> Callable[[float | None], object]:
    if not _HAS_POLL:
        return _select_waiter(sock, reading)
    poller = select.poll()
    poller.register(sock, select.POLLIN if reading else select.POLLOUT)
    poll = poller.poll

    def wait(timeout: float | None) -> object:
        return poll() if timeout is None else poll(math.ceil(timeout * 1000))

    return wait


def _select_waiter(sock: socket.socket, reading: bool) -> Callable[[float | None], object]:
    read = [sock] if reading else []
    write = [] if reading else [sock]  # Windows reports a failure to connect among the exceptional ones

    def wait(timeout: float | None) -> object:
        deadline = Deadline(timeout)
        while True:
            left = deadline.left()
            ready = select.select(read, write, write, _cut(left))
            if any(ready) or left == 0:
                return any(ready)

    return wait


def wait_on(condition: Condition, done: Callable[[], object], deadline: Deadline) -> bool:
    """
    Wait until something is the case.

    Args:
        condition: Notified when it may be; its lock is held.
        done: Tells whether it is.
        deadline: When to give up.

    Returns:
        False when the time is over.
    """
    while not done():
        left = deadline.left()
        if left == 0:
            return False
        condition.wait(_cut(left))
    return True


def _cut(timeout: float | None) -> float | None:
    if _SLICE is None or (timeout is not None and timeout < _SLICE):
        return timeout
    return _SLICE
