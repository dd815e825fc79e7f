from __future__ import annotations

import asyncio

from twoway.asyncio import Request, Response, ServerConnection, broadcast, serve
from twoway.http import HTTPLimits


def answer_http(connection: ServerConnection, request: Request) -> Response | None:
    if request.path == "/health":
        return connection.respond(200, "I am well.\n")
    if request.path == "/announce":
        return announce(connection, request)
    return None  # go on with the opening handshake


def announce(connection: ServerConnection, request: Request) -> Response:
    if request.method != "POST":
        response = connection.respond(405, "POST what is to be announced.\n")
        response.headers["Allow"] = "POST"
        return response
    listeners = connection.server.connections
    try:
        broadcast(listeners, request.body, text=True)
    except ValueError:
        return connection.respond(400, "That is not UTF-8.\n")
    return connection.respond(200, f"Told {len(listeners)}.\n")


async def listen(connection: ServerConnection) -> None:
    await connection.wait_closed()


async def main() -> None:
    limits = HTTPLimits(max_body=1000)
    async with serve(listen, "127.0.0.1", 8765, process_request=answer_http, limits=limits) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
