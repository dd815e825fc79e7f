from __future__ import annotations

import asyncio

from twoway.asyncio import InvalidStatus, connect

URI = "ws://127.0.0.1:8765/"


async def main() -> None:
    async with connect(URI, auth=("ada", "correct horse")) as connection:
        print(await connection.recv())
    try:
        await connect(URI, auth=("ada", "wrong"))
    except InvalidStatus as exc:
        print(exc)


asyncio.run(main())
