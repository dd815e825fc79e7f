"""Listening sockets: what of them goes wrong, and what the system runs short of."""

from __future__ import annotations

import errno
import logging
import os
import socket

import pytest

from twoway.threading import _listen as module
from twoway.threading import connect, serve, unix_serve

unix_only = pytest.mark.skipif(not hasattr(socket, "AF_UNIX") or os.name == "nt", reason="no Unix sockets here")


def echo(connection):
    for message in connection:
        connection.send(message)


@pytest.mark.feature("logging")
def test_accepting_rests_while_the_system_has_no_descriptors(monkeypatch, caplog, until):
    monkeypatch.setattr(module, "_REST", 0.05)
    failures = [errno.EMFILE, errno.ENFILE]
    real = socket.socket.accept

    def accept(self):
        if failures:
            raise OSError(failures.pop(), "none left")
        return real(self)

    with serve(echo, "127.0.0.1", 0) as server:
        monkeypatch.setattr(socket.socket, "accept", accept)
        with connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/") as client:
            client.send("x")
            assert client.recv(timeout=20) == "x"
        assert server.is_serving()
    assert [(record.name, record.levelno) for record in caplog.records] == [("twoway.server", logging.ERROR)] * 2
    assert all("accepting rests" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("failure", [ConnectionAbortedError(), BlockingIOError()])
def test_a_connection_that_is_gone_before_it_is_accepted_is_no_news(monkeypatch, caplog, failure):
    failures = [failure]
    real = socket.socket.accept

    def accept(self):
        if failures:
            raise failures.pop()
        return real(self)

    with serve(echo, "127.0.0.1", 0) as server:
        monkeypatch.setattr(socket.socket, "accept", accept)
        with connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/") as client:
            client.send("x")
            assert client.recv(timeout=20) == "x"
    assert caplog.records == []


def test_a_connection_that_cannot_be_made_is_dropped_and_others_are_served(monkeypatch, caplog):
    monkeypatch.setattr(module, "_REST", 0.01)
    failures = [KeyError("a class of connections that has a defect")]

    from twoway.threading import ServerConnection

    class Broken(ServerConnection):
        def __init__(self, *args, **kwargs):
            if failures:
                raise failures.pop()
            super().__init__(*args, **kwargs)

    with serve(echo, "127.0.0.1", 0, create_connection=Broken) as server:
        uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(Exception, match="closed|reset|ended"):
            connect(uri, proxy=None).connect()
        with connect(uri) as client:
            client.send("x")
            assert client.recv(timeout=20) == "x"
    assert len(caplog.records) == 1


def test_a_host_that_is_not_here():
    with pytest.raises(OSError, match="192.0.2.7"):
        serve(echo, "192.0.2.7", 0)
    with pytest.raises(OSError):
        serve(echo, "no such name", 0)
    with pytest.raises(OSError, match="no address to listen on"):
        serve(echo, [], 0)


def test_nothing_is_left_listening_when_one_of_several_hosts_fails():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(OSError):
        serve(echo, ["127.0.0.1", "192.0.2.7"], port)
    with serve(echo, "127.0.0.1", port):
        pass


@pytest.mark.parametrize("host", [None, ""])
def test_all_interfaces(host):
    with serve(echo, host, 0) as server:
        assert len({sock.getsockname()[1] for sock in server.sockets}) == 1
        with connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/") as client:
            client.send("x")
            assert client.recv(timeout=20) == "x"


def test_a_socket_or_an_address_but_not_both():
    with socket.create_server(("127.0.0.1", 0)) as sock, pytest.raises(ValueError, match="sock"):
        serve(echo, "127.0.0.1", 0, sock=sock)


@unix_only
def test_the_file_of_a_unix_socket_is_removed_but_not_that_of_another_server(tmp_path):
    path = tmp_path / "socket"
    with unix_serve(echo, path):
        assert path.exists()
    assert not path.exists()
    first = unix_serve(echo, path)
    with unix_serve(echo, path):
        first.close()
        first.wait_closed(20)
        assert path.exists()


@unix_only
def test_what_is_no_socket_is_not_replaced(tmp_path):
    path = tmp_path / "file"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(OSError, match="listening on"):
        unix_serve(echo, path)
    assert path.read_text(encoding="utf-8") == "precious"


@unix_only
def test_a_unix_server_needs_a_path_or_a_socket(tmp_path):
    with pytest.raises(ValueError, match="path"):
        unix_serve(echo)
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(ValueError, match="path"):
        unix_serve(echo, tmp_path / "socket", sock=sock)


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="abstract names are of Linux")
def test_an_abstract_name():
    from twoway.threading import unix_connect

    name = f"\0twoway-test-{os.getpid()}"
    with unix_serve(echo, name), unix_connect(name) as client:
        client.send("x")
        assert client.recv(timeout=20) == "x"
