"""One opening handshake at a time for each address and port."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakValueDictionary

from ._waiting import Deadline


class _Turn:
    """Be the lock of one address; those of the standard library cannot be referred to weakly."""

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()


# Locks last as long as somebody holds them or waits for them.
_turns: WeakValueDictionary[object, _Turn] = WeakValueDictionary()
_mutex = threading.Lock()


@contextmanager
def take_turn(address: Any, deadline: Deadline) -> Iterator[None]:
    """
    Wait until nobody else is connecting to the same address and port.

    Args:
        address: As from ``socket.getpeername``; None waits for nobody.
        deadline: When to give up.

    Returns:
        A context that is to be left when the handshake is over.

    Raises:
        TimeoutError: The time is over.

    Spec:
        RFC 6455 §4.1 item 2.
    """
    if address is None:
        yield
        return
    key = _key(address)
    with _mutex:
        turn = _turns.get(key)
        if turn is None:
            turn = _turns[key] = _Turn()
    left = deadline.left()
    if not turn.lock.acquire(timeout=-1 if left is None else left):
        raise TimeoutError("timed out")
    try:
        yield
    finally:
        turn.lock.release()


def _key(address: Any) -> Any:
    """Give the IP address, with the zone if there is one, and the port; or the path of a Unix socket."""
    if isinstance(address, (str, bytes)):
        return address
    host, port = address[:2]
    return host.partition("%")[0], port, address[3] if len(address) > 3 else 0


def _after_fork() -> None:
    """Begin anew in a child process: threads that are not there may have held the locks."""
    global _mutex  # noqa: PLW0603
    _mutex = threading.Lock()
    _turns.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
