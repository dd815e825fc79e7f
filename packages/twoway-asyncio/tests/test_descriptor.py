"""When messages may go past the transport, and that nobody notices when they do."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from contextlib import asynccontextmanager

import pytest

from twoway.asyncio import ConnectionClosedError
from twoway.asyncio._descriptor import free_descriptor

SIZES = pytest.mark.parametrize("size", [5, 100, 40_000])


class Unknown:
    """A transport of a kind that nobody knows."""


def ask(connection):
    return free_descriptor(connection.transport, asyncio.get_running_loop())


@pytest.mark.skipif(sys.platform == "win32", reason="sockets of its loop are written to by their transports only")
async def test_a_socket_for_which_nothing_waits(connected):
    async with connected() as ends:
        for connection in ends:
            assert ask(connection) == connection.transport.get_extra_info("socket").fileno() > 0


async def test_not_while_something_waits_to_be_written(connected):
    async with connected({"max_size": None}) as (client, server):
        server.transport.write(b"\x82\x7f" + (1 << 40).to_bytes(8))  # a frame that goes on for ever
        while not server.transport.get_write_buffer_size():
            server.transport.write(bytes(100_000))
        assert ask(server) == -1
        server.abort()
        await client.wait_closed()


async def test_not_when_the_transport_is_closing(connected):
    async with connected() as (client, _):
        client.abort()
        assert ask(client) == -1


async def test_not_over_tls(connected):
    async with connected(secure=True) as ends:
        assert [ask(connection) for connection in ends] == [-1, -1]


async def test_not_from_another_loop(connected):
    async with connected() as (client, _):
        assert await asyncio.to_thread(free_descriptor, client.transport, asyncio.get_running_loop()) == -1


def test_not_with_a_transport_that_nobody_knows():
    assert free_descriptor(Unknown(), None) == -1


@pytest.mark.parametrize("secure", [False, True])
async def test_messages_of_all_sizes_stay_in_order_when_the_peer_is_slow(connected, secure):
    sizes = [0, 40_000, 5, 3_000_000, 32_768, 32_769, 1, 70_000, 500, 9_000_000, 2] * 2
    messages = [bytes([i]) * size if i % 2 else chr(65 + i) * size for i, size in enumerate(sizes)]
    async with connected({"max_size": None, "compression": None}, {"compression": None}, secure) as (client, server):
        sending = asyncio.create_task(send_all(server, messages))
        await asyncio.sleep(0.05)  # until no more can be written
        for message in messages:
            assert await client.recv() == message
        await sending


async def send_all(connection, messages):
    for message in messages:
        await connection.send(message)


# Where the bytes go: what follows is the same with every transport, and with the pure codec


@pytest.fixture
def raw(serving, wire):
    """Open a connection to a server whose client is a blocking socket; give the socket, and the server's end."""

    @asynccontextmanager
    async def raw(**options):
        accepted = asyncio.get_running_loop().create_future()

        async def handler(connection):
            accepted.set_result(connection)
            await connection.wait_closed()

        async with serving(handler, compression=None, **options) as (_, uri):
            with socket.create_connection(("127.0.0.1", int(uri.rstrip("/").rpartition(":")[2]))) as peer:
                peer.sendall(wire.REQUEST)
                server = await accepted
                assert peer.recv(65536).endswith(b"\r\n\r\n")
                try:
                    yield peer, server
                finally:
                    server.abort()

    return raw


async def read(peer, size):
    """Read so many bytes, while the loop goes on."""
    loop, received = asyncio.get_running_loop(), bytearray()
    peer.setblocking(False)
    while len(received) < size:
        received += await loop.sock_recv(peer, 65536)
    return bytes(received)


def have(end):
    """Give what can be read at once."""
    end.setblocking(False)
    try:
        return end.recv(1)
    except BlockingIOError:
        return b""


def fill(fd):
    """Write to a socket until it takes no more; give what it took."""
    taken = bytearray()
    for size in (65536, 1):
        while True:
            try:
                taken += bytes(os.write(fd, bytes(size)))
            except BlockingIOError:
                break
    return bytes(taken)


def one_frame(size):
    """Make an unmasked binary frame of zeros."""
    length = struct.pack("!B", size) if size < 126 else b"\x7e" + struct.pack("!H", size)
    return b"\x82" + length + bytes(size)


