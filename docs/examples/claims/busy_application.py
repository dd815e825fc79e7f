"""A client is busy with a message for longer than a pong may take, while more messages wait: is it dropped?"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from libraries import address, library


async def handler(connection: Any) -> None:
    for number in range(200):
        await connection.send(f"{number} " + "x" * 100_000)


async def main() -> None:
    api = library(sys.argv)
    async with api.serve(handler, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        # By default both are twenty seconds; this application takes ten times that for its first message.
        connection = await api.connect(address(server), compression=None, ping_interval=0.2, ping_timeout=0.2)
        received = 0
        try:
            async for _ in connection:
                received += 1
                if received == 1:
                    await asyncio.sleep(2)
            print(f"all of 200 messages: {received == 200}, close code {connection.close_code}")
        except api.ConnectionClosed as error:
            print(f"all of 200 messages: {received == 200}, {error}")


asyncio.run(main())
