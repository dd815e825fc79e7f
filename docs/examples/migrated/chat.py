"""A chat: the path is the room, the first message is the name, and everybody in the room hears the rest."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from twoway.asyncio import ConnectionClosed, ServerConnection, broadcast, serve

rooms: defaultdict[str, set[ServerConnection]] = defaultdict(set)


async def handler(connection: ServerConnection) -> None:
    assert connection.request is not None
    room = rooms[connection.request.path]
    try:
        name = await connection.recv()
    except ConnectionClosed:
        return
    room.add(connection)
    try:
        broadcast(room, f"{name} has come")
        async for message in connection:
            broadcast(room, f"{name}: {message}")
    finally:
        room.discard(connection)
        broadcast(room, f"{name} has gone")


async def main() -> None:
    async with serve(handler, "127.0.0.1", 8765) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
