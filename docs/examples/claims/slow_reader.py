"""A broadcast of 64 MB to two clients, one of which does not read: what does the server keep for that one?"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from libraries import address, library

MESSAGE = bytes(1_000_000)


def waiting(connection: Any) -> int:
    return int(max(connection.transport.get_write_buffer_size(), getattr(connection, "buffered_amount", 0)))


async def main() -> None:
    api = library(sys.argv)
    connections: list[Any] = []

    async def handler(connection: Any) -> None:
        connections.append(connection)
        await connection.wait_closed()

    async with api.serve(handler, "127.0.0.1", 0, compression=None) as server:
        lazy = await api.connect(address(server), max_queue=1, compression=None)
        quick = await api.connect(address(server), compression=None)
        skipped = 0
        for _ in range(64):
            skipped += len(api.broadcast(connections, MESSAGE) or ())
            assert await quick.recv() == MESSAGE
        print("memory for the lazy client:", "more than 32 MB" if waiting(connections[0]) > 32e6 else "less than 2 MB")
        print("skipped, and told so:", skipped > 0)
        for connection in (*connections, lazy, quick):
            connection.transport.abort()


asyncio.run(main())
