"""The I/O thread: one for the process, it watches the sockets that no other thread is reading."""

from __future__ import annotations

import logging
import os
import selectors
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from heapq import heapify, heappop, heappush
from itertools import count
from socket import socket as Socket  # a name of its own beside the attribute
from socket import socketpair
from time import monotonic
from typing import TYPE_CHECKING

#: What `Watched.interest` gives when the socket is to be closed.
DONE = -1

# How often it is looked whether connections that were lent to other threads are still read by them; seconds.
_SWEEP = 0.1
# Cancelled deadlines are thrown out when there are more of them than this, and than others.
_MANY = 100


class Watched(ABC):
    """
    Be something with a socket and deadlines that the I/O thread looks after.

    It has no slots of its own, so that it fits any other base: a subclass has room for the attributes.

    Attributes:
        socket: The socket; non-blocking.
        applied: What the I/O thread waits for, a mask of ``selectors``, or `DONE`; only that thread writes it.
        entry: Its place among the deadlines, which begins with the time; only that thread writes it.
    """

    if not TYPE_CHECKING:  # which does not see that subclasses have room for the attributes
        __slots__ = ()

    socket: Socket
    applied: int
    entry: list[object] | None

    @abstractmethod
    def interest(self) -> int:
        """
        Say what to wait for.

        Returns:
            A mask of ``selectors``, or `DONE`.
        """

    @abstractmethod
    def ready(self, mask: int) -> None:
        """
        Take note that the socket is ready.

        Args:
            mask: For what; of ``selectors``.
        """

    @abstractmethod
    def deadline(self) -> float | None:
        """
        Say when `tick` is to be called.

        Returns:
            Time on the clock of ``monotonic``; None for never.
        """

    @abstractmethod
    def tick(self) -> None:
        """Take note that the deadline has come."""

    @abstractmethod
    def idle(self) -> bool:
        """
        Look whether the thread that reads the socket still does; called while the socket is lent.

        Returns:
            True when there is no need to ask again.
        """

    @abstractmethod
    def release(self) -> None:
        """Close the socket; nothing is called after that."""

    @abstractmethod
    def disown(self) -> None:
        """Forget the socket, which belongs to the parent process; called after a fork, in the child."""

    @abstractmethod
    def break_off(self, error: BaseException) -> None:
        """
        End, because of a defect.

        Args:
            error: What was raised in one of the other methods.
        """


