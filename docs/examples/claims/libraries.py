"""The libraries that the programs beside this one are run with, with the defaults of each."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from types import SimpleNamespace
from typing import Any

logging.disable()  # what each library says about it is not the point here
TWOWAY = ["twoway.asyncio", "twoway.protocol"]
WEBSOCKETS = ["websockets.asyncio.client", "websockets.asyncio.server", "websockets.exceptions"]
THREADS = {
    "twoway": ["twoway.threading", "twoway.protocol"],
    "websockets": ["websockets.sync.client", "websockets.sync.server", "websockets.exceptions"],
}


def library(arguments: list[str], threads: bool = False) -> Any:
    """Give all names of the library that the command line asks for; without one it is ours."""
    name = arguments[1] if arguments[1:] else "twoway"
    modules = THREADS[name] if threads else {"twoway": TWOWAY, "websockets": WEBSOCKETS}[name]
    return SimpleNamespace(**{key: value for module in modules for key, value in vars(import_module(module)).items()})


def address(server: Any) -> str:
    """Give the address of a server for clients."""
    sockets = server.sockets if hasattr(server, "sockets") else [server.socket]
    return f"ws://127.0.0.1:{next(iter(sockets)).getsockname()[1]}/"


def accept(head: bytes) -> bytes:
    """Make the answer that accepts a request for a WebSocket connection (RFC 6455 §4.2.2)."""
    lines = (line.partition(": ") for line in head.decode().split("\r\n"))
    key = next(value for name, _, value in lines if name.lower() == "sec-websocket-key")
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\n\r\n"
    ).encode()


@asynccontextmanager
async def echo_server(arguments: list[str]) -> AsyncIterator[int]:
    """Run an echo server on a free port, and give the port."""
    async with SERVERS[arguments[1] if arguments[1:] else "twoway"]() as port:
        yield port


async def echo(connection: Any) -> None:
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def with_twoway() -> AsyncIterator[int]:
    from twoway.asyncio import serve

    async with serve(echo, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def with_websockets() -> AsyncIterator[int]:
    from websockets.asyncio.server import serve

    async with serve(echo, "127.0.0.1", 0) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@asynccontextmanager
async def with_aiohttp() -> AsyncIterator[int]:
    from aiohttp import web

    async def handler(request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        async for message in connection:
            await (connection.send_str if message.type.name == "TEXT" else connection.send_bytes)(message.data)
        return connection

    app = web.Application()
    app.add_routes([web.get("/", handler)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@asynccontextmanager
async def with_picows() -> AsyncIterator[int]:
    from picows.websockets.asyncio.server import serve

    async with serve(echo, "127.0.0.1", 0) as server:
        yield next(iter(server.sockets)).getsockname()[1]


SERVERS = {"twoway": with_twoway, "websockets": with_websockets, "aiohttp": with_aiohttp, "picows": with_picows}
