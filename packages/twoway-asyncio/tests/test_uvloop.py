"""The extra ``uvloop``: everything is the same on that loop; the project's own checks run all these tests on it."""

from __future__ import annotations

import asyncio

import pytest

from twoway.asyncio import connect

uvloop = pytest.importorskip("uvloop")


def test_a_client_and_a_server(serving):
    async def converse():
        async with serving() as (server, uri), connect(uri) as client:
            assert isinstance(server.get_loop(), uvloop.Loop)
            for message in ("hello", b"\0" * 100_000, ""):
                await client.send(message)
                assert await client.recv() == message
        return client

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        client = runner.run(converse())
    assert client.close_code == 1000
