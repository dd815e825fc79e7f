"""The threads of handlers: used again, limited, and gone when there is nothing to do for long."""

from __future__ import annotations

import threading

import pytest

from twoway.threading import _workers as module
from twoway.threading._workers import Workers


def handlers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("twoway-handler")]


class Work:
    """Begin, say so, and wait until told to end."""

    def __init__(self):
        self.begun, self.go_on = threading.Semaphore(0), threading.Event()
        self.threads = set()

    def __call__(self):
        self.threads.add(threading.current_thread())
        self.begun.release()
        assert self.go_on.wait(20)


@pytest.fixture
def work():
    work = Work()
    yield work
    work.go_on.set()


def test_threads_are_named_daemons_and_limited(work):
    workers = Workers(2)
    assert workers.run(work)
    assert workers.run(work)
    assert not workers.run(work)
    for _ in range(2):
        assert work.begun.acquire(timeout=20)
    assert sorted(thread.name for thread in work.threads) == ["twoway-handler-1", "twoway-handler-2"]
    assert all(thread.daemon for thread in work.threads)


def test_a_thread_is_used_again(monkeypatch, work, until):
    monkeypatch.setattr(module, "_PATIENCE", 0.5)
    workers = Workers(1)
    work.go_on.set()
    for _ in range(20):
        until(lambda: workers.run(work))
        assert work.begun.acquire(timeout=20)
    assert len(work.threads) == 1


def test_without_work_a_thread_ends(work, until):
    workers = Workers(1)
    for _ in range(3):
        work.go_on.clear()
        assert workers.run(work)
        assert work.begun.acquire(timeout=20)
        work.go_on.set()
        until(lambda: not handlers())
    assert len(work.threads) == 3


def test_work_that_comes_when_a_thread_is_about_to_end_is_done(monkeypatch, work, until):
    monkeypatch.setattr(module, "_PATIENCE", 0.0001)
    workers = Workers(None)
    work.go_on.set()
    for _ in range(500):
        assert workers.run(work)
        assert work.begun.acquire(timeout=20)


def test_a_system_without_threads_is_a_limit_too(monkeypatch, work):
    def start(self):
        raise RuntimeError("can't start new thread")

    workers = Workers(1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        assert not workers.run(work)
    assert workers.run(work)  # and it is not counted
    assert work.begun.acquire(timeout=20)
