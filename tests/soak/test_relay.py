"""The relay does to a connection what its fate says, and nothing else."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from fault_rig import relay as module
from fault_rig.relay import DOWN, FAULTS, UP, Fate, Relay, draw

DATA = bytes(range(256)) * 400


@pytest.fixture
def through(monkeypatch):
    """Connect two ends through a relay that does what is said; give reader and writer of both."""

    @asynccontextmanager
    async def through(fate):
        monkeypatch.setattr(module, "draw", lambda seed: fate)
        accepted = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(lambda *ends: accepted.set_result(ends), "127.0.0.1", 0)
        relay = Relay(server.sockets[0].getsockname()[:2], "seed")
        await relay.start()
        client = await asyncio.open_connection("127.0.0.1", relay.port)
        ends = await accepted
        try:
            yield client, ends, relay
        finally:
            for _, writer in (client, ends):
                writer.transport.abort()
            await relay.stop()
            server.close()

    return through


def run(coroutine):
    async def limited():
        async with asyncio.timeout(30):
            await coroutine

    asyncio.run(limited())


async def transfer(source, target, data=DATA):
    """Send bytes and the end of the stream; give what arrives."""
    (_, writer), (reader, _) = source, target
    writer.write(data)
    writer.write_eof()
    return await reader.read()


@pytest.mark.parametrize(
    "fate", [Fate(), Fate(delay=0.01), Fate(rate=1e6), Fate(piece=3), Fate("split close")], ids=str
)
def test_what_is_not_harmed_arrives(through, fate):
    async def test():
        async with through(fate) as (client, server, relay):
            assert await transfer(client, server) == DATA
            assert await transfer(server, client) == DATA
            assert not relay.links[0].struck

    run(test())


@pytest.mark.parametrize("way", [UP, DOWN])
@pytest.mark.parametrize("fault", ["drop", "reset", "half-close"])
def test_so_many_bytes_pass_before_a_fault(through, fault, way):
    async def test():
        async with through(Fate(fault, way, 1000)) as (client, server, relay):
            source, target = (client, server) if way == UP else (server, client)
            try:
                received = await transfer(source, target)
            except ConnectionResetError:
                assert fault != "half-close"
            else:
                assert received == DATA[: len(received)]
                assert len(received) <= 1000
                assert len(received) == 1000 or fault != "half-close"
            assert relay.links[0].struck

    run(test())


def test_a_reset_is_a_reset(through):
    async def test():
        async with through(Fate("reset", UP, 0)) as (client, server, _):
            client[1].write(b"x")
            for reader, _ in (client, server):
                with pytest.raises(ConnectionResetError):
                    await reader.read()

    run(test())


def test_after_a_half_close_the_other_direction_still_works(through):
    async def test():
        async with through(Fate("half-close", UP, 3)) as (client, server, _):
            assert await transfer(client, server, b"abcdef") == b"abc"
            assert await transfer(server, client) == DATA

    run(test())


def test_in_silence_nothing_arrives_and_nobody_is_told(through):
    async def test():
        async with through(Fate("silence", UP, 3)) as (client, server, _):
            client[1].write(b"abcdef")
            assert await server[0].readexactly(3) == b"abc"
            server[1].write(b"answer")
            client[1].write_eof()
            for reader, _ in (client, server):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await reader.read()

    run(test())


def test_a_reset_is_passed_on(through):
    async def test():
        async with through(Fate()) as (client, server, _):
            module.Link(Fate(), {UP: client[1]}, "")._reset()
            with pytest.raises(ConnectionResetError):
                await server[0].read()

    run(test())


def test_who_cannot_be_reached_is_not_waited_for():
    async def test():
        server = await asyncio.start_server(lambda *ends: None, "127.0.0.1", 0)
        target = server.sockets[0].getsockname()[:2]
        server.close()
        relay = Relay(target, None)
        await relay.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        assert await reader.read() == b""
        writer.close()
        await relay.stop()

    run(test())


def test_fates_can_be_repeated_and_are_of_every_kind():
    fates = [draw(f"seed {number}") for number in range(300)]
    assert fates == [draw(f"seed {number}") for number in range(300)]
    assert {fate.fault for fate in fates} == set(FAULTS)
    assert {fate.way for fate in fates} == {UP, DOWN}
