"""Messages of every kind, both ways, with every peer."""

from __future__ import annotations

import asyncio
import random

import pytest

# Around the borders between the three forms of a length (RFC 6455 §5.2).
LENGTHS = [0, 1, 125, 126, 127, 65535, 65536, 65537]
TEXTS = {
    "ascii": "Hello!",
    "empty": "",
    "nul": "\0 and \0",
    "accents": "żółć, ñandú, Ελλάδα",
    "astral": "\N{SNOWMAN}\U0001f40d\U0010ffff" * 100,
    "lines": "one\r\ntwo\u2028three",
}
BINARIES = {"empty": b"", "every byte": bytes(range(256)), "looks like text": b"Hello!", "no utf-8": b"\xff\xfe\x80"}
LARGE = 1_000_000


async def exchange(ours, theirs, message):
    """Send a message each way, and check that it arrives as it was, in its type."""
    await ours.send(message)
    there = await theirs.recv()
    await theirs.send(message)
    back = await ours.recv()
    assert type(there) is type(back) is type(message)
    assert there == back == message


@pytest.mark.parametrize("message", TEXTS.values(), ids=TEXTS)
async def test_text(link, message):
    async with link() as (ours, theirs):
        await exchange(ours, theirs, message)


@pytest.mark.parametrize("message", BINARIES.values(), ids=BINARIES)
async def test_binary(link, message):
    async with link() as (ours, theirs):
        await exchange(ours, theirs, message)


async def test_every_form_of_a_length(link):
    async with link() as (ours, theirs):
        for length in LENGTHS:
            await exchange(ours, theirs, "x" * length)
            await exchange(ours, theirs, b"\xfe" * length)


async def test_large_messages(link):
    async with link() as (ours, theirs):
        await exchange(ours, theirs, random.Random(1).randbytes(LARGE))
        await exchange(ours, theirs, "ß" * (LARGE // 2))


async def test_many_messages_keep_their_order(link):
    messages = [f"message {number}" if number % 3 else b"%d" % number for number in range(200)]
    async with link() as (ours, theirs):
        for message in messages:
            await ours.send(message)
        assert [await theirs.recv() for _ in messages] == messages
        for message in messages:
            await theirs.send(message)
        assert [await ours.recv() for _ in messages] == messages


async def test_both_sides_send_at_the_same_time(link):
    message, count = "x" * 100_000, 20

    async def talk(end):
        for _ in range(count):
            await end.send(message)

    async def hear(end):
        for _ in range(count):
            assert await end.recv() == message

    async with link() as (ours, theirs), asyncio.TaskGroup() as tasks:
        for end in (ours, theirs):
            tasks.create_task(talk(end))
            tasks.create_task(hear(end))


@pytest.mark.parametrize(
    "parts", [["a żółw", " and", "", " a \N{SNAKE}"], [b"\0\xff", b"", b"rest"]], ids=["text", "binary"]
)
async def test_our_fragments(link, parts):
    async with link() as (ours, theirs):
        await ours.send(parts)
        assert await theirs.recv() == parts[0][:0].join(parts)
        await exchange(ours, theirs, "and on it goes")


async def test_our_large_fragments(link):
    parts = [bytes([number]) * 70_000 for number in range(10)]
    async with link() as (ours, theirs):
        await ours.send(parts)
        assert await theirs.recv() == b"".join(parts)


async def test_a_ping_between_our_fragments(link):
    async with link() as (ours, theirs):
        pongs = []

        async def parts():
            yield "first "
            pongs.append(await ours.ping(b"in between"))
            await pongs[0]
            yield "second"

        await ours.send(parts())
        assert await theirs.recv() == "first second"
        assert pongs[0].done()


@pytest.mark.needs("fragments")
@pytest.mark.parametrize(
    "parts",
    [["a żółw", " and", " a \N{SNAKE}"], [b"\0\xff", b"", b"rest"], ["x" * 70_000] * 5],
    ids=["text", "binary", "large"],
)
async def test_their_fragments(link, parts):
    async with link() as (ours, theirs):
        await theirs.send_fragments(parts)
        assert await ours.recv() == parts[0][:0].join(parts)
        await exchange(ours, theirs, "and on it goes")


@pytest.mark.needs("fragments")
async def test_their_fragments_as_they_come(link):
    parts = ["a żółw", " and", " a \N{SNAKE}"]
    async with link() as (ours, theirs):
        await theirs.send_fragments(parts)
        received = [part async for part in ours.recv_streaming()]
        # Some end the message with an empty frame.
        assert [part for part in received if part] == parts


@pytest.mark.parametrize("payload", [b"", b"ping", bytes(125)], ids=["empty", "short", "longest"])
async def test_our_ping(link, payload):
    async with link() as (ours, _):
        latency = await (await ours.ping(payload))
        assert latency >= 0
        assert ours.latency == latency


@pytest.mark.needs("ping")
@pytest.mark.parametrize("payload", [b"ping", bytes(range(125))], ids=["short", "longest"])
async def test_their_ping(link, payload):
    async with link() as (ours, theirs):
        await theirs.ping(payload)
        assert await theirs.recv_pong() == payload
        await exchange(ours, theirs, "and on it goes")


async def test_a_pong_that_nobody_asked_for(link):
    async with link() as (ours, theirs):
        await ours.pong(b"unasked")
        await exchange(ours, theirs, "and on it goes")


async def test_keepalive_keeps_the_connection(link):
    async with link(ours={"ping_interval": 0.05, "ping_timeout": 10}) as (ours, theirs):
        while not ours.latency:  # a ping was sent and answered
            await exchange(ours, theirs, "alive")
