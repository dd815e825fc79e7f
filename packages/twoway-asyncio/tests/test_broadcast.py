"""One message to many connections."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from twoway.asyncio import ConnectionClosedError, ConnectionClosedOK, State, broadcast


async def open_several(stack: AsyncExitStack, connected: Any, options: list[dict[str, Any]]) -> list[tuple[Any, Any]]:
    return [await stack.enter_async_context(connected(client=client)) for client in options]


@pytest.mark.feature("broadcast")
@pytest.mark.parametrize("message", ["text", b"\x00\xff", ""])
async def test_everybody_gets_the_message(connected, message):
    kinds = [{}, {}, {"compression": None}]
    async with AsyncExitStack() as stack:
        pairs = await open_several(stack, connected, kinds)
        assert broadcast([server for _, server in pairs], message) == []
        assert [await client.recv() for client, _ in pairs] == [message] * 3


@pytest.mark.feature("broadcast")
@pytest.mark.feature("choose compression for each message")
async def test_compression_of_one_message_and_of_those_around_it(connected):
    async with AsyncExitStack() as stack:
        pairs = await open_several(stack, connected, [{}, {}, {"compression": None}])
        servers = [server for _, server in pairs]
        texts = ["a word " * 50, "another word " * 50]
        for server in servers:
            await server.send(texts[0])
        assert broadcast(servers, texts[1], compress=True) == []
        for server in servers:
            await server.send(texts[0])
        for client, _ in pairs:
            assert [await client.recv() for _ in range(3)] == [texts[0], texts[1], texts[0]]


@pytest.mark.feature("broadcast")
async def test_clients_can_broadcast(connected):
    async with AsyncExitStack() as stack:
        pairs = await open_several(stack, connected, [{}, {}])
        assert broadcast([client for client, _ in pairs], "up", text=False) == []
        assert [await server.recv() for _, server in pairs] == [b"up", b"up"]


@pytest.mark.feature("broadcast")
async def test_closed_connections_are_told(connected):
    async with connected() as (client, server):
        await client.close()
        await server.wait_closed()
        assert broadcast([server], "a") == [server]
    with pytest.raises(ConnectionClosedOK):
        await client.recv()


@pytest.mark.feature("broadcast")
async def test_a_fragmented_message_is_not_interrupted(connected):
    go_on = asyncio.Event()

    async def parts():
        yield "a"
        await go_on.wait()
        yield "b"

    async with connected() as (client, server):
        sending = asyncio.create_task(server.send(parts()))
        while not server.protocol.in_message:
            await asyncio.sleep(0)
        assert broadcast([server], "news") == [server]
        go_on.set()
        await sending
        assert await client.recv() == "ab"
        assert broadcast([server], "news") == []
        assert await client.recv() == "news"


async def fill(server: Any) -> None:
    """Send until the write buffer is over its limit: the client does not read."""
    while not broadcast([server], b"x" * 65536, compress=False):
        await asyncio.sleep(0)


@pytest.mark.feature("skip or close slow receivers of a broadcast")
async def test_slow_connections_are_skipped_and_go_on(connected):
    async with connected(client={"max_queue": 1, "compression": None}) as (client, server):
        await fill(server)
        assert server.state is State.OPEN
        for _ in range(3):
            assert broadcast([server], "lost") == [server]
        while not server._writable:
            await client.recv()
        assert broadcast([server], "news") == []
        while (message := await client.recv()) != "news":
            assert message == b"x" * 65536


@pytest.mark.feature("skip or close slow receivers of a broadcast")
async def test_slow_connections_are_closed_if_wished(connected):
    async with connected(client={"max_queue": 1}, server={"close_timeout": 0.1}) as (client, server):
        await fill(server)
        assert broadcast([server], "lost", policy="close") == [server]
        await server.wait_closed()
        assert server.protocol.close_sent.code == 1008
        with pytest.raises(ConnectionClosedError):
            while True:
                await client.recv()


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ((1,), TypeError, "message must be str or bytes-like"),
        (("\ud800",), ValueError, "message must be text without lone surrogates"),
    ],
)
async def test_wrong_arguments(arguments, error, says):
    with pytest.raises(error, match=says):
        broadcast([], *arguments)


async def test_unknown_policy():
    with pytest.raises(ValueError, match="policy must be 'skip' or 'close', not 'wait'"):
        broadcast([], "a", policy="wait")
