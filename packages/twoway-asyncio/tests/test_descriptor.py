"""When a large message may go past the transport, and that nobody notices when it does."""

from __future__ import annotations

import asyncio
import sys

import pytest

from twoway.asyncio._descriptor import free_descriptor


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
