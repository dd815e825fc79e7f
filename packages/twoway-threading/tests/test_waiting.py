"""Waiting in a limited time, with `poll` and without."""

from __future__ import annotations

import socket
import threading

import pytest

from twoway.threading import _waiting as module
from twoway.threading._waiting import FOREVER, Deadline, readable, wait_on, writable


@pytest.fixture(params=["poll", "select"])
def sockets(request, monkeypatch):
    if request.param == "select":
        monkeypatch.setattr(module, "_HAS_POLL", False)
        monkeypatch.setattr(module, "_SLICE", 0.01)  # as on Windows
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def test_a_socket_is_readable_when_there_is_something(sockets):
    here, there = sockets
    wait = readable(here)
    assert not wait(0)
    assert not wait(0.03)
    there.send(b"x")
    assert wait(0)
    assert wait(None)


def test_a_socket_that_has_ended_is_readable(sockets):
    here, there = sockets
    there.shutdown(socket.SHUT_WR)
    assert readable(here)(20)


def test_a_wait_ends_when_something_comes(sockets, spawn):
    here, there = sockets
    waiting = spawn(readable(here), None).blocked()
    there.send(b"x")
    assert waiting.result()


def test_a_socket_is_writable_while_there_is_room(sockets):
    here, there = sockets
    wait = writable(here)
    assert wait(0)
    here.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            here.send(bytes(65536))
    assert not wait(0.02)
    there.settimeout(5)
    while not wait(0):
        there.recv(1 << 20)


def test_a_deadline_has_less_and_less_left():
    deadline = Deadline(1000)
    assert 0 < deadline.left() <= 1000
    deadline.check()
    assert Deadline(0).left() == 0
    with pytest.raises(TimeoutError):
        Deadline(0).check()
    assert FOREVER.left() is None
    FOREVER.check()


@pytest.mark.parametrize("piece", [None, 0.005])
def test_waiting_for_a_condition(monkeypatch, spawn, piece):
    monkeypatch.setattr(module, "_SLICE", piece)
    condition, done = threading.Condition(), []

    def wait(deadline):
        with condition:
            return wait_on(condition, lambda: done, deadline)

    assert wait(Deadline(0)) is False
    assert wait(Deadline(0.02)) is False
    waiting = [spawn(wait, deadline) for deadline in (FOREVER, Deadline(20))]
    with condition:
        done.append(True)
        condition.notify_all()
    assert [task.result() for task in waiting] == [True, True]
    assert wait(Deadline(0)) is True
