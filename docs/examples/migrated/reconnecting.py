"""A client that listens for news, and comes back when the server was away."""

from __future__ import annotations

import asyncio

from twoway.asyncio import ConnectionClosed, connect


async def main() -> None:
    async for connection in connect("ws://127.0.0.1:8765/news", open_timeout=5):
        try:
            await connection.send("what is new?")
            async for message in connection:
                print(message, flush=True)
                if message == "good night":
                    await connection.close()
                    return
        except ConnectionClosed:
            continue


if __name__ == "__main__":
    asyncio.run(main())
