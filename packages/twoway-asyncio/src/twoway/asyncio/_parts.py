"""A message that is received in parts, and the items of one that is sent in parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
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
