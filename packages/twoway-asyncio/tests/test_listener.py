"""Accepting connections on asyncio's own loop."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys

import pytest

from twoway.asyncio import ServerConnection, connect, serve
from twoway.asyncio import _listener as listening
from twoway.asyncio._listener import Listener

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asyncio's loop does not watch sockets there")


def collect_reports():
    """Collect what is reported to the loop from now on; skip on loops that accept by themselves."""
    loop, contexts = asyncio.get_running_loop(), []
    if type(loop) is not asyncio.SelectorEventLoop:
        pytest.skip("this loop accepts by itself")
    loop.set_exception_handler(lambda loop, context: contexts.append(context))
    return contexts


async def echo(connection):
    async for message in connection:
        await connection.send(message)


def uri_of(server):
    host, port = server.sockets[0].getsockname()[:2]
    return f"ws://{host}:{port}"


async def read_of(server):
    """Connect, say nothing, and give what comes first."""
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        client.setblocking(False)
        return await asyncio.get_running_loop().sock_recv(client, 1)


async def ask(uri):
    async with connect(uri) as client:
        await client.send("hello")
        return await client.recv()


async def test_it_begins_when_it_is_told_to():
    collect_reports()
    async with serve(echo, "127.0.0.1", 0, start_serving=False) as server:
        assert isinstance(server._server, Listener)
        assert not server.is_serving()
        with pytest.raises(ConnectionRefusedError):
            await connect(uri_of(server))
        await server.start_serving()
        await server.start_serving()
        assert server.is_serving()
        assert await ask(uri_of(server)) == "hello"
    assert not server.is_serving()
    assert server.sockets == ()


async def test_all_that_wait_are_accepted_at_once():
    collect_reports()
    async with serve(echo, "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()
        clients = [socket.create_connection(address) for _ in range(20)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert len(server._connections) == 20
        for client in clients:
            client.close()


async def test_it_goes_on_when_there_are_descriptors_again(monkeypatch):
    reports = collect_reports()
    original, failures = socket.socket.accept, [OSError(errno.EMFILE, "too many open files")]

    def accept(sock):
        if failures:
            raise failures.pop()
        return original(sock)

    monkeypatch.setattr(socket.socket, "accept", accept)
    monkeypatch.setattr(listening, "_RETRY", 0.01)
    async with serve(echo, "127.0.0.1", 0) as server:
        assert await ask(uri_of(server)) == "hello"
    assert [context["exception"].errno for context in reports] == [errno.EMFILE]


async def test_a_server_that_was_closed_meanwhile_does_not_go_on(monkeypatch):
    reports = collect_reports()

    def accept(sock):
        raise OSError(errno.ENFILE, "too many open files")

    monkeypatch.setattr(listening, "_RETRY", 0.01)
    async with serve(echo, "127.0.0.1", 0) as server:
        monkeypatch.setattr(socket.socket, "accept", accept)
        with socket.create_connection(server.sockets[0].getsockname()):
            while not reports:
                await asyncio.sleep(0)
    await asyncio.sleep(0.03)
    assert len(reports) == 1


async def test_other_errors_are_reported(monkeypatch):
    reports = collect_reports()
    original, failures = socket.socket.accept, [OSError(errno.EPROTO, "odd"), ConnectionAbortedError()]

    def accept(sock):
        if failures:
            raise failures.pop()
        return original(sock)

    monkeypatch.setattr(socket.socket, "accept", accept)
    async with serve(echo, "127.0.0.1", 0) as server:
        assert await ask(uri_of(server)) == "hello"
    assert [context["exception"].errno for context in reports] == [errno.EPROTO]


class Sometimes(ServerConnection):
    """Fail once."""

    failures = 1

    def __init__(self, *args, **kwargs):
        if Sometimes.failures:
            Sometimes.failures -= 1
            raise ArithmeticError("a bug")
        super().__init__(*args, **kwargs)


async def test_a_connection_that_cannot_be_made_is_closed_and_reported():
    reports = collect_reports()
    async with serve(echo, "127.0.0.1", 0, create_connection=Sometimes) as server:
        assert await read_of(server) == b""
        assert await ask(uri_of(server)) == "hello"
    assert [type(context["exception"]) for context in reports] == [ArithmeticError]


class Halfway(ServerConnection):
    """Fail when it is known to the server already."""

    def connection_made(self, transport):
        super().connection_made(transport)
        raise ArithmeticError("a bug")


async def test_a_connection_that_fails_when_it_begins_is_closed_and_forgotten():
    reports = collect_reports()
    async with serve(echo, "127.0.0.1", 0, create_connection=Halfway) as server:
        assert await read_of(server) == b""
        assert server._connections == set()
    assert [type(context["exception"]) for context in reports] == [ArithmeticError]


async def test_a_socket_that_cannot_listen_is_closed(monkeypatch):
    collect_reports()
    closed = []

    def listen(sock, backlog):
        closed.append(sock)
        raise OSError(errno.EADDRINUSE, "somebody listens")

    monkeypatch.setattr(socket.socket, "listen", listen)
    with pytest.raises(OSError, match="somebody listens"):
        await serve(echo, "127.0.0.1", 0)
    assert [sock.fileno() for sock in closed] == [-1]


class Closing(ServerConnection):
    """Close the server when it is made."""

    def connection_made(self, transport):
        super().connection_made(transport)
        self.server.close()


async def test_a_server_may_be_closed_by_a_connection_that_begins():
    reports = collect_reports()
    async with serve(echo, "127.0.0.1", 0, create_connection=Closing) as server:
        clients = [socket.create_connection(server.sockets[0].getsockname()) for _ in range(3)]
        await asyncio.wait_for(server.wait_closed(), 5)
        for client in clients:
            client.close()
    assert not reports