class IOThread:
    """
    Look after sockets and deadlines. Any thread may call `update` and `lend`; the rest happens in its own thread.

    The table of the selector belongs to that thread alone: others say that something has changed, and it asks
    what is wanted now. So no order of calls can leave a socket watched that should not be, or the other way round.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._waker, self._wakened = socketpair()
        self._waker.setblocking(False)
        self._wakened.setblocking(False)
        self._selector.register(self._wakened, selectors.EVENT_READ)
        self._mutex = threading.Lock()
        self._posted: deque[tuple[Watched | None, Callable[..., object], tuple[object, ...]]] = deque()
        self._sleeping = False
        self._deadlines: list[list[object]] = []
        self._cancelled = 0
        self._number = count()
        self._watched: set[Watched] = set()
        self._lent: set[Watched] = set()
        self._sweep_at = 0.0
        self._thread = threading.Thread(target=self._run, name="twoway-io", daemon=True)
        self._thread.start()

    def update(self, watched: Watched, lent: bool = False) -> None:
        """
        Have the I/O thread look what a socket wants now.

        Args:
            watched: Which one; kept until it says `DONE`.
            lent: Whether another thread reads it for the time being, so that `Watched.idle` must be asked.
        """
        with self._mutex:
            self._posted.append((watched, self._look_at, (watched, lent)))
            wake, self._sleeping = self._sleeping, False
        if wake:
            self._wake()

    def call_from_finalizer(self, call: Callable[[], object]) -> None:
        """
        Call something in the I/O thread; takes no lock, for the thread that collects garbage may hold any.

        Args:
            call: What to call.
        """
        self._posted.append((None, call, ()))
        with suppress(OSError):  # after a fork there is nobody to wake
            self._wake()

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # then it has been woken often enough
            self._waker.send(b"\0")

    def disown(self) -> None:
        """Forget everything, in a child process: the thread is not there, the sockets are the parent's."""
        for watched in self._watched | {watched for watched, _, _ in self._posted if watched is not None}:
            watched.disown()
        self._mutex = threading.Lock()  # a thread that is not there may have held it
        self._posted.clear()
        self._sleeping = False  # else somebody would try to wake it
        for thing in (self._waker, self._wakened, self._selector):
            thing.close()  # descriptors only: what the selector holds is shared with the parent

    # In the thread

    def _run(self) -> None:
        while True:
            self._run_ready(self._wait())
            self._run_deadlines()
            self._sweep()

    def _run_ready(self, ready: list[tuple[Watched, int]]) -> None:
        for watched, mask in ready:
            self._guard(watched, watched.ready, mask)

    def _wait(self) -> list[tuple[Watched, int]]:
        """Do what was asked for, then wait until something is ready or due."""
        while True:
            with self._mutex:
                # Not all at once: a finalizer may add to them meanwhile, without the lock.
                posted = [self._posted.popleft() for _ in range(len(self._posted))]
                timeout = self._timeout()
                self._sleeping = not posted and timeout != 0
            if not posted:
                break
            for watched, call, args in posted:
                self._guard(watched, call, *args)
            del posted, watched, call, args  # else the last ones would live until something happens
        ready = self._selector.select(timeout)
        self._sleeping = False
        return [(key.data, mask) for key, mask in ready if key.data is not None or self._sleep_off()]

    def _sleep_off(self) -> bool:
        with suppress(BlockingIOError):
            self._wakened.recv(4096)
        return False

    def _guard(self, watched: Watched | None, call: Callable[..., object], *args: object) -> None:
        """Call something of ours; a defect ends one connection, and not the thread of all of them."""
        try:
            call(*args)
        except Exception as exc:
            logging.getLogger("twoway").error("the I/O thread caught an error", exc_info=True)
            if watched is not None:
                watched.break_off(exc)

    def _look_at(self, watched: Watched, lent: bool) -> None:
        self._apply(watched)
        if lent and watched in self._watched:
            self._lend(watched)

    def _apply(self, watched: Watched) -> None:
        """Bring selector and deadlines in line with what is wanted."""
        if watched.applied == DONE:
            return
        mask = watched.interest()
        self._watch(watched, max(mask, 0))
        if mask == DONE:
            self._forget(watched)
        else:
            self._watched.add(watched)
            self._set_deadline(watched)

    def _watch(self, watched: Watched, mask: int) -> None:
        before = watched.applied
        if mask == before:
            return
        if not before:
            self._selector.register(watched.socket, mask, watched)
        elif mask:
            self._selector.modify(watched.socket, mask, watched)
        else:
            self._selector.unregister(watched.socket)
        watched.applied = mask

    def _forget(self, watched: Watched) -> None:
        self._lent.discard(watched)
        self._cancel(watched)
        self._watched.discard(watched)
        watched.applied = DONE
        watched.release()

    # Deadlines

    def _set_deadline(self, watched: Watched) -> None:
        """Note the next deadline; one that is too early is left alone, and looked at again when it comes."""
        deadline = watched.deadline()
        if deadline is None:
            return
        if watched.entry is not None:
            if watched.entry[0] <= deadline:  # type: ignore[operator]
                return
            self._cancel(watched)
        watched.entry = [deadline, next(self._number), watched]
        heappush(self._deadlines, watched.entry)

    def _cancel(self, watched: Watched) -> None:
        if watched.entry is None:
            return
        watched.entry[2] = None
        watched.entry = None
        self._cancelled += 1
        if self._cancelled > _MANY and self._cancelled > len(self._deadlines) // 2:
            self._deadlines = [entry for entry in self._deadlines if entry[2] is not None]
            heapify(self._deadlines)
            self._cancelled = 0

    def _timeout(self) -> float | None:
        """Say how long nothing is due; seconds, None for ever."""
        due = self._deadlines[0][0] if self._deadlines else None
        if self._lent and (due is None or self._sweep_at < due):  # type: ignore[operator]
            due = self._sweep_at
        return None if due is None else max(due - monotonic(), 0)  # type: ignore[operator]

    def _run_deadlines(self) -> None:
        while self._deadlines and self._deadlines[0][0] <= monotonic():  # type: ignore[operator]
            watched = heappop(self._deadlines)[2]
            if watched is None:
                self._cancelled -= 1
            elif isinstance(watched, Watched):
                watched.entry = None
                self._guard(watched, watched.tick)
                self._guard(watched, self._apply, watched)

    # Sockets that other threads read

    def _lend(self, watched: Watched) -> None:
        if not self._lent:
            self._sweep_at = monotonic() + _SWEEP
        self._lent.add(watched)

    def _sweep(self) -> None:
        if not self._lent or self._sweep_at > monotonic():
            return
        for watched in list(self._lent):
            if watched.idle():
                self._lent.discard(watched)
                self._guard(watched, self._apply, watched)
        self._sweep_at = monotonic() + _SWEEP


_starting = threading.Lock()
_current: IOThread | None = None


def io_thread() -> IOThread:
    """
    Give the I/O thread of this process, started now if there is none.

    Returns:
        The one.
    """
    global _current  # noqa: PLW0603  # there is one per process, and a fork makes it another process
    if _current is None:
        with _starting:
            if _current is None:
                _current = IOThread()
    return _current


def _after_fork() -> None:
    """Begin anew in a child process."""
    global _current, _starting  # noqa: PLW0603
    _starting = threading.Lock()
    before, _current = _current, None
    if before is not None:
        before.disown()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
