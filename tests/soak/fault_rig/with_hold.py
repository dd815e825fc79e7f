"""Peers that hold connections, and tell when and how these end: for hosts that vanish without a word."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import twoway.asyncio
import twoway.threading
from twoway.protocol import ConnectionClosed, WebSocketException

from . import with_asyncio, with_threading
from .workload import say

#: What bounds every wait here; seconds.
LIMITS: dict[str, Any] = {"ping_interval": 0.6, "ping_timeout": 1, "close_timeout": 1.5, "open_timeout": 2}
GRACE = 1
CHUNK = bytes(1 << 16)


def tell(what: str, begun: float, exc: BaseException | None) -> None:
    """Tell what has ended, how, when, and how long it took."""
    cause = exc.cause.name if isinstance(exc, ConnectionClosed) else ""
    now = time.monotonic()
    say({what: {"kind": type(exc).__name__, "cause": cause, "at": now, "took": now - begun}})


async def hold(uri: str, act: str, go: asyncio.Event) -> None:
    """Connect, and act when it is time, with `twoway.asyncio`."""
    begun = time.monotonic()
    try:
        connection = await twoway.asyncio.connect(uri, **LIMITS)
    except (OSError, WebSocketException) as exc:
        tell("refused", begun, exc)
        return
    say({"open": uri})
    try:
        if act != "receive":
            await go.wait()
            begun = time.monotonic()
        while act == "send":
            await connection.send(CHUNK, compress=False)
        if act == "close":
            await connection.close()
        await connection.recv()
    except ConnectionClosed as exc:
        tell("ended", begun, exc)


async def hold_all(act: str, uris: Sequence[str]) -> None:
    """Hold some connections."""
    go, loop = asyncio.Event(), asyncio.get_running_loop()
    _listen(lambda: loop.call_soon_threadsafe(go.set))
    await asyncio.gather(*(hold(uri, act, go) for uri in uris))


def hold_in_thread(uri: str, act: str, go: threading.Event) -> None:
    """Connect, and act when it is time, with `twoway.threading`."""
    begun = time.monotonic()
    try:
        connection = twoway.threading.connect(uri, **LIMITS).connect()
    except (OSError, WebSocketException) as exc:
        tell("refused", begun, exc)
        return
    say({"open": uri})
    try:
        if act != "receive":
            go.wait()
            begun = time.monotonic()
        while act == "send":
            connection.send(CHUNK, compress=False)
        if act == "close":
            connection.close()
        connection.recv()
    except ConnectionClosed as exc:
        tell("ended", begun, exc)


def hold_all_in_threads(act: str, uris: Sequence[str]) -> None:
    """Hold some connections."""
    go = threading.Event()
    _listen(go.set)
    threads = [threading.Thread(target=hold_in_thread, args=(uri, act, go)) for uri in uris]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _listen(go: Callable[[], object]) -> None:
    """Call something when the test sends a line, whatever it says."""
    threading.Thread(target=lambda: sys.stdin.readline() and go(), name="control", daemon=True).start()


async def serve(host: str, port: int) -> None:
    """Serve, and tell when connections end, with `twoway.asyncio`."""

    async def handler(connection: Any) -> None:
        begun = time.monotonic()
        try:
            while True:
                await connection.recv()
        except ConnectionClosed as exc:
            tell("ended", begun, exc)
        except asyncio.CancelledError as exc:  # the server has no more time
            tell("ended", begun, exc)
            raise

    await with_asyncio.run_server(handler, host, [(port, None)], LIMITS, GRACE)


def serve_in_threads(host: str, port: int) -> None:
    """Serve, and tell when connections end, with `twoway.threading`."""

    def handler(connection: Any) -> None:
        begun = time.monotonic()
        try:
            while True:
                connection.recv()
        except ConnectionClosed as exc:
            tell("ended", begun, exc)

    with_threading.run_server(handler, host, [(port, None)], LIMITS, GRACE)
