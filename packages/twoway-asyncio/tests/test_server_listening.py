"""Where a server listens: TCP, Unix sockets, sockets that are there before, several servers on one port."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl

import pytest

from twoway.asyncio import connect, serve, unix_serve

unix_only = pytest.mark.skipif(not hasattr(socket, "AF_UNIX") or os.name == "nt", reason="no Unix sockets here")


async def greet(connection):
    await connection.send("hello")


async def greeted(path, wire, **options):
    """Shake hands on a Unix socket; give the first message."""
    reader, writer = await asyncio.open_unix_connection(path, **options)
    writer.write(wire.REQUEST)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    message = await reader.readexactly(len(wire.frame(0x81, b"hello")))
    writer.write(wire.close(masked=True))
    await reader.read()
    writer.close()
    return message


@pytest.mark.feature("serve on a Unix socket")
@unix_only
async def test_on_a_unix_socket(tmp_path, wire):
    path = tmp_path / "socket"
    async with unix_serve(greet, path, compression=None) as server:
        assert server.sockets[0].getsockname() == str(path)
        assert await greeted(path, wire) == wire.frame(0x81, b"hello")


@pytest.mark.feature("serve on a Unix socket")
@unix_only
async def test_on_a_unix_socket_with_tls(tmp_path, wire, tls):
    path = str(tmp_path / "socket")
    server = await unix_serve(greet, path, compression=None, ssl=tls.server)
    async with server:
        assert await greeted(path, wire, ssl=tls.client, server_hostname="localhost") == wire.frame(0x81, b"hello")
        with pytest.raises(ssl.SSLError):
            await greeted(path, wire, ssl=tls.client, server_hostname="example.org")


@pytest.mark.feature("serve on an existing socket")
@unix_only
async def test_on_a_unix_socket_that_is_there_before(tmp_path, wire):
    path = str(tmp_path / "socket")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    async with unix_serve(greet, sock=sock, compression=None):
        assert await greeted(path, wire) == wire.frame(0x81, b"hello")


@pytest.mark.feature("serve on a Unix socket")
@unix_only
async def test_a_unix_socket_that_was_left_is_replaced(tmp_path, wire):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    async with unix_serve(greet, path, compression=None):
        assert await greeted(path, wire) == wire.frame(0x81, b"hello")


@pytest.mark.parametrize("name", ["host", "port"])
def test_a_unix_socket_has_no_host_and_no_port(name):
    with pytest.raises(TypeError, match=name):
        unix_serve(greet, "/nowhere", **{name: None})


@pytest.mark.feature("serve on an existing socket")
async def test_on_several_sockets_one_after_the_other(wire):
    """Who is closed leaves the others alone."""
    servers = []
    for _ in range(2):
        sock = socket.create_server(("127.0.0.1", 0))
        servers.append((await serve(greet, sock=sock), f"ws://127.0.0.1:{sock.getsockname()[1]}/"))
    for server, uri in servers:
        async with server, connect(uri) as client:
            assert await client.recv() == "hello"
        assert server.sockets == ()


@pytest.mark.feature("share a port between processes")
@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="no SO_REUSEPORT here")
async def test_several_servers_share_a_port():
    greeters = set()

    def greeter(name):
        async def handler(connection):
            greeters.add(name)

        return handler

    async with serve(greeter("first"), "127.0.0.1", 0, reuse_port=True) as server:
        port = server.sockets[0].getsockname()[1]
        async with (
            serve(greeter("second"), "127.0.0.1", port, reuse_port=True),
            connect(f"ws://127.0.0.1:{port}/") as client,
        ):
            await client.wait_closed()
        greeters.clear()
        async with connect(f"ws://127.0.0.1:{port}/") as client:
            await client.wait_closed()
    assert greeters == {"first"}


async def test_servers_share_a_socket_and_who_is_left_takes_all():
    sock = socket.create_server(("127.0.0.1", 0))
    uri = f"ws://127.0.0.1:{sock.getsockname()[1]}/"
    async with serve(greet, sock=sock.dup()):
        first = await serve(greet, sock=sock)
        await first.shutdown()
        for _ in range(3):
            async with connect(uri) as client:
                assert await client.recv() == "hello"


async def test_a_port_is_not_shared_without_asking():
    async with serve(greet, "127.0.0.1", 0) as server:
        with pytest.raises(OSError, match=r"address already in use|10048"):
            await serve(greet, "127.0.0.1", server.sockets[0].getsockname()[1])


@pytest.mark.parametrize("how", ["start_serving", "serve_forever"])
async def test_accepting_can_be_put_off(how):
    async with serve(greet, "127.0.0.1", 0, start_serving=False) as server:
        assert not server.is_serving()
        uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises((OSError, TimeoutError)):
            await connect(uri, open_timeout=0.1)
        task = asyncio.create_task(getattr(server, how)())
        while not server.is_serving():
            await asyncio.sleep(0)
        async with connect(uri) as client:
            assert await client.recv() == "hello"
        await server.start_serving()
        server.close()
        await server.start_serving()
        assert not server.is_serving()
        await task


async def test_a_server_that_never_served_can_be_closed():
    server = await serve(greet, "127.0.0.1", 0, start_serving=False)
    async with server:
        pass
    assert server.sockets == ()
