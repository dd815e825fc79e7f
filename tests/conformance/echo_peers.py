"""
The peers that the Autobahn testsuite talks to, with the driver asyncio or threading, and the codec pure or compiled.

    python echo_peers.py CODEC DRIVER server PORT          echo server, until it is terminated
    python echo_peers.py CODEC DRIVER client PORT AGENT    runs every case of a fuzzing server, has the report written
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

import twoway.threading
from twoway.asyncio import ConnectionClosed, connect, serve
from twoway.deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from twoway.frames import IMPLEMENTATION

# Section 9 sends messages of 16 MiB, and of 65,536 frames; sections 12 and 13 want every message compressed.
_OPTIONS: dict[str, Any] = {"max_size": 1 << 25, "max_fragments": None, "ping_interval": None, "compression": None}
_CLIENT = {**_OPTIONS, "extensions": [ClientPerMessageDeflateFactory(threshold=0)]}
_SERVER = {**_OPTIONS, "extensions": [ServerPerMessageDeflateFactory(threshold=0)]}


async def echo(websocket: Any) -> None:
    """Send back every message, as what it came."""
    async for message in websocket:
        await websocket.send(message)


async def run_server(port: int) -> None:
    """Serve until terminated."""
    async with serve(echo, "127.0.0.1", port, **_SERVER) as server:
        print("ready", flush=True)
        await server.serve_forever()


async def run_client(port: int, agent: str) -> None:
    """Run the cases one by one, each on a connection of its own."""
    base = f"ws://127.0.0.1:{port}"
    async with connect(f"{base}/getCaseCount", **_CLIENT) as websocket:
        count = int(await websocket.recv())
    for case in range(1, count + 1):
        # What the case provokes is judged by the fuzzing server.
        with contextlib.suppress(ConnectionClosed):
            async with connect(f"{base}/runCase?case={case}&agent={agent}", **_CLIENT) as websocket:
                await echo(websocket)
    async with connect(f"{base}/updateReports?agent={agent}", **_CLIENT):
        pass


def echo_in_thread(websocket: Any) -> None:
    """Send back every message, as what it came."""
    for message in websocket:
        websocket.send(message)


def run_server_in_threads(port: int) -> None:
    """Serve until terminated."""
    with twoway.threading.serve(echo_in_thread, "127.0.0.1", port, **_SERVER) as server:
        print("ready", flush=True)
        server.serve_forever()


def run_client_in_thread(port: int, agent: str) -> None:
    """Run the cases one by one, each on a connection of its own."""
    base = f"ws://127.0.0.1:{port}"
    with twoway.threading.connect(f"{base}/getCaseCount", **_CLIENT) as websocket:
        count = int(websocket.recv())
    for case in range(1, count + 1):
        uri = f"{base}/runCase?case={case}&agent={agent}"
        with contextlib.suppress(ConnectionClosed), twoway.threading.connect(uri, **_CLIENT) as websocket:
            echo_in_thread(websocket)
    with twoway.threading.connect(f"{base}/updateReports?agent={agent}", **_CLIENT):
        pass


def main() -> None:
    """Run the command line."""
    codec, driver, role, port, *rest = sys.argv[1:]
    if codec != IMPLEMENTATION:
        raise SystemExit(f"the codec in use is {IMPLEMENTATION}, and not {codec}")
    with contextlib.suppress(KeyboardInterrupt):
        if driver == "asyncio":
            asyncio.run(run_server(int(port)) if role == "server" else run_client(int(port), *rest))
        elif role == "server":
            run_server_in_threads(int(port))
        else:
            run_client_in_thread(int(port), *rest)


if __name__ == "__main__":
    main()
