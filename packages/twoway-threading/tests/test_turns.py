"""`serialize_connecting`: one opening handshake at a time for each address and port (RFC 6455 §4.1 item 2)."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from twoway.threading import _turns, connect

ROW = {"serialize_connecting": True}


@pytest.fixture
def crowd(wire, until):
    """Accept handshakes when told; know how many wait, and how many ever waited at once."""

    class Crowd:
        def __init__(self):
            self.waiting = self.most = self.came = 0
            self.accepting = threading.Event()
            self._mutex = threading.Lock()

        def behave(self, stream):
            request = stream.readuntil(b"\r\n\r\n")
            with self._mutex:
                self.came += 1
                self.waiting += 1
                self.most = max(self.most, self.waiting)
            self.accepting.wait(20)
            time.sleep(0.01)  # time for the others to come, if they do
            with self._mutex:
                self.waiting -= 1
            stream.write(wire.answer(request) + wire.close())
            stream.read(100)

        def arrivals(self, count):
            until(lambda: self.came >= count)

    return Crowd


def use(uri, **options):
    with connect(uri, **options) as client:
        client.wait_closed()


@pytest.mark.feature("one handshake at a time with each address")
@pytest.mark.parametrize(("options", "most"), [(ROW, 1), ({}, 4)])
def test_handshakes_with_one_address_wait_for_each_other(wire, spawn, crowd, options, most):
    crowd = crowd()
    with wire.server(crowd.behave) as uri:
        by_number = uri.replace("localhost", "127.0.0.1")  # another name of the same address
        tasks = [spawn(use, each, **options) for each in [uri, by_number] * 2]
        crowd.arrivals(most)
        crowd.accepting.set()
        for task in tasks:
            task.result()
    assert (crowd.came, crowd.most) == (4, most)


@pytest.mark.feature("one handshake at a time with each address")
def test_another_port_need_not_wait(wire, spawn, crowd):
    crowd = crowd()
    with wire.server(crowd.behave) as one, wire.server(crowd.behave) as two:
        tasks = [spawn(use, uri, **ROW) for uri in (one, two)]
        crowd.arrivals(2)
        crowd.accepting.set()
        for task in tasks:
            task.result()


def test_connections_that_are_open_are_not_waited_for(serving):
    with serving() as (_, uri), connect(uri, **ROW), connect(uri, **ROW) as second:
        second.send("x")
        assert second.recv() == "x"


def test_a_socket_that_is_connected_waits_for_the_same_address(wire, spawn, crowd):
    crowd = crowd()
    with wire.server(crowd.behave) as uri:
        sock = socket.create_connection(("127.0.0.1", int(uri.strip("/").rpartition(":")[2])))
        first = spawn(use, uri, **ROW)
        crowd.arrivals(1)
        second = spawn(use, uri, sock=sock, **ROW)
        crowd.accepting.set()
        first.result()
        second.result()
    assert (crowd.came, crowd.most) == (2, 1)


@pytest.mark.feature("one handshake at a time with each address")
def test_waiting_counts_against_open_timeout(wire, spawn, crowd):
    crowd = crowd()
    with wire.server(crowd.behave) as uri:
        first = spawn(use, uri, **ROW)
        crowd.arrivals(1)
        with pytest.raises(TimeoutError):
            connect(uri, open_timeout=0.05, **ROW).connect()
        crowd.accepting.set()
        first.result()
    assert crowd.came == 1


def test_whoever_gives_up_makes_way(wire, spawn, crowd):
    crowd = crowd()
    with wire.server(crowd.behave) as uri:
        first = spawn(use, uri, open_timeout=0.1, **ROW)
        crowd.arrivals(1)
        other = spawn(use, uri, **ROW)
        assert isinstance(first.error(), TimeoutError)
        crowd.accepting.set()
        other.result()


def test_the_next_address_is_tried_when_one_cannot_be_connected_to(serving, monkeypatch):
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if host != "two.example":
            return real(host, port, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("127.0.0.2", "127.0.0.1")]

    with serving() as (_, uri):
        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        uri = uri.replace("localhost", "two.example")
        for options in (ROW, {}):
            with connect(uri, family=socket.AF_INET, **options) as client:
                assert client.remote_address[0] == "127.0.0.1"
                client.send("x")
                assert client.recv() == "x"


def test_the_last_failure_is_raised():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="refused"):
            connect(f"ws://localhost:{sock.getsockname()[1]}/", **ROW).connect()


def test_addresses_are_told_apart_by_port_and_zone():
    assert _turns._key(("fe80::1", 80, 0, 2)) == _turns._key(("fe80::1%eth0", 80, 0, 2))
    different = [("fe80::1", 80, 0, 2), ("fe80::1", 80, 0, 3), ("fe80::1", 81, 0, 2), ("127.0.0.1", 80), "/run/socket"]
    assert len({_turns._key(address) for address in different}) == 5


def test_nothing_is_kept_when_nobody_connects(serving):
    with serving() as (_, uri):
        with connect(uri, **ROW):
            pass
        assert len(_turns._turns) == 0
