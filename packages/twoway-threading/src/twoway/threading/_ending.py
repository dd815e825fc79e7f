"""Telling of the end of a connection."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import RLock, Thread


class Ending:
    """
    Tell of the end of a connection, once: the first thread that comes does, and others wait for that.

    Args:
        tell: Does it; may wait for anything.
    """

    __slots__ = ("_lock", "_tell")

    def __init__(self, tell: Callable[[], object]) -> None:
        self._lock = RLock()  # who is told may come here again
        self._tell: Callable[[], object] | None = tell

    def tell(self) -> None:
        """Tell, if nobody has done so."""
        with self._lock:
            tell, self._tell = self._tell, None
            if tell is not None:
                tell()

    def tell_in_a_thread(self) -> None:
        """Do that for the I/O thread, which must not wait: who is told may close another connection, and need it."""
        with suppress(RuntimeError):  # the program is about to end, and has no more threads
            Thread(target=self.tell, name="twoway-state", daemon=True).start()
