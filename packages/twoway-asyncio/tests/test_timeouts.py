"""No call outlives its timeout, whatever the peer does: things end; how fast is not asserted."""

from __future__ import annotations

import asyncio
import logging
import socket
import time

import pytest

from twoway.asyncio import Cause, ConnectionClosed, ConnectionClosedError, InvalidHandshake, State, connect

# Fractions of a second, so that all of this takes seconds; with the defaults most of it would take tens of them.
LIMITS = {"open_timeout": 1, "ping_interval": 0.05, "ping_timeout": 0.05, "close_timeout": 0.05, "compression": None}


@pytest.fixture
def peers(wire):
    """What peers do when the connection is open; each gets reader, writer and whether it has to mask."""

    async def never_reads(reader, writer, masked):
        writer.transport.pause_reading()
        await asyncio.Event().wait()

    async def never_writes(reader, writer, masked):
        while await reader.read(65536):
            pass

    async def stops_inside_a_frame(reader, writer, masked):
        writer.write(wire.frame(0x82, bytes(100), masked)[:50])
        await never_writes(reader, writer, masked)

    async def stops_inside_a_message(reader, writer, masked):
        writer.write(wire.frame(0x02, bytes(100), masked))
        await never_writes(reader, writer, masked)

    async def ends_its_side(reader, writer, masked):
        writer.write_eof()
        await never_writes(reader, writer, masked)

    async def vanishes(reader, writer, masked):
        await reader.read(1)

    async def resets(reader, writer, masked):
        wire.reset(writer)

    async def floods_pings(reader, writer, masked):
        writer.transport.pause_reading()
        while not writer.transport.is_closing():
            writer.write(wire.frame(0x89, b"x" * 125, masked) * 100)
            await asyncio.sleep(0)

    async def closes_and_goes_on(reader, writer, masked):
        writer.write(wire.close(masked=masked))
        while not writer.transport.is_closing():
            writer.write(wire.frame(0x82, bytes(100), masked) * 10)
            await asyncio.sleep(0)

    async def breaks_a_rule_and_goes_on(reader, writer, masked):
        writer.write(wire.frame(0x83, b"", masked))
        while not writer.transport.is_closing():
            writer.write(bytes(1000))
            await asyncio.sleep(0)

    async def closes_and_stays(reader, writer, masked):
        writer.write(wire.close(masked=masked))
        await never_writes(reader, writer, masked)

    return {name: value for name, value in locals().items() if name != "wire"}


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


async def send_for_ever(connection):
    while True:
        await connection.send(bytes(50_000))


async def send_fragments_for_ever(connection):
    async def endless():
        while True:
            yield bytes(50_000)

    await connection.send(endless())


async def receive_for_ever(connection):
    while True:
        await connection.recv()


async def stream_for_ever(connection):
    while True:
        async for _ in connection.recv_streaming():
            pass


async def ping_for_ever(connection):
    while True:
        await (await connection.ping())


CALLS = {
    "send": send_for_ever,
    "send fragmented": send_fragments_for_ever,
    "recv": receive_for_ever,
    "recv_streaming": stream_for_ever,
    "ping": ping_for_ever,
    "close": lambda connection: connection.close(),
    "nothing": lambda connection: connection.wait_closed(),
}


async def check(call, connection, peer):
    """Make a call that must end because of the peer, except where the peer shows that it lives."""
    if peer == "floods_pings" and call != "close":
        asyncio.get_running_loop().call_later(0.3, connection.abort)
    if call in ("close", "nothing"):
        await CALLS[call](connection)
    else:
        with pytest.raises(ConnectionClosed):
            await CALLS[call](connection)
    await connection.close()
    assert connection.state is State.CLOSED


@pytest.mark.feature("no call outlives its timeout")
@pytest.mark.feature("time limit for the closing handshake")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("peer", PEERS)
async def test_no_call_of_a_client_outlives_its_timeout(wire, peers, peer, call):
    async def behave(reader, writer):
        await wire.accept(reader, writer)
        await peers[peer](reader, writer, False)

    async with wire.server(behave) as uri, connect(uri, **LIMITS) as client:
        await check(call, client, peer)


@pytest.mark.feature("no call outlives its timeout")
@pytest.mark.feature("time limit for the closing handshake")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("peer", PEERS)
async def test_no_call_of_a_server_outlives_its_timeout(serving, wire, peers, caplog, peer, call):
    ended = asyncio.get_running_loop().create_future()

    async def handler(connection):
        await check(call, connection, peer)
        ended.set_result(None)

    async with serving(handler, **LIMITS) as (_, uri), wire.opened(uri) as (reader, writer):
        behaviour = asyncio.create_task(peers[peer](reader, writer, True))
        behaviour.add_done_callback(lambda task: task.cancelled() or task.exception())
        await ended
        behaviour.cancel()
    assert [record for record in caplog.records if record.name == "twoway.server" and record.exc_info] == []


@pytest.mark.feature("no call outlives its timeout")
@pytest.mark.parametrize("peer", PEERS)
async def test_closing_the_server_does_not_wait_for_peers(serving, wire, peers, peer):
    async def handler(connection):
        await connection.wait_closed()

    async with serving(handler, **LIMITS) as (server, uri), wire.opened(uri) as (reader, writer):
        behaviour = asyncio.create_task(peers[peer](reader, writer, True))
        behaviour.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.sleep(0)
        server.close()
        await server.wait_closed()
        behaviour.cancel()


