from __future__ import annotations

import asyncio

from twoway.asyncio import connect


async def main() -> None:
    async with connect("ws://127.0.0.1:8765/") as connection:
        await connection.send("Hello")
        print(await connection.recv())
        await connection.send(b"\x00\x01")
        print(await connection.recv())


asyncio.run(main())
