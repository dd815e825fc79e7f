from __future__ import annotations

import asyncio

from twoway.asyncio import ServerConnection, broadcast, serve


async def listen(connection: ServerConnection) -> None:
    async for _ in connection:
        pass  # clients of this server only listen


async def main() -> None:
    async with serve(listen, "127.0.0.1", 8765, slow_consumer="skip") as server:
        number = 0
        while True:
            await asyncio.sleep(0.1)
            number += 1
            late = broadcast(server.connections, f"tick {number}")
            if late:
                print(f"tick {number}: {len(late)} did not get it")


if __name__ == "__main__":
    asyncio.run(main())