# The opening handshake


async def silent(reader, writer):
    await asyncio.Event().wait()


async def stops_inside_the_answer(reader, writer):
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgra")
    await asyncio.Event().wait()


async def never_ends_the_headers(reader, writer):
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\n")
    while not writer.transport.is_closing():
        writer.write(b"A: b\r\n")
        await asyncio.sleep(0.05)


async def never_ends_the_body(reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b"x")
        await asyncio.sleep(0.05)


@pytest.mark.feature("time limit for the opening handshake")
@pytest.mark.parametrize("behave", [silent, stops_inside_the_answer, never_ends_the_headers, never_ends_the_body])
async def test_connect_does_not_outlive_its_timeout(wire, behave):
    async with wire.server(behave) as uri:
        with pytest.raises(TimeoutError, match="timed out"):
            await connect(uri, open_timeout=0.2)


@pytest.mark.feature("time limit for the opening handshake")
async def test_connect_does_not_outlive_its_timeout_when_nobody_accepts():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(sock.getsockname())
            with pytest.raises((TimeoutError, InvalidHandshake)):
                await connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/", open_timeout=0.2)
        finally:
            for filler in fillers:
                filler.close()


@pytest.mark.feature("time limit for the opening handshake")
@pytest.mark.parametrize(("part", "status"), [(b"", 408), (b"GET / HTTP/1.1\r\nHo", 408)])
async def test_a_server_gives_up_on_slow_clients(serving, wire, caplog, part, status):
    caplog.set_level(logging.INFO)
    async with serving(open_timeout=0.1) as (_, uri), wire.client(uri, part) as (reader, _):
        assert int((await reader.read()).split()[1]) == status
    assert len(caplog.records) == 1


@pytest.mark.feature("time limit for the opening handshake")
async def test_a_server_gives_up_on_drips(serving, wire):
    async with serving(open_timeout=0.2) as (_, uri), wire.client(uri, b"") as (reader, writer):

        async def drip():
            for byte in wire.REQUEST * 10:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.01)

        dripping = asyncio.create_task(drip())
        assert int((await reader.readline()).split()[1]) == 408
        dripping.cancel()


@pytest.mark.feature("time limit for the opening handshake")
async def test_a_server_gives_up_on_its_own_callbacks_and_stops_them(serving, wire):
    stopped = asyncio.Event()

    async def process_request(connection, request):
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with serving(process_request=process_request, open_timeout=0.1) as (_, uri), wire.client(uri) as (reader, _):
        assert int((await reader.read()).split()[1]) == 503
        await stopped.wait()


@pytest.mark.feature("time limit for the closing handshake")
async def test_a_client_that_does_not_take_the_refusal_is_dropped(serving, wire):
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serving(close_timeout=0.1) as (server, uri), wire.client(uri, request) as (reader, _):
        await reader.readuntil(b"version 13.\n")
        while server._connections:
            await asyncio.sleep(0.01)


# Keepalive


@pytest.mark.feature("keepalive: pings in a quiet time")
async def test_idle_connections_are_kept_alive(connected):
    options = {"ping_interval": 0.02, "ping_timeout": 0.5}
    async with connected(options, options) as (client, server):
        while not (client.latency and server.latency):
            await asyncio.sleep(0.01)
        await client.send("still here")
        assert await server.recv() == "still here"


@pytest.mark.feature("heartbeat: a dead peer is noticed")
async def test_a_peer_that_does_not_answer_is_found_out(wire, never):
    async def behave(reader, writer):
        await wire.accept(reader, writer)
        await never(reader, writer)

    async with wire.server(behave) as uri, connect(uri, **LIMITS) as client:
        with pytest.raises(ConnectionClosedError) as caught:
            await client.recv()
        assert caught.value.cause is Cause.HEARTBEAT
        assert caught.value.sent.code == 1011


@pytest.mark.feature("keepalive: pings in a quiet time")
async def test_without_keepalive_a_silent_peer_is_left_alone(wire, never):
    async def behave(reader, writer):
        await wire.accept(reader, writer)
        await never(reader, writer)

    async with wire.server(behave) as uri, connect(uri, ping_interval=None, close_timeout=0.1) as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.recv(), 0.3)
        assert client.state is State.OPEN


@pytest.mark.feature("heartbeat: a dead peer is noticed")
async def test_a_blocked_event_loop_is_not_the_fault_of_the_peer(wire, caplog):
    async def behave(reader, writer):
        await wire.accept(reader, writer)
        await reader.read(100)  # a ping, which makes the client wait for a sign of life
        time.sleep(0.5)  # nobody in this event loop can do anything
        await asyncio.sleep(0.01)
        writer.write(wire.frame(0x81, b"still here"))
        await asyncio.Event().wait()

    async with wire.server(behave) as uri, connect(uri, **LIMITS) as client:
        assert await client.recv() == "still here"
    assert len(caplog.records) >= 1
    assert all("the event loop was blocked" in record.getMessage() for record in caplog.records)
