"""No call outlives its timeout, whatever the peer does: things end; how fast is not asserted."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import suppress

import pytest

from twoway.threading import Cause, ConnectionClosed, ConnectionClosedError, InvalidHandshake, State, connect

# Fractions of a second, so that all of this takes seconds; with the defaults most of it would take tens of them.
LIMITS = {"open_timeout": 2, "ping_interval": 0.05, "ping_timeout": 0.05, "close_timeout": 0.05, "compression": None}


@pytest.fixture
def peers(wire):
    """What peers do when the connection is open; each gets a stream and whether it has to mask."""

    def never_reads(stream, masked):
        stream.idle()

    def never_writes(stream, masked):
        while stream.read(65536):
            pass

    def stops_inside_a_frame(stream, masked):
        stream.write(wire.frame(0x82, bytes(100), masked)[:50])
        never_writes(stream, masked)

    def stops_inside_a_message(stream, masked):
        stream.write(wire.frame(0x02, bytes(100), masked))
        never_writes(stream, masked)

    def ends_its_side(stream, masked):
        stream.write_eof()
        never_writes(stream, masked)

    def vanishes(stream, masked):
        stream.read(1)
        stream.end()

    def resets(stream, masked):
        stream.reset()

    def floods_pings(stream, masked):
        while not stream.closing():
            stream.write(wire.frame(0x89, b"x" * 125, masked) * 100)
            time.sleep(0.001)

    def closes_and_goes_on(stream, masked):
        stream.write(wire.close(masked=masked))
        while not stream.closing():
            stream.write(wire.frame(0x82, bytes(100), masked) * 10)
            time.sleep(0.001)

    def breaks_a_rule_and_goes_on(stream, masked):
        stream.write(wire.frame(0x83, b"", masked))
        while not stream.closing():
            stream.write(bytes(1000))
            time.sleep(0.001)

    def closes_and_stays(stream, masked):
        stream.write(wire.close(masked=masked))
        never_writes(stream, masked)

    def quietly(behave):
        def run(stream, masked):
            with suppress(OSError):
                behave(stream, masked)

        return run

    return {name: quietly(value) for name, value in locals().items() if name in PEERS}


PEERS = [
    "never_reads",
    "never_writes",
    "stops_inside_a_frame",
    "stops_inside_a_message",
    "ends_its_side",
    "vanishes",
    "resets",
    "floods_pings",
    "closes_and_goes_on",
    "breaks_a_rule_and_goes_on",
    "closes_and_stays",
]


def send_for_ever(connection):
    while True:
        connection.send(bytes(50_000))


def send_fragments_for_ever(connection):
    def endless():
        while True:
            yield bytes(50_000)

    connection.send(endless())


def receive_for_ever(connection):
    while True:
        connection.recv()


def stream_for_ever(connection):
    while True:
        for _ in connection.recv_streaming():
            pass


def ping_for_ever(connection):
    while True:
        connection.ping().wait()


CALLS = {
    "send": send_for_ever,
    "send fragmented": send_fragments_for_ever,
    "recv": receive_for_ever,
    "recv_streaming": stream_for_ever,
    "ping": ping_for_ever,
    "close": lambda connection: connection.close(),
    "nothing": lambda connection: connection.wait_closed(),
}


def check(call, connection, peer):
    """Make a call that must end because of the peer, except where the peer shows that it lives."""
    timer = threading.Timer(0.3, connection.abort)
    if peer == "floods_pings" and call != "close":
        timer.start()
    if call in ("close", "nothing"):
        CALLS[call](connection)
    else:
        with pytest.raises(ConnectionClosed):
            CALLS[call](connection)
    connection.close()
    assert connection.state is State.CLOSED
    timer.cancel()


@pytest.mark.feature("no call outlives its timeout")
@pytest.mark.feature("time limit for the closing handshake")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("peer", PEERS)
def test_no_call_of_a_client_outlives_its_timeout(wire, peers, peer, call):
    def behave(stream):
        wire.accept(stream)
        peers[peer](stream, False)

    with wire.server(behave) as uri, connect(uri, **LIMITS) as client:
        check(call, client, peer)


@pytest.mark.feature("no call outlives its timeout")
@pytest.mark.feature("time limit for the closing handshake")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("peer", PEERS)
def test_no_call_of_a_server_outlives_its_timeout(serving, wire, peers, spawn, caplog, peer, call):
    ended = threading.Event()

    def handler(connection):
        check(call, connection, peer)
        ended.set()

    with serving(handler, **LIMITS) as (_, uri), wire.opened(uri) as stream:
        spawn(peers[peer], stream, True)
        assert ended.wait(20)
    assert [record for record in caplog.records if record.name == "twoway.server" and record.exc_info] == []


@pytest.mark.feature("no call outlives its timeout")
@pytest.mark.parametrize("peer", PEERS)
def test_closing_the_server_does_not_wait_for_peers(serving, wire, peers, spawn, peer):
    def handler(connection):
        connection.wait_closed()

    with serving(handler, **LIMITS) as (server, uri), wire.opened(uri) as stream:
        spawn(peers[peer], stream, True)
        server.close()
        server.wait_closed(20)


# The opening handshake


def silent(stream):
    stream.idle()


def stops_inside_the_answer(stream):
    stream.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgra")
    stream.idle()


def never_ends_the_headers(stream):
    stream.write(b"HTTP/1.1 101 Switching Protocols\r\n")
    while not stream.closing():
        stream.write(b"A: b\r\n")
        time.sleep(0.05)


def never_ends_the_body(stream):
    stream.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not stream.closing():
        stream.write(b"x")
        time.sleep(0.05)


@pytest.mark.feature("time limit for the opening handshake")
@pytest.mark.parametrize("behave", [silent, stops_inside_the_answer, never_ends_the_headers, never_ends_the_body])
def test_connect_does_not_outlive_its_timeout(wire, behave):
    with wire.server(behave) as uri, pytest.raises(TimeoutError, match="timed out"):
        connect(uri, open_timeout=0.2).connect()


@pytest.mark.feature("time limit for the opening handshake")
def test_connect_does_not_outlive_its_timeout_when_nobody_accepts():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(sock.getsockname())
            with pytest.raises((TimeoutError, InvalidHandshake)):
                connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/", open_timeout=0.2).connect()
        finally:
            for filler in fillers:
                filler.close()


@pytest.mark.feature("time limit for the opening handshake")
@pytest.mark.parametrize("part", [b"", b"GET / HTTP/1.1\r\nHo"])
def test_a_server_gives_up_on_slow_clients(serving, wire, caplog, part):
    caplog.set_level(logging.INFO)
    with serving(open_timeout=0.1) as (_, uri), wire.client(uri, part) as stream:
        assert int(stream.read().split()[1]) == 408
    assert len(caplog.records) == 1


@pytest.mark.feature("time limit for the opening handshake")
def test_a_server_gives_up_on_drips(serving, wire, spawn):
    def drip():
        with suppress(OSError):
            for byte in wire.REQUEST * 10:
                stream.write(bytes([byte]))
                if stream.stop.wait(0.01):
                    break

    with serving(open_timeout=0.2) as (_, uri), wire.client(uri, b"") as stream:
        spawn(drip)
        assert int(stream.readline().split()[1]) == 408


@pytest.mark.feature("time limit for the opening handshake")
def test_a_server_gives_up_on_its_own_callbacks(serving, wire):
    go_on = threading.Event()

    def process_request(connection, request):
        assert go_on.wait(20)

    with serving(process_request=process_request, open_timeout=0.1) as (_, uri), wire.client(uri) as stream:
        assert int(stream.read().split()[1]) == 503
        go_on.set()


@pytest.mark.feature("time limit for the closing handshake")
def test_a_client_that_does_not_take_the_refusal_is_dropped(serving, wire, until):
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(close_timeout=0.1) as (_, uri), wire.client(uri, request) as stream:
        stream.readuntil(b"version 13.\n")
        with suppress(ConnectionResetError):
            assert stream.read() == b""


# Keepalive


@pytest.mark.feature("keepalive: pings in a quiet time")
def test_idle_connections_are_kept_alive(connected, until):
    options = {"ping_interval": 0.02, "ping_timeout": 0.5}
    with connected(options, options) as (client, server):
        until(lambda: client.latency and server.latency)
        client.send("still here")
        assert server.recv() == "still here"


@pytest.mark.feature("keepalive: pings in a quiet time")
def test_connections_are_kept_alive_while_somebody_receives(connected, spawn, until):
    options = {"ping_interval": 0.02, "ping_timeout": 0.5}
    with connected(options, options) as (client, server):
        receiving = [spawn(end.recv) for end in (client, server)]
        until(lambda: client.latency and server.latency)
        client.send("x")
        server.send("x")
        assert [task.result() for task in receiving] == ["x", "x"]


@pytest.mark.feature("heartbeat: a dead peer is noticed")
@pytest.mark.parametrize("call", ["recv", "nothing"])
def test_a_peer_that_does_not_answer_is_found_out(silent_peer, until, call):
    with silent_peer as uri, connect(uri, **LIMITS) as client:
        if call == "nothing":
            until(lambda: client.state is State.CLOSED)
        with pytest.raises(ConnectionClosedError) as caught:
            client.recv()
        assert caught.value.cause is Cause.HEARTBEAT
        assert caught.value.sent.code == 1011


@pytest.fixture
def silent_peer(wire):
    def behave(stream):
        wire.accept(stream)
        stream.idle()

    return wire.server(behave)


@pytest.mark.feature("keepalive: pings in a quiet time")
def test_without_keepalive_a_silent_peer_is_left_alone(silent_peer):
    with silent_peer as uri, connect(uri, ping_interval=None, close_timeout=0.1) as client:
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.3)
        assert client.state is State.OPEN


@pytest.mark.feature("heartbeat: a dead peer is noticed")
def test_an_application_that_is_busy_is_not_the_fault_of_the_peer(connected):
    """Nobody receives for a while; the I/O thread keeps the connection."""
    options = {"ping_interval": 0.05, "ping_timeout": 0.2}
    with connected(options, options) as (client, server):
        for _ in range(3):
            time.sleep(0.2)
            client.send("x")
            assert server.recv() == "x"
            assert client.state is server.state is State.OPEN
