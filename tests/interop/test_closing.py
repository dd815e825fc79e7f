"""The closing handshake, begun by either side, and its absence."""

from __future__ import annotations

import asyncio

import pytest

from twoway.asyncio import ConnectionClosedError, ConnectionClosedOK, PayloadTooBig

ENDINGS = {
    "normal": (1000, ""),
    "reason": (1000, "that is all"),
    "own code": (3000, "registered"),
    "longest reason": (4999, "é" * 61),
}
# Codes that a browser's pages may not choose.
FURTHER_ENDINGS = {"going away": (1001, "bye"), "policy": (1008, "no"), "try again": (1013, "later")}
LIMIT = 10_000


@pytest.mark.parametrize("ending", (ENDINGS | FURTHER_ENDINGS).values(), ids=ENDINGS | FURTHER_ENDINGS)
async def test_we_close(link, ending):
    async with link() as (ours, theirs):
        await ours.close(*ending)
        code, reason = await theirs.closed
        assert (code, reason) == ending
        # aiohttp and websocket-client answer every code with 1000.
        assert ours.close_code in (ending[0], 1000)


async def check_their_close(ours, theirs, ending):
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(theirs.close(*ending))
        await ours.wait_closed()
    assert (ours.close_code, ours.close_reason) == ending
    assert ours.protocol.close_sent == ours.protocol.close_rcvd
    # aiohttp's server takes every answer for 1000.
    assert (await theirs.closed)[0] in (ending[0], 1000)


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
async def test_the_peer_closes(link, ending):
    async with link() as (ours, theirs):
        await check_their_close(ours, theirs, ending)


@pytest.mark.needs("any code")
@pytest.mark.parametrize("ending", FURTHER_ENDINGS.values(), ids=FURTHER_ENDINGS)
async def test_the_peer_closes_with_further_codes(link, ending):
    async with link() as (ours, theirs):
        await check_their_close(ours, theirs, ending)


@pytest.mark.needs("no code")
async def test_the_peer_closes_without_a_code(link):
    async with link() as (ours, theirs):
        await theirs.close()
        with pytest.raises(ConnectionClosedOK):
            await ours.recv()
        assert (ours.close_code, ours.close_reason) == (1005, "")
        assert (await theirs.closed)[0] in (1000, 1005)


async def test_an_iteration_ends_when_the_peer_closes(link):
    async with link() as (ours, theirs):
        await theirs.send("last words")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(theirs.close(1000, "done"))
            assert [message async for message in ours] == ["last words"]


async def test_messages_before_our_close_arrive(link):
    messages = [f"message {number}" for number in range(50)]
    async with link() as (ours, theirs):
        for message in messages:
            await ours.send(message)
        await ours.close()
        assert [await theirs.recv() for _ in messages] == messages


async def test_both_close_at_the_same_time(link):
    async with link() as (ours, theirs):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ours.close(1000, "ours"))
            tasks.create_task(theirs.close(1000, "theirs"))
        assert ours.close_code == 1000
        assert (await theirs.closed)[0] == 1000


@pytest.mark.needs("abort")
async def test_the_peer_vanishes(link):
    async with link() as (ours, theirs):
        await theirs.abort()
        with pytest.raises(ConnectionClosedError):
            await ours.recv()
        assert ours.close_code == 1006


async def test_we_vanish(link):
    async with link() as (ours, theirs):
        ours.abort()
        assert (await theirs.closed)[0] == 1006


async def test_a_message_over_our_limit(link):
    async with link(ours={"max_size": LIMIT}) as (ours, theirs):
        await theirs.send("x" * LIMIT)
        assert await ours.recv() == "x" * LIMIT
        await theirs.send("x" * (LIMIT + 1))
        with pytest.raises(ConnectionClosedError) as caught:
            await ours.recv()
        assert isinstance(caught.value.__cause__, PayloadTooBig)
        assert ours.protocol.close_sent.code == 1009
        assert (await theirs.closed)[0] == 1009


@pytest.mark.needs("limit")
async def test_a_message_over_their_limit(link):
    async with link(max_size=LIMIT) as (ours, theirs):
        await ours.send("x" * (LIMIT - 1))
        assert await theirs.recv() == "x" * (LIMIT - 1)
        await ours.send("x" * (LIMIT + 1))
        with pytest.raises(ConnectionClosedError):
            await ours.recv()
        assert ours.close_code == 1009
