"""The same over TLS, both ways, with every peer."""

from __future__ import annotations

import asyncio
import ssl

import pytest


async def test_messages(link, certificates):
    async with link(tls=certificates) as (ours, theirs):
        for message in ("żółć", b"\0\xff", "", b"\xfe" * 1_000_000):
            await ours.send(message)
            assert await theirs.recv() == message
            await theirs.send(message)
            assert await ours.recv() == message


async def test_fragments_and_pings(link, certificates):
    async with link(tls=certificates) as (ours, theirs):
        await ours.send(["x" * 100_000] * 3)
        assert await theirs.recv() == "x" * 300_000
        assert await (await ours.ping()) >= 0


async def test_both_sides_send_at_the_same_time(link, certificates):
    async with link(tls=certificates) as (ours, theirs):
        message = "x" * 100_000
        async with asyncio.TaskGroup() as tasks:
            for _ in range(10):
                tasks.create_task(ours.send(message))
                tasks.create_task(theirs.send(message))
                assert await ours.recv() == await theirs.recv() == message


async def test_we_close(link, certificates):
    async with link(tls=certificates) as (ours, theirs):
        await ours.close(3000, "done")
        assert await theirs.closed == (3000, "done")


async def test_the_peer_closes(link, certificates):
    async with link(tls=certificates) as (ours, theirs):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(theirs.close(3000, "done"))
            await ours.wait_closed()
        assert (ours.close_code, ours.close_reason) == (3000, "done")


@pytest.mark.needs("abort")
async def test_the_peer_vanishes(link, certificates):
    async with link(tls=certificates) as (ours, theirs):
        await theirs.abort()
        await ours.wait_closed()
        assert ours.close_code == 1006


@pytest.mark.only("server")
async def test_a_server_that_nobody_vouches_for(link, certificates):
    with pytest.raises(ssl.SSLCertVerificationError):
        async with link(tls=certificates, ours={"ssl": ssl.create_default_context()}):
            pass
