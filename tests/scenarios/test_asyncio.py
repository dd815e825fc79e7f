"""No call of the asyncio driver outlives its timeout, whatever the peer does, on the stock loop and on uvloop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from twoway.asyncio import ConnectionClosed, InvalidHandshake, State, broadcast, connect, serve

CHUNK = b"x" * 65536
MANY = 500


async def send(connection: Any) -> None:
    for _ in range(MANY):
        await connection.send(CHUNK)
    await connection.wait_closed()


async def send_fragmented(connection: Any) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(MANY):
            yield CHUNK

    await connection.send(parts())
    await connection.wait_closed()


async def receive(connection: Any) -> None:
    while True:
        await connection.recv()


async def ping(connection: Any) -> None:
    while True:
        await (await connection.ping())
        await asyncio.sleep(0.01)


async def close(connection: Any) -> None:
    await connection.close()


async def send_and_close(connection: Any) -> None:
    sending = asyncio.create_task(send(connection))
    await asyncio.sleep(0.1)
    await connection.close()
    await asyncio.gather(sending, return_exceptions=True)


async def broadcast_and_close(connection: Any) -> None:
    while not broadcast([connection], CHUNK):
        await asyncio.sleep(0)
    await connection.close()


async def leave(connection: Any) -> None:
    """Leave it to the end of the context, or of the handler."""


CALLS = [send, send_fragmented, receive, ping, close, send_and_close, broadcast_and_close, leave]


async def attempt(call: Any, connection: Any) -> None:
    with contextlib.suppress(ConnectionClosed):
        await call(connection)


async def as_client(peers: Any, behaviour: Any, call: Any) -> None:
    secure = peers.secure(behaviour)
    with peers.serve(behaviour) as port:
        uri = f"{'wss' if secure else 'ws'}://localhost:{port}/"
        options = {**peers.options(behaviour), "host": "127.0.0.1", "ssl": peers.client_tls if secure else None}
        try:
            async with connect(uri, **options) as connection:
                await attempt(call, connection)
            assert connection.state is State.CLOSED
        except (TimeoutError, InvalidHandshake):
            assert behaviour.__name__ == "stops_inside_the_handshake"


async def as_server(peers: Any, behaviour: Any, call: Any) -> None:
    secure = peers.secure(behaviour)
    handled: list[Any] = []

    async def handler(connection: Any) -> None:
        handled.append(connection)
        await attempt(call, connection)

    options = {**peers.options(behaviour), "ssl": peers.server_tls if secure else None}
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        peers.connect(behaviour, server.sockets[0].getsockname()[1])
        while not server._connections and not handled:
            await asyncio.sleep(0.01)
        while server._connections or server._tasks:
            await asyncio.sleep(0.01)
    assert all(connection.state is State.CLOSED for connection in handled)
    assert bool(handled) is (behaviour.__name__ != "stops_inside_the_handshake")


async def end_server(peers: Any, behaviour: Any, how: str) -> None:
    """Close a server with one connection whose handler does nothing but receive."""
    secure = peers.secure(behaviour)
    seen: list[Any] = []  # requests; a connection may be gone before anybody looks
    options = {
        **peers.options(behaviour),
        "ssl": peers.server_tls if secure else None,
        "process_request": lambda connection, request: seen.append(request),
    }

    async def handler(connection: Any) -> None:
        await attempt(receive, connection)

    async with serve(handler, "127.0.0.1", 0, **options) as server:
        peers.connect(behaviour, server.sockets[0].getsockname()[1])
        while not server._connections and not seen:
            await asyncio.sleep(0.01)
        if how == "close":
            server.close()
            await server.wait_closed()
        elif how == "shutdown":
            await server.shutdown(grace=2)


async def within(limit: float, scenario: Any) -> str:
    """Give what is wrong with a scenario, nothing if it ended well and in time."""
    try:
        async with asyncio.timeout(limit):
            await scenario
    except TimeoutError:
        return "has not ended"
    except Exception as exc:
        return repr(exc)
    return ""


async def run_all(peers: Any, run: Any, calls: list[Any]) -> dict[str, str]:
    names = {call if isinstance(call, str) else call.__name__: call for call in calls}
    scenarios = {f"{b.__name__} x {n}": run(peers, b, c) for b in peers.behaviours for n, c in names.items()}
    # All at once, each with a little more than the limit, as they share a machine.
    results = await asyncio.gather(*(within(2 * peers.limit, scenario) for scenario in scenarios.values()))
    return {name: wrong for name, wrong in zip(scenarios, results, strict=True) if wrong}


@pytest.fixture(params=["asyncio", "uvloop"])
def runner(request: pytest.FixtureRequest) -> Any:
    with asyncio.Runner(loop_factory=pytest.importorskip(request.param).new_event_loop) as runner:
        yield runner


@pytest.mark.parametrize(
    ("run", "calls"),
    [(as_client, CALLS), (as_server, CALLS), (end_server, ["close", "shutdown", "context exit"])],
    ids=["client", "server", "end of the server"],
)
def test_everything_ends(runner: Any, peers: Any, run: Any, calls: list[Any]) -> None:
    assert runner.run(run_all(peers, run, calls)) == {}
