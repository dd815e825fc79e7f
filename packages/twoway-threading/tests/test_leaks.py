"""
What is over is gone: no reference cycle keeps a connection until the garbage collector comes, no descriptor is left.

The I/O thread lets go of a connection a moment after its end, so that is waited for.
"""

from __future__ import annotations

import gc
import logging
import os
import threading
import weakref

import pytest

from twoway.threading import ClientConnection, ConnectionClosed, ConnectionClosedError, InvalidHandshake, connect

pytestmark = pytest.mark.usefixtures("no_gc")


@pytest.fixture
def watched(until):
    """Keep weak references to connections; wait until all of them are gone."""
    references = []

    class Watch:
        def add(self, connection):
            references.extend([weakref.ref(connection), weakref.ref(connection.protocol)])

        def make(self, *args, **kwargs):
            connection = ClientConnection(*args, **kwargs)
            self.add(connection)
            return connection

        def gone(self):
            assert references
            until(lambda: all(reference() is None for reference in references))
            return True

    return Watch()


@pytest.fixture
def watching(serving, watched):
    """Serve, and watch both ends of each connection."""

    def watching(handler, **options):
        def watch(connection):
            watched.add(connection)
            handler(connection)

        return serving(watch, **options)

    return watching


def echo(connection):
    for message in connection:
        connection.send(message)


@pytest.mark.parametrize("secure", [False, True])
def test_a_connection_is_gone_after_an_orderly_close(watching, watched, tls, secure):
    with watching(echo, ssl=tls.server if secure else None) as (_, uri):
        with connect(uri, ssl=tls.client if secure else None) as client:
            watched.add(client)
            client.send("x")
            client.recv()
            client.send(["x", "y"])
            for _ in client.recv_streaming():
                break
            client.ping().wait()
        del client
        assert watched.gone()


def test_a_connection_is_gone_after_direct_use(watching, watched):
    with watching(echo) as (_, uri):
        websocket = connect(uri, create_connection=watched.make)
        websocket.send("x")
        websocket.recv()
        websocket.close()
        del websocket
        assert watched.gone()


@pytest.mark.parametrize("end", ["abort", "bad frame", "close", "exception"])
def test_a_connection_is_gone_after_any_end(watching, watched, end):
    def handler(connection):
        connection.recv()
        if end == "exception":
            raise KeyError
        if end == "close":
            connection.close(4000, "enough")
        echo(connection)

    quiet = logging.Logger("keeps no traceback of the handler", logging.CRITICAL)
    with watching(handler, logger=quiet) as (_, uri):
        client = connect(uri).connect()
        watched.add(client)
        left_alone = client.ping()
        client.send("go on")
        if end == "abort":
            client.abort()
        elif end == "bad frame":
            client.socket.send(b"\x83\x80\0\0\0\0")
        with pytest.raises(ConnectionClosed):
            client.recv()
        with pytest.raises(ConnectionClosed):
            client.send("x")
        client.wait_closed()
        del client, left_alone
        assert watched.gone()


def test_a_connection_is_gone_after_a_bad_frame_of_the_peer(wire, watched):
    def behave(stream):
        wire.accept(stream)
        stream.write(wire.frame(0x81, b"\xff"))
        stream.read(100)

    with wire.server(behave) as uri:
        client = connect(uri).connect()
        watched.add(client)
        with pytest.raises(ConnectionClosedError, match="UTF-8"):
            client.recv()
        client.wait_closed()
        del client
        assert watched.gone()


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
    ],
)
def test_a_server_forgets_who_sent_no_handshake(serving, wire, watched, until, request_):
    with serving() as (server, uri):
        with wire.client(uri, b"") as stream:
            until(lambda: server._connections)
            watched.add(next(iter(server._connections)))
            stream.write(request_)
            stream.write_eof()
            stream.read()
        assert watched.gone()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_a_client_forgets_who_refused(wire, watched, answer):
    def behave(stream):
        stream.readuntil(b"\r\n\r\n")
        stream.write(answer)
        stream.write_eof()
        stream.read()

    with wire.server(behave) as uri:
        with pytest.raises(InvalidHandshake):
            connect(uri, create_connection=watched.make).connect()
        assert watched.gone()


def test_a_client_forgets_what_timed_out(wire, watched):
    with wire.server(lambda stream: stream.idle()) as uri:
        with pytest.raises(TimeoutError):
            connect(uri, create_connection=watched.make, open_timeout=0.1).connect()
        assert watched.gone()


def test_many_connections_leave_nothing(serving, until):
    def cycle():
        with connect(uri) as client:
            client.send("x")
            client.recv()

    def ours():
        return sum(str(type(item).__module__).startswith("twoway.") for item in gc.get_objects())

    with serving() as (server, uri):
        cycle()  # what is made once and kept
        until(lambda: not server._connections)
        before = ours()
        for _ in range(50):
            cycle()
        until(lambda: not server._connections and ours() <= before)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system does not tell")
@pytest.mark.parametrize("secure", [False, True])
def test_no_descriptor_is_left(serving, wire, tls, until, secure):
    def count():
        return len(os.listdir("/proc/self/fd"))

    def cycle():
        with connect(uri, ssl=tls.client if secure else None) as client:
            client.send("x")
            client.recv()
        client = connect(uri, ssl=tls.client if secure else None).connect()
        client.abort()
        with pytest.raises((OSError, InvalidHandshake)):
            connect(f"ws://127.0.0.1:{uri.rstrip('/').rpartition(':')[2]}/nowhere", open_timeout=0.5).connect()

    def refuse(connection, request):
        return connection.respond(404, "") if request.path == "/nowhere" else None

    with serving(ssl=tls.server if secure else None, process_request=refuse) as (_, uri):
        cycle()
        before = count()
        for _ in range(5):
            cycle()
        until(lambda: count() <= before)


def test_threads_of_handlers_end(serving, until):
    with serving() as (_, uri):
        for _ in range(3):
            with connect(uri) as client:
                client.send("x")
                client.recv()
    until(lambda: not any(thread.name.startswith("twoway-handler") for thread in threading.enumerate()))
