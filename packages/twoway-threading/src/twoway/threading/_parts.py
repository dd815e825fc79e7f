"""A message that is received in parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from twoway.protocol import convert

if TYPE_CHECKING:
    from ._connection import Connection


class Parts(Iterator[Any]):
    """
    Iterate over the parts of one message.

    Args:
        connection: Where the parts come from.
        decode: As in `Connection.recv`.
        timeout: For each part; seconds, None for no limit.
    """

    __slots__ = ("__weakref__", "_connection", "_decode", "_ended", "_first", "_timeout")

    def __init__(self, connection: Connection, decode: bool | None, timeout: float | None) -> None:
        self._connection = connection
        self._decode = decode
        self._timeout = timeout
        self._first = True
        self._ended = False

    def __next__(self) -> Any:
        """Give the next part; any exception but a timeout ends the iteration."""
        if self._ended:
            raise StopIteration
        inbox = self._connection._inbox
        try:
            part = self._connection._receive(lambda: inbox.get_fragment(self._first), self._timeout, self)
            data = convert(part.data, self._decode)
        except TimeoutError:
            raise
        except BaseException:
            self._end()
            raise
        self._first = False
        if part.final:
            self._end()
        return data

    def close(self) -> None:
        """End the iteration; what is left of the message is skipped."""
        self._end()

    def _end(self) -> None:
        self._ended = True
        self._connection._release_parts(self)
