from __future__ import annotations

import asyncio

from twoway.asyncio import ServerConnection, serve


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    async with serve(echo, "127.0.0.1", 8765) as server:
        await server.serve_forever()


asyncio.run(main())
