from __future__ import annotations

import asyncio
import json
import logging
import signal

from twoway.asyncio import Request, Response, ServerConnection, serve

PORT = 8765


def answer_http(connection: ServerConnection, request: Request) -> Response | None:
    if request.path == "/health":
        return connection.respond(200, "I am well.\n")
    if request.path != "/double":
        return connection.respond(404, "There is nothing here.\n")
    return None  # go on with the opening handshake


async def double(connection: ServerConnection) -> None:
    async for message in connection:
        try:
            number = float(message)
        except ValueError:
            await connection.close(1003, "numbers only, please")  # the loop ends by itself
        else:
            await connection.send(json.dumps({"double": 2 * number}))


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    async with serve(
        double,
        "127.0.0.1",
        PORT,
        process_request=answer_http,
        origins=[f"http://127.0.0.1:{PORT}", None],
        allowed_hosts=[f"127.0.0.1:{PORT}"],
        max_size=1000,
    ) as server:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.close)
        await server.wait_closed()
    print("Everybody is gone.")


asyncio.run(main())
