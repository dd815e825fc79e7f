"""The threads in which handlers run: used again, and limited in number."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count

# A thread without work ends after this time; seconds.
_PATIENCE = 10.0


class Workers:
    """
    Run functions in threads of their own.

    The threads are daemons: at the end of the program nobody waits for a handler that does not end.

    Args:
        limit: Largest number of threads; None for no limit.
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._mutex = threading.Lock()
        self._idle: list[_Worker] = []
        self._number = 0  # of threads that there are
        self._names = count(1)

    def run(self, call: Callable[[], object]) -> bool:
        """
        Run a function in a thread.

        Args:
            call: What to run; raises nothing.

        Returns:
            False if there are too many threads: nothing is run.
        """
        with self._mutex:
            worker = self._idle.pop() if self._idle else None
            if worker is None:
                if self._limit is not None and self._number >= self._limit:
                    return False
                self._number += 1
        if worker is not None:
            worker.give(call)
            return True
        worker = _Worker(self, call)
        try:
            threading.Thread(target=worker.work, name=f"twoway-handler-{next(self._names)}", daemon=True).start()
        except RuntimeError:  # the system has no more threads
            with self._mutex:
                self._number -= 1
            return False
        return True

    def _rest(self, worker: _Worker) -> None:
        with self._mutex:
            self._idle.append(worker)

    def _retire(self, worker: _Worker) -> bool:
        """Let a thread end; false if it has been given work meanwhile."""
        with self._mutex:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            self._number -= 1
            return True


class _Worker:
    """Be one thread."""

    __slots__ = ("_call", "_given", "_workers")

    def __init__(self, workers: Workers, call: Callable[[], object]) -> None:
        self._workers = workers
        self._call: Callable[[], object] | None = call
        self._given = threading.Lock()
        self._given.acquire()

    def give(self, call: Callable[[], object]) -> None:
        self._call = call
        self._given.release()

    def work(self) -> None:
        while self._call is not None:
            call, self._call = self._call, None
            call()
            del call  # it holds a connection
            self._workers._rest(self)
            while not self._given.acquire(timeout=_PATIENCE):
                if self._workers._retire(self):
                    return
