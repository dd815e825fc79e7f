"""Messages that wait for the application, and when there are too many of them."""

from __future__ import annotations

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
        max_bytes: Size of the items, text counted in characters, at which reading should stop; it should go on at a
            quarter of it. None for no limit.

    Attributes:
        wanted: Whether somebody waits for the next message; then fragments do not count as too many.

    Raises:
        TypeError: An argument is not made of integers and None; a caller's bug.
        ValueError: A mark is negative, or the low one above the high one; a caller's bug.
    """

    __slots__ = ("_arrived", "_bytes", "_complete", "_high", "_low", "_max_bytes", "_next", "wanted")

    def __init__(self, max_queue: MaxQueue = 16, max_bytes: int | None = None) -> None:
        self._high, self._low = check_marks("max_queue", max_queue)
        self._max_bytes, _ = check_marks("max_bytes", max_bytes)
        # A queue of two lists: an empty deque would take more memory than all the rest of an idle connection's inbox.
        self._arrived: list[str | bytes | Fragment] = []
        self._next: list[str | bytes | Fragment] = []  # the next item is the last one
        self._bytes = 0
        self._complete = 0
        self.wanted: bool = False

    def __len__(self) -> int:
        return len(self._arrived) + len(self._next)

    @property
    def full(self) -> bool:
        """Whether reading should stop."""
        many = self._high is not None and len(self._arrived) + len(self._next) >= self._high
        large = self._max_bytes is not None and self._bytes >= self._max_bytes
        return (many or large) and (not self.wanted or self._complete > 0)

    @property
    def low(self) -> bool:
        """Whether reading should go on."""
        few = self._low is None or len(self) <= self._low
        small = self._max_bytes is None or self._bytes <= self._max_bytes // 4
        return (few and small) or (self.wanted and not self._complete)

    def put(self, item: str | bytes | Fragment) -> None:
        """
        Add what has arrived.

        Args:
            item: A whole message, or a part of one; kept.
        """
        self._arrived.append(item)
        if self._max_bytes is not None:
            self._bytes += _size(item)
        if item.__class__ is not Fragment or item.final:
            self._complete += 1

    def get(self) -> str | bytes | None:
        """
        Take the next whole message; what is left of one that was read in part is discarded.

        Returns:
            The message, its fragments joined, or None when none is complete.
        """
        while self._complete:
            self._complete -= 1
            item = self._pop()
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
        while self._arrived or self._next:
            item = self._pop()
            part = item if isinstance(item, Fragment) else Fragment(item, True, True)
            if part.final:
                self._complete -= 1
            if part.first or not first:
                return part
        return None

    def clear(self) -> None:
        """Discard everything."""
        self._arrived.clear()
        self._next.clear()
        self._bytes = self._complete = 0

    def _pop(self) -> str | bytes | Fragment:
        if not self._next:
            self._next, self._arrived = self._arrived, self._next
            self._next.reverse()
        item = self._next.pop()
        if self._max_bytes is not None:
            self._bytes -= _size(item)
        return item

    def _join(self, part: Fragment) -> str | bytes:
        parts = [part.data]
        while not part.final:
            following = self._pop()
            assert isinstance(following, Fragment)  # nothing stands between the parts of a message
            part = following
            parts.append(part.data)
        return "".join(parts) if isinstance(parts[0], str) else b"".join(parts)  # type: ignore[arg-type]


def _size(item: str | bytes | Fragment) -> int:
    return len(item.data if isinstance(item, Fragment) else item)


def convert(data: str | bytes, decode: bool | None) -> str | bytes:
    """
    Give a message, or a part of one, as the caller wants it.

    Args:
        data: What was received.
        decode: True for ``str``, False for ``bytes``, None for what it is.

    Returns:
        ``str`` or ``bytes``.

    Raises:
        UnicodeDecodeError: ``decode`` is True and ``data`` is not UTF-8.
    """
    if decode is None:
        return data
    if decode:
        return data if isinstance(data, str) else data.decode()
    return data.encode() if isinstance(data, str) else data


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
