"""Making connections in a limited time."""

from __future__ import annotations

import socket
import threading

import pytest

from twoway.threading import _dial as module
from twoway.threading import connect
from twoway.threading._dial import dial_unix, in_time, resolve
from twoway.threading._waiting import Deadline

unix_only = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")


def test_what_a_call_gives_or_raises_is_passed_on():
    assert in_time(lambda: 5, Deadline(20)) == 5
    with pytest.raises(KeyError):
        in_time({}.popitem, Deadline(20))


def test_a_call_that_takes_too_long_is_given_up():
    go_on = threading.Event()
    with pytest.raises(TimeoutError):
        in_time(lambda: go_on.wait(20), Deadline(0.02))
    go_on.set()


@pytest.mark.feature("time limit for the opening handshake")
def test_a_resolver_that_takes_too_long_is_given_up(monkeypatch):
    go_on = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        if host == "slow.example" and not kwargs.get("flags"):
            assert go_on.wait(20)
        return real("127.0.0.1" if host == "slow.example" and go_on.is_set() else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(TimeoutError, match="timed out"):
        connect("ws://slow.example/", open_timeout=0.05, proxy=None).connect()
    go_on.set()


@pytest.mark.parametrize("timeout", [None, 20])
def test_addresses_and_names_are_found(timeout):
    deadline = Deadline(timeout)
    assert resolve("127.0.0.1", 80, 0, deadline)[0][4] == ("127.0.0.1", 80)
    assert resolve("localhost", 80, socket.AF_INET, deadline)[0][4] == ("127.0.0.1", 80)
    with pytest.raises(OSError):
        resolve("no such name", 80, 0, deadline)


@unix_only
def test_a_unix_socket_whose_backlog_is_full_is_waited_for(tmp_path, spawn, monkeypatch):
    monkeypatch.setattr(module, "_AGAIN", 0.001)
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        waiting = [dial_unix(path, Deadline(20))]
        with pytest.raises(TimeoutError):
            while True:
                waiting.append(dial_unix(path, Deadline(0.05)))
        late = spawn(dial_unix, path, Deadline(20))
        listener.accept()[0].close()
        waiting.append(late.result())
        for sock in waiting:
            sock.close()


def test_a_refusal_names_the_address():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        with pytest.raises(ConnectionRefusedError, match=rf"connecting to \('127.0.0.1', {port}\) failed"):
            connect(f"ws://127.0.0.1:{port}/", proxy=None).connect()


def test_all_refusals_are_told(monkeypatch):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        real = socket.getaddrinfo
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.1", "127.0.0.2")]
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *a, **k: found if host == "two.example" else real(host, *a, **k)
        )
        with pytest.raises(ConnectionRefusedError, match=r"127\.0\.0\.1.*127\.0\.0\.2"):
            connect(f"ws://two.example:{port}/", proxy=None).connect()
