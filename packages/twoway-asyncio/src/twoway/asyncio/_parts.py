"""A message that is received in parts, and the items of one that is sent in parts."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from twoway.protocol import convert

if TYPE_CHECKING:
    from ._connection import Connection

_T = TypeVar("_T")


class Parts(AsyncIterator[Any]):
    """
    Iterate over the parts of one message.

    No generator: one that is left early lives on until the event loop comes round to close it, and nobody else
    could receive for so long. This ends with its last reference.

    Args:
        connection: Where the parts come from.
        decode: As in `Connection.recv`.
    """

    __slots__ = ("__weakref__", "_connection", "_decode", "_ended", "_first")

    def __init__(self, connection: Connection, decode: bool | None) -> None:
        self._connection = connection
        self._decode = decode
        self._first = True
        self._ended = False

    async def __anext__(self) -> Any:
        """Give the next part; any exception ends the iteration."""
        if self._ended:
            raise StopAsyncIteration
        try:
            part = await self._connection._next_part(self, self._first)
            data = convert(part.data, self._decode)
        except BaseException:
            self._end()
            raise
        self._first = False
        if part.final:
            self._end()
        return data

    async def aclose(self) -> None:
        """End the iteration; what is left of the message is skipped."""
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._connection._release(self)


class AsyncItems(AsyncIterator[_T], Generic[_T]):
    """
    Iterate asynchronously over what is at hand; unlike a generator, it needs nobody to close it.

    Args:
        items: What to iterate over.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[_T]) -> None:
        self._items = iter(items)

    async def __anext__(self) -> _T:
        """Give the next item."""
        for item in self._items:
            return item
        raise StopAsyncIteration


def check_parts(message: object) -> AsyncIterable[Any]:
    """
    Make the parts of a message ready to be sent.

    Args:
        message: What is to be sent and is no whole message.

    Returns:
        Its parts.

    Raises:
        TypeError: ``message`` is nothing that can be sent; a caller's bug.
    """
    if isinstance(message, Mapping):
        raise TypeError("message must not be a mapping: did you mean its keys, or a JSON text?")
    if isinstance(message, AsyncIterable):
        return message
    if isinstance(message, Iterable):
        return AsyncItems(message)
    raise TypeError(f"message must be str, bytes-like or an iterable of these, not {type(message).__name__}")
