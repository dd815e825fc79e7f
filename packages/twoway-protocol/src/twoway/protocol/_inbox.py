"""Messages that wait for the application, and when there are too many of them."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

from twoway.frames import Fragment, check_limit

from ._checks import check_pair

#: High-water mark, or high- and low-water mark; items, None for no limit.
MaxQueue: TypeAlias = int | tuple[int | None, int | None] | None


class Inbox:
    """
    Queue whole messages and fragments between the network and the application.

    Holds no lock and waits for nothing: what waits, and how, is the integrator's.

    Args:
        max_queue: Items at which reading should stop, and at which it should go on; one number stands for both,
            the second being a quarter of it. None for no limit.

    Attributes:
        wanted: Whether somebody waits for the next message; then fragments do not count as too many.

    Raises:
        TypeError: ``max_queue`` is not made of integers and None; a caller's bug.
        ValueError: A mark is negative, or the low one above the high one; a caller's bug.
    """

    __slots__ = ("_complete", "_high", "_items", "_low", "wanted")

    def __init__(self, max_queue: MaxQueue = 16) -> None:
        self._high, self._low = check_marks("max_queue", max_queue)
        self._items: deque[str | bytes | Fragment] = deque()
        self._complete = 0
        self.wanted: bool = False

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        """Whether reading should stop."""
        if self._high is None or len(self._items) < self._high:
            return False
        return not self.wanted or self._complete > 0

    @property
    def low(self) -> bool:
        """Whether reading should go on."""
        return self._low is None or len(self._items) <= self._low or (self.wanted and not self._complete)

    def put(self, item: str | bytes | Fragment) -> None:
        """
        Add what has arrived.

        Args:
            item: A whole message, or a part of one; kept.
        """
        self._items.append(item)
        if item.__class__ is not Fragment or item.final:
            self._complete += 1

    def get(self) -> str | bytes | None:
        """
        Take the next whole message; what is left of one that was read in part is discarded.

        Returns:
            The message, its fragments joined, or None when none is complete.
        """
        items = self._items
        while self._complete:
            self._complete -= 1
            item = items.popleft()
            if not isinstance(item, Fragment):
                return item
            message = self._join(item)
            if item.first:
                return message
        return None

    def get_fragment(self, first: bool) -> Fragment | None:
        """
        Take the next part of a message; a whole message is one part.

        Args:
            first: Whether a new message is to be begun; what is left of the one before is discarded.

        Returns:
            The part, or None when none has arrived.
        """
        items = self._items
        while items:
            item = items.popleft()
            part = item if isinstance(item, Fragment) else Fragment(item, True, True)
            if part.final:
                self._complete -= 1
            if part.first or not first:
                return part
        return None

    def clear(self) -> None:
        """Discard everything."""
        self._items.clear()
        self._complete = 0

    def _join(self, part: Fragment) -> str | bytes:
        parts = [part.data]
        while not part.final:
            following = self._items.popleft()
            assert isinstance(following, Fragment)  # nothing stands between the parts of a message
            part = following
            parts.append(part.data)
        return "".join(parts) if isinstance(parts[0], str) else b"".join(parts)  # type: ignore[arg-type]


def check_marks(name: str, value: MaxQueue, divisor: int = 4) -> tuple[int | None, int | None]:
    """
    Check an argument that is a high-water mark, or a pair of marks.

    Args:
        name: Name of the argument, for the error.
        value: High mark, or high and low mark; None for no limit.
        divisor: What a missing low mark is the high mark divided by.

    Returns:
        High and low mark.

    Raises:
        TypeError: ``value`` has the wrong type; a caller's bug.
        ValueError: A mark is negative, or the low one above the high one; a caller's bug.
    """
    high, low = check_pair(name, value)
    check_limit(name, high)
    check_limit(name, low)
    if high is None:
        return None, None
    if low is None:
        low = high // divisor
    if low > high:
        raise ValueError(f"{name} must have a low mark of at most the high mark, not {low} above {high}")
    return high, low
