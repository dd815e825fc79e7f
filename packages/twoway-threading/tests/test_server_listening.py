"""Where a server listens: TCP, Unix sockets, sockets that are there before, several servers on one port."""

from __future__ import annotations

import os
import socket
import ssl

import pytest

from twoway.threading import connect, serve, unix_connect, unix_serve

unix_only = pytest.mark.skipif(not hasattr(socket, "AF_UNIX") or os.name == "nt", reason="no Unix sockets here")


def greet(connection):
    connection.send("hello")


def greeted(path, **options):
    """Shake hands on a Unix socket; give the first message."""
    with unix_connect(path, **options) as client:
        return client.recv()


@pytest.mark.feature("serve on a Unix socket")
@unix_only
def test_on_a_unix_socket(tmp_path):
    path = tmp_path / "socket"
    with unix_serve(greet, path) as server:
        assert server.sockets[0].getsockname() == str(path)
        assert greeted(path) == "hello"


@pytest.mark.feature("serve on a Unix socket")
@unix_only
def test_on_a_unix_socket_with_tls(tmp_path, tls):
    path = str(tmp_path / "socket")
    server = unix_serve(greet, path, ssl=tls.server)
    with server:
        assert greeted(path, ssl=tls.client) == "hello"
        with pytest.raises(ssl.SSLError):
            greeted(path, ssl=tls.client, server_hostname="example.org")


@pytest.mark.feature("serve on an existing socket")
@unix_only
def test_on_a_unix_socket_that_is_there_before(tmp_path):
    path = str(tmp_path / "socket")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    with unix_serve(greet, sock=sock):
        assert greeted(path) == "hello"


@pytest.mark.feature("serve on a Unix socket")
@unix_only
def test_a_unix_socket_that_was_left_is_replaced(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    with unix_serve(greet, path):
        assert greeted(path) == "hello"


@pytest.mark.parametrize("name", ["host", "port"])
def test_a_unix_socket_has_no_host_and_no_port(name):
    with pytest.raises(TypeError, match=name):
        unix_serve(greet, "/nowhere", **{name: None})


@pytest.mark.feature("serve on TCP")
def test_on_all_addresses_of_a_host():
    with serve(greet, "localhost", 0) as server:
        for sock in server.sockets:
            with connect(f"ws://localhost:{sock.getsockname()[1]}/", family=sock.family) as client:
                assert client.recv() == "hello"


@pytest.mark.feature("serve on TCP")
def test_on_one_family_and_on_several_hosts():
    with serve(greet, ["127.0.0.1", "localhost"], 0, family=socket.AF_INET, backlog=5) as server:
        assert {sock.family for sock in server.sockets} == {socket.AF_INET}
        for sock in server.sockets:
            with connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/") as client:
                assert client.recv() == "hello"


@pytest.mark.feature("serve on an existing socket")
def test_on_several_sockets_one_after_the_other():
    """Who is closed leaves the others alone."""
    servers = []
    for _ in range(2):
        sock = socket.create_server(("127.0.0.1", 0))
        servers.append((serve(greet, sock=sock), f"ws://127.0.0.1:{sock.getsockname()[1]}/"))
    for server, uri in servers:
        with server, connect(uri) as client:
            assert client.recv() == "hello"
        assert server.sockets == ()


@pytest.mark.feature("share a port between processes")
@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="no SO_REUSEPORT here")
def test_several_servers_share_a_port():
    greeters = set()

    def greeter(name):
        def handler(connection):
            greeters.add(name)

        return handler

    with serve(greeter("first"), "127.0.0.1", 0, reuse_port=True) as server:
        port = server.sockets[0].getsockname()[1]
        with (
            serve(greeter("second"), "127.0.0.1", port, reuse_port=True),
            connect(f"ws://127.0.0.1:{port}/") as client,
        ):
            client.wait_closed()
        greeters.clear()
        with connect(f"ws://127.0.0.1:{port}/") as client:
            client.wait_closed()
    assert greeters == {"first"}


def test_servers_share_a_socket_and_who_is_left_takes_all():
    sock = socket.create_server(("127.0.0.1", 0))
    uri = f"ws://127.0.0.1:{sock.getsockname()[1]}/"
    with serve(greet, sock=sock.dup()):
        first = serve(greet, sock=sock)
        first.shutdown()
        for _ in range(3):
            with connect(uri) as client:
                assert client.recv() == "hello"


def test_a_port_is_not_shared_without_asking():
    with (
        serve(greet, "127.0.0.1", 0) as server,
        pytest.raises(OSError, match=r"address already in use|Address already in use|10048"),
    ):
        serve(greet, "127.0.0.1", server.sockets[0].getsockname()[1])


@pytest.mark.parametrize("how", ["start_serving", "serve_forever"])
def test_accepting_can_be_put_off(how, spawn, until):
    with serve(greet, "127.0.0.1", 0, start_serving=False) as server:
        assert not server.is_serving()
        uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises((OSError, TimeoutError)):
            connect(uri, open_timeout=0.1).connect()
        task = spawn(getattr(server, how))
        until(server.is_serving)
        with connect(uri) as client:
            assert client.recv() == "hello"
        server.start_serving()
        server.close()
        server.start_serving()
        assert not server.is_serving()
        task.result()


def test_a_server_that_never_served_can_be_closed():
    server = serve(greet, "127.0.0.1", 0, start_serving=False)
    with server:
        pass
    assert server.sockets == ()


def test_a_server_that_is_only_closed_lets_go_of_its_port():
    server = serve(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    server.wait_closed(20)
    with serve(greet, "127.0.0.1", port):
        pass
