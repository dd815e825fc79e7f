"""Clients that stay connected to a server that may be killed at any time, and put it under load."""

from __future__ import annotations

import asyncio
import threading
from itertools import count
from typing import Any

import twoway.asyncio
import twoway.threading

from .workload import say

# A client that comes back at once would meet the old server; seconds.
_WAIT = 0.05
#: So many messages are under way at a time.
WINDOW = 20
SIZE = 2000
#: A server that has stopped is noticed in the sum of the first two; seconds.
LIMITS: dict[str, Any] = {"ping_interval": 0.5, "ping_timeout": 2, "open_timeout": 3, "close_timeout": 3}


class Load:
    """
    Make messages, and check that they are echoed one after the other.

    Args:
        name: Of the client.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._due = 0
        self.problem = ""

    def message(self, number: int) -> str:
        """Make a message."""
        return f"{self._name} {number}".ljust(SIZE)

    def note(self, message: Any) -> None:
        """Compare an echo with the one that is due."""
        if message != self.message(self._due) and not self.problem:
            self.problem = f"instead of echo {self._due} came {message[:30]!r}"
        self._due += 1
        if self._due == WINDOW:
            say({"loaded": self._name})

    def lost(self, exc: Any) -> None:
        """Tell the test how the connection ended."""
        say(
            {
                "lost": {
                    "client": self._name,
                    "kind": type(exc).__name__,
                    "cause": exc.cause.name,
                    "code": exc.code,
                    "echoed": self._due,
                    "problem": self.problem,
                }
            }
        )


def delays() -> Any:
    """Wait for a short time, again and again."""
    return (_WAIT for _ in count())


async def stay_connected(uri: str, name: str) -> None:
    """Connect again and again, with `twoway.asyncio`."""
    async for connection in twoway.asyncio.connect(uri, reconnect_delays=delays, **LIMITS):
        load = Load(name)
        try:
            for number in count():
                await connection.send(load.message(number))
                if number >= WINDOW:
                    load.note(await connection.recv())
        except twoway.asyncio.ConnectionClosed as exc:
            load.lost(exc)


def stay_connected_in_thread(uri: str, name: str) -> None:
    """Connect again and again, with `twoway.threading`."""
    for connection in twoway.threading.connect(uri, reconnect_delays=delays, **LIMITS):
        load = Load(name)
        try:
            for number in count():
                connection.send(load.message(number))
                if number >= WINDOW:
                    load.note(connection.recv())
        except twoway.threading.ConnectionClosed as exc:
            load.lost(exc)


async def run_in_tasks(uri: str, names: list[str]) -> None:
    """Run clients with `twoway.asyncio` for ever."""
    await asyncio.gather(*(stay_connected(uri, name) for name in names))


def run_in_threads(uri: str, names: list[str]) -> None:
    """Run clients with `twoway.threading` for ever."""
    for name in names:
        threading.Thread(target=stay_connected_in_thread, args=(uri, name)).start()
