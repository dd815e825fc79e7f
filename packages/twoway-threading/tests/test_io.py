"""The I/O thread: sockets, deadlines, defects and forks; with things to watch that are no connections."""

from __future__ import annotations

import gc
import logging
import os
import selectors
import socket
import threading
import weakref
from time import monotonic

import pytest

from twoway.threading import _io as module
from twoway.threading._io import DONE, Watched, io_thread


class Thing(Watched):
    """Be watched, and note what is called."""

    def __init__(self):
        self.socket, self.other = socket.socketpair()
        self.socket.setblocking(False)
        self.applied = 0
        self.entry = None
        self.wanted = selectors.EVENT_READ
        self.due = None
        self.received = b""
        self.ticks = []
        self.asked = []
        self.lent = 0
        self.released = threading.Event()
        self.broken = []
        self.fails = None

    def interest(self):
        if self.fails == "interest":
            self.fails = None
            raise KeyError("interest")
        return self.wanted

    def ready(self, mask):
        if self.fails == "ready":
            self.fails = None
            raise KeyError("ready")
        self.received += self.socket.recv(100)

    def deadline(self):
        return self.due

    def tick(self):
        self.ticks.append((monotonic(), threading.current_thread().name))
        self.due = None

    def idle(self):
        self.asked.append(self.lent)
        self.lent -= 1
        return self.lent <= 0

    def release(self):
        self.socket.close()
        self.other.close()
        self.released.set()

    def disown(self):
        pass

    def break_off(self, error):
        self.broken.append(error)


@pytest.fixture
def thing():
    thing = Thing()
    yield thing
    thing.wanted = DONE
    io_thread().update(thing)
    assert thing.released.wait(20)


def test_there_is_one_for_the_process():
    assert io_thread() is io_thread()
    assert [thread.name for thread in threading.enumerate()].count("twoway-io") == 1
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "twoway-io")
    assert thread.daemon


def test_it_reads_what_is_wanted_and_no_more(thing, until):
    io_thread().update(thing)
    thing.other.send(b"a")
    until(lambda: thing.received == b"a")
    thing.wanted = 0
    io_thread().update(thing)
    until(lambda: thing.applied == 0)
    thing.other.send(b"b")
    thing.wanted = selectors.EVENT_READ | selectors.EVENT_WRITE
    thing.ready = lambda mask: setattr(thing, "wanted", 0) or io_thread().update(thing)
    io_thread().update(thing)
    until(lambda: thing.applied == 0 and thing.wanted == 0)
    assert thing.received == b"a"


def test_deadlines_come_in_order_and_in_the_thread(thing, until):
    others = [Thing() for _ in range(5)]
    now = monotonic()
    for number, other in enumerate(others):
        other.due = now + 0.05 - 0.01 * number
        io_thread().update(other)
    until(lambda: all(other.ticks for other in others))
    times = [other.ticks[0][0] for other in others]
    assert times == sorted(times, reverse=True)
    assert {other.ticks[0][1] for other in others} == {"twoway-io"}
    assert all(time >= other.due if other.due else True for time, other in zip(times, others, strict=True))
    for other in others:
        other.wanted = DONE
        io_thread().update(other)


def test_a_deadline_may_come_nearer(thing, until):
    thing.due = monotonic() + 1000
    io_thread().update(thing)
    until(lambda: thing.entry is not None)
    thing.due = monotonic()
    io_thread().update(thing)
    until(lambda: thing.ticks)


def test_deadlines_that_are_given_up_do_not_pile_up(thing, monkeypatch, until):
    monkeypatch.setattr(module, "_MANY", 5)
    for number in range(50):
        thing.due = monotonic() + 1000 - number
        io_thread().update(thing)
        until(lambda: thing.entry is not None and thing.entry[0] == thing.due)
    assert len(io_thread()._deadlines) < 20


def test_what_is_lent_is_asked_for_until_it_is_given_back(thing, until):
    thing.wanted = 0
    thing.lent = 3
    io_thread().update(thing, lent=True)
    until(lambda: thing.lent == 0)
    assert thing.asked == [3, 2, 1]


@pytest.mark.parametrize("where", ["interest", "ready"])
def test_a_defect_ends_one_connection_and_not_the_thread(thing, caplog, until, where):
    thing.fails = where
    io_thread().update(thing)
    thing.other.send(b"a")
    until(lambda: thing.broken)
    assert [type(error) for error in thing.broken] == [KeyError]
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("twoway", logging.ERROR)
    io_thread().update(thing)
    until(lambda: thing.received == b"a")


def watch_and_end(until):
    """Have something watched, and end that; give a weak reference."""
    thing = Thing()
    thing.due = monotonic() + 1000
    io_thread().update(thing)
    until(lambda: thing.entry is not None)
    thing.wanted = DONE
    io_thread().update(thing)
    assert thing.released.wait(20)
    io_thread().update(thing)  # too late, and harmless
    return weakref.ref(thing)


def test_what_is_done_is_forgotten(until):
    reference = watch_and_end(until)
    until(lambda: gc.collect() >= 0 and reference() is None)


def test_what_is_done_before_it_was_watched_is_released(until):
    thing = Thing()
    thing.wanted = DONE
    io_thread().update(thing)
    assert thing.released.wait(20)


def test_a_finalizer_can_call_it(until):
    class Dropped:
        def __del__(self):
            io_thread().call_from_finalizer(lambda: called.append(threading.current_thread().name))

    called = []
    for _ in range(100):
        Dropped()
    until(lambda: len(called) == 100)
    assert set(called) == {"twoway-io"}


def test_many_threads_may_call_it(spawn, until):
    things = [Thing() for _ in range(20)]

    def work(thing):
        for _ in range(50):
            io_thread().update(thing)
        thing.other.send(b"a")

    for task in [spawn(work, thing) for thing in things]:
        task.result()
    until(lambda: all(thing.received for thing in things))
    for thing in things:
        thing.wanted = DONE
        io_thread().update(thing)
    assert all(thing.released.wait(20) for thing in things)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_what_is_forgotten_after_a_fork_can_be_told_in_vain():
    """As in a child: no thread, and no complaint about that."""
    thread = module.IOThread.__new__(module.IOThread)
    thread._watched, thread._posted = set(), module.deque()
    thread._waker, thread._wakened = socket.socketpair()
    thread._selector = selectors.DefaultSelector()
    disowned = []
    thing = Thing()
    thing.disown = lambda: disowned.append(thing)
    thread._watched.add(thing)
    thread.disown()
    assert disowned == [thing]
    thread.update(thing)
    thread.call_from_finalizer(disowned.clear)
    assert disowned == [thing]
    thing.release()
