"""A server for asyncio and a client with threads in one program, with passwords and compression; prints what it saw."""

from __future__ import annotations

import asyncio
import importlib
import json
from typing import Any

import twoway.frames
from twoway.asyncio import ServerConnection, digest_auth, serve
from twoway.threading import InvalidStatus, connect

PIECES = ["asyncio", "auth", "deflate", "frames", "http", "protocol", "speedups", "threading"]


async def repeat(connection: ServerConnection) -> None:
    """Answer with what comes, and who it comes from."""
    async for message in connection:
        await connection.send(message)
        await connection.send(str(connection.username))


def ask(uri: str) -> dict[str, Any]:
    """Be the client, in a thread."""
    with connect(uri, auth=("ada", "correct horse")) as connection:
        connection.send("twoway " * 10_000)
        message, name = connection.recv(timeout=10), connection.recv(timeout=10)
        extensions = [extension.name for extension in connection.protocol.extensions]
        scheme = connection.request.headers["Authorization"].partition(" ")[0]
    facts = {"length": len(message), "name": name, "extensions": extensions, "scheme": scheme}
    try:
        connect(uri, auth=("ada", "wrong")).connect()
    except InvalidStatus as exc:
        facts["refused"] = exc.response.status_code
    return {**facts, "close_code": connection.close_code, "implementation": twoway.frames.IMPLEMENTATION}


async def run() -> dict[str, Any]:
    """Run the server while the client asks."""
    check = digest_auth("chat", [("ada", "correct horse")])
    options = {"process_request": check, "process_response": check.process_response}
    async with serve(repeat, "127.0.0.1", 0, **options) as server:
        return await asyncio.to_thread(ask, f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")


def main() -> None:
    """Print what happened as JSON."""
    pieces = [importlib.import_module(f"twoway.{name}").__name__ for name in PIECES]
    print(json.dumps({**asyncio.run(run()), "pieces": pieces}))