@SIZES
async def test_behind_bytes_that_wait_in_the_transport(raw, size):
    async with raw() as (peer, server):
        filler = bytes(8_000_000)
        server.transport.write(filler)
        assert server.buffered_amount > 0
        server.transport.set_write_buffer_limits(1 << 30)
        server.resume_writing()
        await server.send(bytes(size))
        expected = filler + one_frame(size)
        assert await read(peer, len(expected)) == expected


@SIZES
async def test_a_socket_that_takes_nothing(raw, size):
    async with raw() as (peer, server):
        filler = fill(server.transport.get_extra_info("socket").fileno())
        await server.send(bytes(size))
        assert server.buffered_amount == len(one_frame(size))
        expected = filler + one_frame(size)
        assert await read(peer, len(expected)) == expected


@pytest.mark.parametrize("size", [5_000, 20_000, 30_000, 40_000])
async def test_a_socket_that_takes_a_part(raw, size):
    async with raw(write_limit=1 << 20) as (peer, server):
        expected = b""
        while not server.transport.get_write_buffer_size():
            await server.send(bytes(size))
            expected += one_frame(size)
            await asyncio.sleep(0)  # else they are joined
        await server.send(bytes(size))
        expected += one_frame(size)
        assert await read(peer, len(expected)) == expected


@SIZES
async def test_nothing_is_sent_once_the_transport_is_aborted(raw, size):
    async with raw() as (peer, server):
        server.transport.abort()
        with pytest.raises(ConnectionClosedError):
            await server.send(bytes(size))
        assert await read_to_the_end(peer) == b""


async def read_to_the_end(peer):
    peer.setblocking(False)
    received = b""
    while True:
        try:
            data = await asyncio.get_running_loop().sock_recv(peer, 65536)
        except ConnectionResetError:
            data = b""
        if not data:
            return received
        received += data


@SIZES
@pytest.mark.parametrize("delay", [0, 1, 2, 3])
async def test_nothing_is_sent_to_who_has_the_descriptor_now(raw, size, delay):
    """The handler drops the connection; the number of its descriptor is given to the next that is opened."""
    async with raw() as (peer, server):
        fd = server.transport.get_extra_info("socket").fileno()
        server.transport.abort()
        sending = asyncio.create_task(send_later(server, size, delay))
        ends = []
        for _ in range(6):
            ends.append(socket.socketpair())
            await asyncio.sleep(0)
        with pytest.raises(ConnectionClosedError):
            await server.recv()
        await asyncio.wait([sending])
        sending.exception()
        assert fd in [end.fileno() for pair in ends for end in pair]
        assert [have(end) for pair in ends for end in pair] == [b""] * 12
        for pair in ends:
            for end in pair:
                end.close()
        assert await read_to_the_end(peer) == b""


async def send_later(connection, size, rounds):
    for _ in range(rounds):
        await asyncio.sleep(0)
    for _ in range(3):
        await connection.send(bytes(size))


@SIZES
async def test_a_reset_that_nobody_has_heard_of(raw, size):
    async with raw() as (peer, server):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        await server.send(bytes(size))
        with pytest.raises(ConnectionClosedError) as caught:
            await server.recv()
        assert isinstance(caught.value.__cause__, (ConnectionResetError, BrokenPipeError))  # to the second write
        with pytest.raises(ConnectionClosedError):
            await server.send(bytes(size))


@SIZES
async def test_a_peer_that_is_gone(raw, size):
    async with raw() as (peer, server):
        peer.close()
        with pytest.raises(ConnectionClosedError):
            while True:
                await server.send(bytes(size))
                await asyncio.sleep(0)


async def test_a_limit_of_0_for_the_write_buffer(raw):
    async with raw() as (peer, server):
        server.transport.set_write_buffer_limits(0)
        for _ in range(3):
            await asyncio.wait_for(server.send(bytes(100)), 5)
            await asyncio.sleep(0)
            assert server.buffered_amount == 0
        filler = fill(server.transport.get_extra_info("socket").fileno())
        sending = asyncio.create_task(server.send(bytes(100)))
        await asyncio.sleep(0.01)
        assert not sending.done()
        expected = one_frame(100) * 3 + filler + one_frame(100)
        assert await read(peer, len(expected)) == expected
        assert await sending is True


@pytest.mark.parametrize("secure", [False, True])
async def test_a_loop_that_looks_for_mistakes(connected, secure):
    asyncio.get_running_loop().set_debug(True)
    async with connected(secure=secure) as (client, server):
        for sender, receiver in ((client, server), (server, client)):
            await sender.send("one")
            assert await receiver.recv() == "one"
