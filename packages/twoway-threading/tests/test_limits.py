"""Limits of a server: how many connections it takes, and what the others are told."""

from __future__ import annotations

import logging
import os
import socket
import threading
from contextlib import ExitStack, suppress

import pytest

from twoway.protocol import _admission as module
from twoway.threading import InvalidStatus, connect, serve, unix_connect, unix_serve

LIMITS = ["max_connections", "max_connections_per_address", "max_handshakes"]


@pytest.fixture
def silence(wire, until):
    """Connect without a request, and wait until the server knows."""

    def silence(stack, server, uri):
        before = len(server._connections)
        stream = stack.enter_context(wire.client(uri, b""))
        until(lambda: len(server._connections) > before)
        return stream

    return silence


@pytest.fixture
def count(until):
    return lambda server, expected: until(lambda: len(server._connections) == expected)


def greeted(uri, **options):
    with connect(uri, **options) as client:
        client.send("hello")
        assert client.recv() == "hello"


@pytest.mark.feature("limit connections, also for each address")
@pytest.mark.parametrize("name", LIMITS)
def test_one_too_many_gets_503_and_may_come_again_later(serving, silence, count, name):
    with serving(**{name: 2}) as (server, uri), ExitStack() as stack:
        first, _ = [silence(stack, server, uri) for _ in range(2)]
        with pytest.raises(InvalidStatus, match="503") as caught:
            connect(uri).connect()
        assert caught.value.response.headers["Retry-After"] == "1"
        first.end()
        count(server, 1)
        greeted(uri)


@pytest.mark.feature("limit connections, also for each address")
@pytest.mark.parametrize("name", LIMITS[:2])
def test_open_connections_count(serving, count, name):
    with serving(**{name: 1}) as (server, uri):
        for _ in range(3):
            with connect(uri), pytest.raises(InvalidStatus, match="503"):
                connect(uri).connect()
            count(server, 0)


def test_open_connections_are_no_handshakes(serving):
    with serving(max_handshakes=1) as (_, uri), connect(uri), connect(uri):
        greeted(uri)


@pytest.mark.feature("limit connections, also for each address")
def test_a_callback_that_thinks_is_a_handshake(serving, spawn, until):
    thinking, go_on = threading.Event(), threading.Event()

    def process_request(connection, request):
        if request.path == "/slow":
            thinking.set()
            assert go_on.wait(20)

    with serving(process_request=process_request, max_handshakes=1) as (_, uri):
        first = spawn(greeted, uri + "slow")
        assert thinking.wait(20)
        with pytest.raises(InvalidStatus, match="503"):
            connect(uri).connect()
        go_on.set()
        first.result()
        greeted(uri)


@pytest.mark.parametrize(
    "ending",
    [
        b"nonsense\r\n\r\n",  # answered without being asked
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",  # refused
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",  # answered by a callback
        b"GET /raise HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /slow HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n",  # and gone
        b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n",  # takes too long
        b"",  # and gone
    ],
)
@pytest.mark.parametrize("reset", [False, True])
def test_what_a_connection_took_is_given_back_however_it_ends(serving, wire, count, caplog, ending, reset):
    go_on = threading.Event()

    def process_request(connection, request):
        if request.path == "/slow":
            assert go_on.wait(20)
        assert request.path != "/raise"
        return connection.respond(200, "fine\n") if request.path == "/health" else None

    options = {"process_request": process_request, "open_timeout": 0.3, **dict.fromkeys(LIMITS, 1)}
    with serving(**options) as (server, uri):
        for _ in range(3):
            go_on.clear()
            with wire.client(uri, ending) as stream:
                count(server, 1)
                if reset:
                    stream.reset()
                elif ending:
                    assert b"503 " not in stream.readline() or b"/slow" in ending
            go_on.set()
            count(server, 0)
        greeted(uri)
        count(server, 0)
        admission = server._admission
        assert not (admission._admitted or admission._handshakes or admission._refused or admission._per_address)


def test_a_handler_that_raises_gives_its_place_back(serving, count, caplog):
    def handler(connection):
        raise KeyError

    with serving(handler, max_connections=1) as (server, uri):
        for _ in range(2):
            with connect(uri) as client:
                client.wait_closed()
            count(server, 0)


@pytest.mark.feature("limit connections, also for each address")
def test_addresses_are_counted_apart(serving):
    with serving(max_connections_per_address=1) as (_, uri), connect(uri):
        with pytest.raises(InvalidStatus, match="503"):
            connect(uri).connect()
        try:
            with connect(uri, local_addr=("127.0.0.2", 0), family=socket.AF_INET) as client:
                client.send("hello")
                assert client.recv() == "hello"
        except OSError:
            pytest.skip("this system has one loopback address")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX") or os.name == "nt", reason="no Unix sockets here")
def test_clients_of_a_unix_socket_have_no_address(tmp_path):
    path = tmp_path / "socket"
    serving = unix_serve(lambda connection: connection.wait_closed(), path, max_connections_per_address=1)
    with serving as server, unix_connect(path), unix_connect(path):
        assert len(server.connections) == 2


# Those who are refused


def test_who_is_refused_and_sends_nothing_is_dropped_after_the_opening_timeout(serving, silence, caplog):
    caplog.set_level(logging.INFO, "twoway.server")
    with serving(max_connections=1, open_timeout=0.1) as (server, uri), connect(uri), ExitStack() as stack:
        assert silence(stack, server, uri).read().startswith(b"HTTP/1.1 408 ")
    assert [record.getMessage() for record in caplog.records] == ["1 connection refused: max_connections=1 is reached"]


@pytest.mark.feature("limit connections, also for each address")
def test_so_many_are_refused_that_the_rest_is_dropped_at_once(serving, wire, silence, count, monkeypatch):
    monkeypatch.setattr(module, "_MAX_REFUSED", 2)
    with serving(max_connections=1) as (server, uri), connect(uri), ExitStack() as stack:
        refused = [silence(stack, server, uri) for _ in range(2)]
        with wire.client(uri, b"") as stream, suppress(ConnectionResetError):
            assert stream.read() == b""
        refused[0].write(wire.REQUEST)
        assert refused[0].read().startswith(b"HTTP/1.1 503 ")
        refused[0].close()
        count(server, 2)
        with pytest.raises(InvalidStatus, match="503"):
            connect(uri).connect()


@pytest.mark.feature("logging")
def test_a_flood_is_no_flood_of_lines(serving, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "twoway.server")
    with serving(max_connections=1) as (_, uri), connect(uri):
        for interval in (1000, 1000, 1000, 0):
            monkeypatch.setattr(module, "_LOG_INTERVAL", interval)
            with pytest.raises(InvalidStatus):
                connect(uri).connect()
    assert [record.getMessage() for record in caplog.records] == [
        "1 connection refused: max_connections=1 is reached",
        "3 connections refused: max_connections=1 is reached",
    ]


def test_closing_the_server_refuses_those_who_are_refused(serving, wire, spawn, silence, until):
    with serving(max_connections=1) as (server, uri), connect(uri), ExitStack() as stack:
        stream = silence(stack, server, uri)
        closing = spawn(server.shutdown)
        until(lambda: not server.is_serving())
        stream.write(wire.REQUEST)
        assert stream.read().startswith(b"HTTP/1.1 503 ")
        stream.close()
        assert closing.result().closed == 1


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), ("1", TypeError), (True, TypeError)])
def test_wrong_limits_are_refused_by_name(name, value, error):
    with pytest.raises(error, match=name):
        serve(lambda connection: None, "127.0.0.1", 0, **{name: value})
