"""permessage-deflate (RFC 7692) with every peer that has it, in every combination of parameters that it can do."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from twoway.asyncio import ConnectionClosedError, InvalidStatus
from twoway.deflate import ENGINES, ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory, is_installed

FACTORIES = {"server": ClientPerMessageDeflateFactory, "client": ServerPerMessageDeflateFactory}

RECORD = json.dumps({"id": 1, "name": "żółw", "tags": ["a", "b"], "text": "all work and no play " * 5})
# The kinds of payloads that take different ways through a compressor.
MESSAGES = {
    "empty text": "",
    "empty binary": b"",
    "one letter": "x",
    "short": "Hello!",
    "record": RECORD,
    "the same record": RECORD,  # with context takeover only a reference to the one before
    "random": random.Random(7).randbytes(5_000),
    "long run": b"\0" * 100_000,
    "text over the window": "".join(f"line {number}: żółć\n" for number in range(5_000)),
    "random over the window": random.Random(8).randbytes(70_000),
    "record again": RECORD,
}

SERVER_FORGETS = {"server_no_context_takeover": True}
CLIENT_FORGETS = {"client_no_context_takeover": True}
PARAMETERS = [
    {},
    SERVER_FORGETS,
    CLIENT_FORGETS,
    {"server_max_window_bits": 9},
    {"server_max_window_bits": 15},
    {"client_max_window_bits": 9},
    {"client_max_window_bits": 15},
    {**SERVER_FORGETS, **CLIENT_FORGETS, "server_max_window_bits": 10, "client_max_window_bits": 11},
]


def name(parameters):
    """Return a short name for parameters in the name of a test."""
    return " ".join(f"{key[0]}{'' if value is True else value}" for key, value in parameters.items()) or "plain"


each_of_ours = pytest.mark.parametrize("ours", PARAMETERS, ids=[f"ours {name(one)}" for one in PARAMETERS])
each_of_theirs = pytest.mark.parametrize("theirs", PARAMETERS, ids=[f"theirs {name(one)}" for one in PARAMETERS])


def ours_for(link, parameters, **more):
    """Return options for our side that allow permessage-deflate with some parameters and nothing else."""
    return {"extensions": [FACTORIES[link.role](**parameters, threshold=0, **more)], "compression": None}


async def exchange(ours, theirs, messages=MESSAGES):
    for kind, message in messages.items():
        await ours.send(message)
        assert await theirs.recv() == message, kind
        await theirs.send(message)
        assert await ours.recv() == message, kind


def check_negotiated(ours, theirs):
    assert [extension.name for extension in ours.extensions] == ["permessage-deflate"]
    assert theirs.deflate
    assert ours.response.headers["Sec-WebSocket-Extensions"].startswith("permessage-deflate")


async def check_compressed(ours, theirs):
    """Check that both sides really compress."""
    message, before = "x" * 50_000, (ours.sent, ours.received)
    await ours.send(message)
    assert await theirs.recv() == message
    await theirs.send(message)
    assert await ours.recv() == message
    assert ours.sent - before[0] < 2_000
    assert ours.received - before[1] < 2_000


@pytest.mark.needs("deflate")
async def test_our_default(link):
    async with link(ours={"compression": "deflate"}, deflate={}) as (ours, theirs):
        check_negotiated(ours, theirs)
        await exchange(ours, theirs)
        await check_compressed(ours, theirs)


@pytest.mark.needs("deflate")
@each_of_ours
async def test_our_parameters(link, ours):
    async with link(ours=ours_for(link, ours), deflate={}) as (connection, theirs):
        check_negotiated(connection, theirs)
        await exchange(connection, theirs)
        await check_compressed(connection, theirs)


def refused_by_ws(link, ours, theirs):
    """Tell whether ws answers 400: it does when it is to use a smaller window than the one it wants."""
    smaller = any(
        theirs.get(bits, 0) > ours.get(bits, 15) for bits in ("server_max_window_bits", "client_max_window_bits")
    )
    return link.peer.name == "ws" and link.role == "server" and smaller


@pytest.mark.needs("deflate", "parameters")
@each_of_ours
@each_of_theirs
async def test_each_combination(link, ours, theirs):
    opened = link(ours=ours_for(link, ours), deflate=theirs)
    if refused_by_ws(link, ours, theirs):
        with pytest.raises(InvalidStatus):
            await opened.__aenter__()
        return
    async with opened as (connection, end):
        check_negotiated(connection, end)
        await exchange(connection, end)
        await check_compressed(connection, end)


@pytest.mark.needs("deflate", "server window")
@pytest.mark.only("client")
@pytest.mark.parametrize("bits", range(9, 16))
async def test_a_client_that_limits_our_window(link, bits):
    async with link(ours={"compression": "deflate"}, deflate={"server_max_window_bits": bits}) as (ours, theirs):
        check_negotiated(ours, theirs)
        await exchange(ours, theirs)
        await check_compressed(ours, theirs)


# Some decline the smallest window, for zlib cannot compress with it; whatever they agree upon has to work.


@pytest.mark.needs("deflate")
async def test_our_smallest_window(link):
    which = "client_max_window_bits" if link.role == "server" else "server_max_window_bits"
    async with link(ours=ours_for(link, {which: 8}), deflate={}) as (ours, theirs):
        await exchange(ours, theirs)


@pytest.mark.needs("deflate", "smallest window")
async def test_their_smallest_window(link):
    which = "server_max_window_bits" if link.role == "server" else "client_max_window_bits"
    async with link(ours=ours_for(link, {which: 8}), deflate={}) as (ours, theirs):
        await exchange(ours, theirs)


@pytest.mark.needs("deflate", "parameters")
@pytest.mark.only("client")
async def test_a_client_that_wants_the_smallest_window(link):
    async with link(ours={"compression": "deflate"}, deflate={"server_max_window_bits": 8}) as (ours, theirs):
        await exchange(ours, theirs)


@pytest.mark.needs("deflate")
@pytest.mark.parametrize("engine", ENGINES)
async def test_each_engine(link, engine):
    assert is_installed(engine), f"install {engine} to test it"
    async with link(ours=ours_for(link, {}, engine=engine), deflate={}) as (ours, theirs):
        assert ours.extensions[0].engine == engine
        await exchange(ours, theirs)
        await check_compressed(ours, theirs)


@pytest.mark.needs("deflate")
@pytest.mark.parametrize("memory", ["low", "balanced", "high"])
async def test_each_preset(link, memory):
    async with link(ours=ours_for(link, {}, memory=memory), deflate={}) as (ours, theirs):
        check_negotiated(ours, theirs)
        await exchange(ours, theirs)


# Without compression


@pytest.mark.needs("deflate")
async def test_we_do_not_compress(link):
    async with link(ours={"compression": None}, deflate={}) as (ours, theirs):
        assert ours.extensions == ()
        assert not theirs.deflate
        await exchange(ours, theirs)


@pytest.mark.needs("plain")
async def test_the_peer_does_not_compress(link):
    async with link(ours={"compression": "deflate"}, deflate=None) as (ours, theirs):
        assert ours.extensions == ()
        assert not theirs.deflate
        await exchange(ours, theirs)


@pytest.mark.needs("deflate")
async def test_a_say_for_each_message(link):
    message = "x" * 10_000
    async with link(ours={"compression": "deflate"}, deflate={}) as (ours, theirs):
        sizes = []
        for compress in (True, False, None, False, True):
            before = ours.sent
            await ours.send(message, compress=compress)
            assert await theirs.recv() == message
            sizes.append(ours.sent - before)
        assert [size > len(message) for size in sizes] == [False, True, False, True, False]


# Context


def noise(seed):
    """Return text that compresses badly, but very well beside itself."""
    return random.Random(seed).randbytes(1_000).hex()


async def sizes_of(message, ours, theirs):
    """Exchange a message; return what it took on the wire in both directions."""
    before = ours.sent, ours.received
    await exchange(ours, theirs, {"noise": message})
    return ours.sent - before[0], ours.received - before[1]


@pytest.mark.needs("deflate")
async def test_what_came_before_is_remembered(link):
    async with link(ours={"compression": "deflate"}, deflate={}) as (ours, theirs):
        first, second = [await sizes_of(noise(1), ours, theirs) for _ in range(2)]
        assert all(again < once / 10 for once, again in zip(first, second, strict=True))


@pytest.mark.needs("deflate")
async def test_what_came_before_is_forgotten_on_demand(link):
    async with link(ours=ours_for(link, SERVER_FORGETS | CLIENT_FORGETS), deflate={}) as (ours, theirs):
        first, second = [await sizes_of(noise(1), ours, theirs) for _ in range(2)]
        assert all(again > once / 2 for once, again in zip(first, second, strict=True))


@pytest.mark.needs("deflate")
async def test_memory_is_released_while_idle(link):
    async with link(ours={"compression": "deflate", "idle_release": 0.02}, deflate={}) as (ours, theirs):
        for seed in range(3):
            await exchange(ours, theirs, {"noise": noise(seed), "again": noise(seed)})
            for _ in range(3):  # with messages that are too short for compression, long enough for a release
                await (await ours.ping())
                await asyncio.sleep(0.02)
            await exchange(ours, theirs, {"noise": noise(seed), "record": RECORD})


# Fragments and limits


@pytest.mark.needs("deflate")
@pytest.mark.parametrize("part", ["żółw " * 1_000, b"\0\xff" * 1_000, noise(1)], ids=["text", "binary", "noise"])
async def test_our_fragments(link, part):
    async with link(ours={"compression": "deflate"}, deflate={}) as (ours, theirs):
        for parts in ([part] * 10, [part], [part[:0], part, part[:0]]):
            await ours.send(parts)
            assert await theirs.recv() == part[:0].join(parts)
        await exchange(ours, theirs)


@pytest.mark.needs("deflate", "fragments")
@pytest.mark.parametrize("part", ["żółw " * 1_000, b"\0\xff" * 1_000, noise(1)], ids=["text", "binary", "noise"])
async def test_their_fragments(link, part):
    async with link(ours={"compression": "deflate"}, deflate={}) as (ours, theirs):
        for parts in ([part] * 10, [part], [part[:0], part, part[:0]]):
            await theirs.send_fragments(parts)
            assert await ours.recv() == part[:0].join(parts)
        await exchange(ours, theirs)


@pytest.mark.needs("deflate")
async def test_a_message_that_is_over_our_limit_once_inflated(link):
    limit = 100_000
    async with link(ours={"compression": "deflate", "max_size": limit}, deflate={}) as (ours, theirs):
        await theirs.send("x" * limit)
        assert await ours.recv() == "x" * limit
        await theirs.send("x" * (limit + 1))
        with pytest.raises(ConnectionClosedError):
            await ours.recv()
        assert ours.received < limit / 10
        assert (await theirs.closed)[0] == 1009


@pytest.mark.needs("deflate")
async def test_many_messages_at_once(link):
    messages = [json.dumps({"number": number, "text": "all work and no play " * 10}) for number in range(300)]
    async with link(ours={"compression": "deflate"}, deflate={}) as (ours, theirs), asyncio.TaskGroup() as tasks:
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            tasks.create_task(talk(sender, messages))
            tasks.create_task(hear(receiver, messages))


async def talk(end, messages):
    for message in messages:
        await end.send(message)


async def hear(end, messages):
    for message in messages:
        assert await end.recv() == message


@pytest.mark.needs("deflate")
async def test_compression_over_tls(link, certificates):
    async with link(tls=certificates, ours={"compression": "deflate"}, deflate={}) as (ours, theirs):
        check_negotiated(ours, theirs)
        await exchange(ours, theirs)
