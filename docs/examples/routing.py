from __future__ import annotations

import asyncio
from uuid import UUID

from werkzeug.routing import Map, Rule

from twoway.asyncio import ServerConnection, route


async def clock(connection: ServerConnection) -> None:
    while True:
        await connection.send(f"{asyncio.get_running_loop().time():.0f}")
        await asyncio.sleep(1)


async def channel(connection: ServerConnection, number: int) -> None:
    async for message in connection:
        await connection.send(f"channel {number}: {message!s}")


async def game(connection: ServerConnection, key: UUID, side: str) -> None:
    await connection.send(f"You play {side} in game {key.hex[:4]}.")


URL_MAP = Map(
    [
        Rule("/clock/", endpoint=clock),
        Rule("/channel/<int:number>", endpoint=channel),
        Rule("/game/<uuid:key>/<any(black, white):side>", endpoint=game),
        Rule("/room/<int:number>", redirect_to="/channel/<number>"),
    ]
)


async def main() -> None:
    async with route(URL_MAP, "127.0.0.1", 8765) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
