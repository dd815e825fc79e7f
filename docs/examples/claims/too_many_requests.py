"""A server that answers 429, "come back in a second", and then accepts: does a client that reconnects come back?"""

from __future__ import annotations

import asyncio
import http
import sys
from typing import Any

from libraries import address, library

attempts: list[float] = []


def process_request(connection: Any, request: Any) -> Any:
    attempts.append(asyncio.get_running_loop().time())
    if len(attempts) == 1:
        response = connection.respond(http.HTTPStatus.TOO_MANY_REQUESTS, "Not now.\n")
        response.headers["Retry-After"] = "1"
        return response
    return None


async def handler(connection: Any) -> None:
    await connection.wait_closed()


async def main() -> None:
    api = library(sys.argv)
    async with api.serve(handler, "127.0.0.1", 0, process_request=process_request) as server:
        try:
            async for connection in api.connect(address(server)):
                print("connected; waited as long as the server had said:", attempts[1] - attempts[0] >= 1)
                await connection.close()
                break
        except api.InvalidStatus as error:
            print(f"given up: {error}")


asyncio.run(main())
