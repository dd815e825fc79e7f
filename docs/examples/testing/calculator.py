from __future__ import annotations

from twoway.asyncio import Request, Response, ServerConnection


async def calculate(connection: ServerConnection) -> None:
    async for message in connection:
        try:
            numbers = [int(number) for number in str(message).split("+")]
        except ValueError:
            await connection.close(1008, "I can only add")
            return
        await connection.send(str(sum(numbers)))


def only_sums(connection: ServerConnection, request: Request) -> Response | None:
    return None if request.path == "/sum" else connection.respond(404, "There is /sum.\n")
