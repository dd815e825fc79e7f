from __future__ import annotations

import asyncio

from twoway.asyncio import ServerConnection, serve
from twoway.http import HTTPLimits


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    async with serve(
        echo,
        "127.0.0.1",
        8765,
        max_connections=1000,
        max_connections_per_address=2,
        max_handshakes=100,
        limits=HTTPLimits(max_line=2048, max_headers=50, max_body=0),
        open_timeout=5,
        max_size=65536,
        max_queue=4,
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
