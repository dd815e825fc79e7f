from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from calculator import calculate, only_sums

from twoway.asyncio import ClientConnection, ConnectionClosedError, InvalidStatus, connect, serve
from twoway.protocol import Cause, ClientOptions, ServerOptions, State
from twoway.protocol.testing import connected_pair

# 1. The real thing: a server on a free port, a client, and a limit for the whole.


@asynccontextmanager
async def calculator(path: str = "/sum") -> AsyncIterator[ClientConnection]:
    async with asyncio.timeout(10), serve(calculate, "127.0.0.1", 0, process_request=only_sums) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}{path}") as client:
            yield client


def test_sums() -> None:
    async def main() -> None:
        async with calculator() as client:
            await client.send("1+2+3")
            assert await client.recv() == "6"

    asyncio.run(main())


def test_what_is_no_sum() -> None:
    async def main() -> None:
        async with calculator() as client:
            await client.send("two+two")
            with pytest.raises(ConnectionClosedError) as info:
                await client.recv()
            assert info.value.rcvd is not None
            assert (info.value.rcvd.code, info.value.rcvd.reason) == (1008, "I can only add")

    asyncio.run(main())


def test_other_paths() -> None:
    async def main() -> None:
        with pytest.raises(InvalidStatus, match="404"):
            async with calculator("/product"):
                pass

    asyncio.run(main())


# 2. The handler alone, with a stand-in for the connection.


class FakeConnection:
    def __init__(self, *messages: str) -> None:
        self.messages = messages
        self.sent: list[str] = []
        self.closed: tuple[int, str] | None = None

    async def __aiter__(self) -> AsyncIterator[str]:
        for message in self.messages:
            yield message

    async def send(self, message: str) -> None:
        self.sent.append(message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = code, reason


def test_the_handler_alone() -> None:
    connection = FakeConnection("1+1", "40+2", "?", "1")
    asyncio.run(calculate(connection))  # type: ignore[arg-type]
    assert connection.sent == ["2", "42"]
    assert connection.closed == (1008, "I can only add")


# 3. What takes long, or hardly ever happens: two peers in memory, and time that passes when the test says so.


def test_a_server_that_vanishes_is_noticed_within_25_seconds() -> None:
    pair = connected_pair(ClientOptions(ping_interval=15, ping_timeout=10))
    pair.online = False  # whatever is sent from now on does not arrive
    pair.advance(24.9)
    assert pair.client.state is State.OPEN
    pair.advance(0.2)
    assert (pair.client.state, pair.client.cause) == (State.CLOSING, Cause.HEARTBEAT)


def test_messages_cut_in_the_worst_places() -> None:
    pair = connected_pair(chunk=1)  # each byte comes alone
    pair.client.send_text("żółw+1")
    pair.exchange()
    assert pair.server_events() == ["żółw+1"]


def test_a_message_that_is_too_large() -> None:
    pair = connected_pair(server_options=ServerOptions(max_size=1000))
    pair.client.send_text("1+" * 1000)
    pair.exchange()
    assert pair.client.close_rcvd is not None and pair.client.close_rcvd.code == 1009
