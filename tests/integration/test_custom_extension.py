"""The custom extension of the documentation works between client and server, alone and beside permessage-deflate."""

from __future__ import annotations

import asyncio
import runpy
from pathlib import Path
from typing import Any

import pytest

import twoway.threading
from twoway.asyncio import ServerConnection, connect, serve

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "custom_extension.py"


async def echo(websocket: ServerConnection) -> None:
    async for message in websocket:
        await websocket.send(message)


MESSAGES = ["text " * 100, b"\x00\xff" * 100, "", ["frag", "ments"]]


@pytest.mark.feature("extensions of one's own", "asyncio")
@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("message", MESSAGES)
def test_the_example_between_client_and_server(compression: str | None, message: Any) -> None:
    factory = runpy.run_path(str(EXAMPLE))["ChecksumFactory"]

    async def main() -> tuple[list[str], str | bytes]:
        options: dict[str, Any] = {"extensions": [factory()], "compression": compression}
        async with serve(echo, "127.0.0.1", 0, **options) as server:
            uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            async with asyncio.timeout(10), connect(uri, **options) as websocket:
                await websocket.send(message)
                return [extension.name for extension in websocket.extensions], await websocket.recv()

    names, answer = asyncio.run(main())
    assert names == ["x-checksum"] + ["permessage-deflate"] * (compression is not None)
    assert answer == ("fragments" if isinstance(message, list) else message)


def echo_in_a_thread(websocket: twoway.threading.ServerConnection) -> None:
    for message in websocket:
        websocket.send(message)


@pytest.mark.feature("extensions of one's own", "threading")
@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize("message", MESSAGES)
def test_the_example_between_threads(compression: str | None, message: Any) -> None:
    factory = runpy.run_path(str(EXAMPLE))["ChecksumFactory"]
    options: dict[str, Any] = {"extensions": [factory()], "compression": compression}
    with twoway.threading.serve(echo_in_a_thread, "127.0.0.1", 0, **options) as server:
        uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with twoway.threading.connect(uri, **options) as websocket:
            websocket.send(message)
            answer = websocket.recv(timeout=10)
            names = [extension.name for extension in websocket.extensions]
    assert names == ["x-checksum"] + ["permessage-deflate"] * (compression is not None)
    assert answer == ("fragments" if isinstance(message, list) else message)
