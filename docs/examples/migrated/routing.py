"""A handler for each path, and an answer in plain HTTP for all others."""

from __future__ import annotations

import asyncio

from werkzeug.routing import Map, Rule

from twoway.asyncio import ServerConnection, route


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def table(connection: ServerConnection, number: int, side: str) -> None:
    await connection.send(f"table {number}, {side}")


PATHS = Map(
    [
        Rule("/echo", endpoint=echo),
        Rule("/table/<int:number>", redirect_to="table/<number>/white"),
        Rule("/table/<int:number>/<any(white, black):side>", endpoint=table),
    ]
)


async def main() -> None:
    async with route(PATHS, "127.0.0.1", 8765) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
