"""Messages that wait for the application."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

# What may wait before reading is paused: bytes; the number of messages is a setting of uvicorn.
_MOST_BYTES = 1 << 20
# Stands for the first event, which holds nothing.
_CONNECT = ("", b"")


def _do_nothing() -> None:
    pass


class Inbox:
    """
    Keep messages in order, and what comes after the last one.

    Args:
        most: How many messages may wait before `full`; items.
        room: Called when there is room again, while `pressed` is set.
        handled: Called when the application waits for more and has everything, while `last` is set.

    Attributes:
        pressed: Whether ``room`` is to be called; set and reset by who waits for it.
        last: Whether ``handled`` is to be called, once; set by who waits for it.
    """

    __slots__ = ("_arrived", "_end", "_handled", "_items", "_most", "_room", "_size", "last", "pressed")

    def __init__(self, most: int, room: Callable[[], None], handled: Callable[[], None]) -> None:
        self._items: deque[tuple[str, str | bytes]] = deque([_CONNECT])
        self._size = 0
        self._most = max(most, 1)
        self._room = room
        self._handled = handled
        self._end: dict[str, Any] | None = None
        self._arrived = asyncio.Event()
        self.pressed = False
        self.last = False

    def __len__(self) -> int:
        """Count what waits, without the end."""
        return len(self._items)

    @property
    def full(self) -> bool:
        """Whether more waits than should."""
        return len(self._items) >= self._most or self._size >= _MOST_BYTES

    def put(self, key: str, data: str | bytes) -> None:
        """
        Add a message, unless the end has come: then nobody wants it any more.

        Args:
            key: ``"text"`` or ``"bytes"``.
            data: The message; kept.
        """
        if self._end is None:
            self._items.append((key, data))
            self._size += len(data)
            self._arrived.set()

    def end(self, code: int, reason: str) -> None:
        """
        Say what comes after the last message, for ever; only the first call counts.

        Args:
            code: Close code.
            reason: Close reason.
        """
        if self._end is None:
            self._end = {"type": "websocket.disconnect", "code": int(code), "reason": reason}
            self._arrived.set()

    def release(self) -> None:
        """Call nobody any more: there is no connection to read from, and what is called would keep its objects."""
        self.pressed = self.last = False
        self._room = self._handled = _do_nothing

    async def get(self) -> dict[str, Any]:
        """
        Take the next event, as soon as there is one; may be cancelled, and lose nothing.

        Returns:
            A new event of ASGI.
        """
        while not self._items:
            if self._end is not None:
                return self._end.copy()
            if self.last:
                self.last = False
                self._handled()  # this may be the end
            else:
                self._arrived.clear()
                await self._arrived.wait()
        return self._take()

    def _take(self) -> dict[str, Any]:
        key, data = self._items.popleft()
        if not key:
            return {"type": "websocket.connect"}
        self._size -= len(data)
        if self.pressed and len(self._items) <= self._most // 4 and self._size <= _MOST_BYTES // 4:
            self._room()
        return {"type": "websocket.receive", key: data}
