"""What is done about a peer that reads more slowly than we send, or sends more than we read."""

from __future__ import annotations

import asyncio

import pytest

from twoway.asyncio import ConnectionClosedError, State, connect, serve

CHUNK = b"x" * 65536


async def send_until_slow(server) -> None:
    """Send until a message is skipped, or the connection is failed."""
    while await server.send(CHUNK, compress=False):
        await asyncio.sleep(0)


async def test_waiting_is_the_default(connected):
    async with connected(client={"max_queue": 1}) as (client, server):
        sending = [asyncio.create_task(server.send(CHUNK * 16, compress=False)) for _ in range(20)]
        received = [await client.recv() for _ in sending]
        assert await asyncio.gather(*sending) == [True] * 20
        assert received == [CHUNK * 16] * 20


async def test_skipping_tells_so_and_goes_on(connected):
    async with connected(client={"max_queue": 1}, server={"slow_consumer": "skip"}) as (client, server):
        await send_until_slow(server)
        assert await server.send("skipped") is False
        assert await server.send(["also", "skipped"]) is False
        while not server._writable:
            await client.recv()
        assert await server.send("sent") is True
        while (message := await client.recv()) != "sent":
            assert message == CHUNK


async def test_closing_fails_the_connection(connected):
    options = {"slow_consumer": "close", "close_timeout": 0.1}
    async with connected(client={"max_queue": 1}, server=options) as (client, server):
        with pytest.raises(ConnectionClosedError, match="too slow"):
            await send_until_slow(server)
        with pytest.raises(ConnectionClosedError):
            await server.send("more")
        assert server.state is State.CLOSED
        assert server.close_sent.code == 1008
        with pytest.raises(ConnectionClosedError):
            while True:
                await client.recv()


async def test_a_queue_is_limited_in_bytes(connected):
    async with connected(client={"max_queue": None, "max_queue_bytes": 100_000, "compression": None}) as pair:
        client, server = pair
        sending = asyncio.create_task(server.send([b"first"]))
        await sending
        assert await client.recv() == b"first"
        sending = asyncio.gather(*(server.send(CHUNK * 8) for _ in range(40)))
        while client._reading:
            await asyncio.sleep(0)
        assert [await client.recv() for _ in range(40)] == [CHUNK * 8] * 40
        await sending


@pytest.mark.parametrize("make", [lambda **kwargs: connect("ws://localhost/", **kwargs), lambda **k: serve(print, **k)])
@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"slow_consumer": "drop"}, ValueError, "slow_consumer must be one of 'wait', 'skip', 'close', not 'drop'"),
        ({"max_queue_bytes": -1}, ValueError, "max_queue_bytes must be >= 0"),
        ({"max_queue_bytes": "1"}, TypeError, "max_queue_bytes must be an int"),
    ],
)
def test_wrong_arguments(make, arguments, error, says):
    with pytest.raises(error, match=says):
        make(**arguments)
