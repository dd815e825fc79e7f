"""One message to many connections."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from twoway.threading import ConnectionClosedError, ConnectionClosedOK, State, broadcast, connect

CHUNK = b"x" * 65536


def open_several(stack: ExitStack, connected: Any, options: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    return [stack.enter_context(connected(client=client)) for client in options]


@pytest.mark.feature("broadcast")
@pytest.mark.parametrize("message", ["text", b"\x00\xff", ""])
def test_everybody_gets_the_message(connected, message):
    kinds = [{}, {}, {"compression": None}]
    with ExitStack() as stack:
        pairs = open_several(stack, connected, kinds)
        assert broadcast([server for _, server in pairs], message) == []
        assert [client.recv() for client, _ in pairs] == [message] * 3


@pytest.mark.feature("broadcast")
@pytest.mark.feature("choose compression for each message")
def test_compression_of_one_message_and_of_those_around_it(connected):
    with ExitStack() as stack:
        pairs = open_several(stack, connected, [{}, {}, {"compression": None}])
        servers = [server for _, server in pairs]
        texts = ["a word " * 50, "another word " * 50]
        for server in servers:
            server.send(texts[0])
        assert broadcast(servers, texts[1], compress=True) == []
        for server in servers:
            server.send(texts[0])
        for client, _ in pairs:
            assert [client.recv() for _ in range(3)] == [texts[0], texts[1], texts[0]]


@pytest.mark.feature("broadcast")
def test_clients_can_broadcast(connected):
    with ExitStack() as stack:
        pairs = open_several(stack, connected, [{}, {}])
        assert broadcast([client for client, _ in pairs], "up", text=False) == []
        assert [server.recv() for _, server in pairs] == [b"up", b"up"]


@pytest.mark.feature("broadcast")
def test_a_handler_can_broadcast_to_all_of_its_server(serving, spawn):
    def handler(connection):
        for message in connection:
            broadcast(connection.server.connections, message)

    with serving(handler) as (_, uri), connect(uri) as first, connect(uri) as second:
        first.ping().wait()
        second.ping().wait()
        first.send("news")
        assert [first.recv(), second.recv()] == ["news"] * 2


@pytest.mark.feature("broadcast")
def test_closed_connections_are_told(connected):
    with connected() as (client, server):
        client.close()
        server.wait_closed()
        assert broadcast([server], "a") == [server]
    with pytest.raises(ConnectionClosedOK):
        client.recv()


@pytest.mark.feature("broadcast")
def test_a_fragmented_message_is_not_interrupted(connected, spawn):
    go_on = threading.Event()

    def parts():
        yield "a"
        assert go_on.wait(20)
        yield "b"

    with connected() as (client, server):
        sending = spawn(server.send, parts()).blocked()
        assert broadcast([server], "news") == [server]
        go_on.set()
        sending.result()
        assert client.recv() == "ab"
        assert broadcast([server], "news") == []
        assert client.recv() == "news"


def fill(server: Any) -> None:
    """Send until the write buffer is over its limit: the client does not read."""
    while not broadcast([server], CHUNK, compress=False):
        pass


@pytest.mark.feature("skip or close slow receivers of a broadcast")
def test_slow_connections_are_skipped_and_go_on(connected):
    with connected(client={"max_queue": 1, "compression": None}) as (client, server):
        fill(server)
        assert server.state is State.OPEN
        skipped = 0
        while broadcast([server], "news") == [server]:
            skipped += 1
            with suppress(TimeoutError):  # all is received, and the server is about to notice
                assert client.recv(timeout=0.1) == CHUNK
        assert skipped > 0
        while (message := client.recv()) != "news":
            assert message == CHUNK


@pytest.mark.feature("skip or close slow receivers of a broadcast")
def test_slow_connections_are_closed_if_wished(connected):
    with connected(client={"max_queue": 1}, server={"close_timeout": 0.1}) as (client, server):
        fill(server)
        while broadcast([server], CHUNK, compress=False, policy="close") != [server]:
            pass
        server.wait_closed()
        assert server.protocol.close_sent.code == 1008
        with pytest.raises(ConnectionClosedError):
            while True:
                client.recv()


def test_it_never_waits(serving, wire):
    """One client does not read at all, and the others get their messages all the same."""
    with (
        serving(lambda connection: connection.wait_closed(), close_timeout=0.1) as (server, uri),
        wire.opened(uri),
        connect(uri) as client,
    ):
        client.ping().wait()
        for number in range(300):
            broadcast(server.connections, CHUNK + str(number).encode(), compress=False)
            assert client.recv() == CHUNK + str(number).encode()


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((1,), TypeError, "message must be str or bytes-like"),
        (("\ud800",), ValueError, "message must be text without lone surrogates"),
    ],
)
def test_wrong_arguments(arguments, error, says):
    with pytest.raises(error, match=says):
        broadcast([], *arguments)


def test_unknown_policy():
    with pytest.raises(ValueError, match="policy must be 'skip' or 'close', not 'wait'"):
        broadcast([], "a", policy="wait")
