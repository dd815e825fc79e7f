"""The end of a server with two handlers, one of which does not notice that its connection was closed."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from libraries import address, library


async def handler(connection: Any) -> None:
    if connection.request.path == "/stubborn":
        await asyncio.sleep(3600)
    await connection.wait_closed()


async def main() -> None:
    api = library(sys.argv)
    server = await api.serve(handler, "127.0.0.1", 0, close_timeout=1)
    clients = [await api.connect(address(server) + path) for path in ("", "stubborn")]
    try:
        async with asyncio.timeout(5):
            if hasattr(server, "shutdown"):
                print("ended:", await server.shutdown(grace=1))
            else:
                server.close()
                await server.wait_closed()
                print("ended")
    except TimeoutError:
        print("not ended after 5 s")
    for client in clients:
        await client.close()


asyncio.run(main())
