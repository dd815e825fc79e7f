from __future__ import annotations

import asyncio
import json

from twoway.asyncio import connect


async def main() -> None:
    async with connect("ws://127.0.0.1:8765/echo", additional_headers={"X-Visitor": "Ada"}, ping_interval=20) as ws:
        async with asyncio.timeout(5):
            print(await ws.recv())
            await ws.send(json.dumps({"number": 7}))
            print(json.loads(await ws.recv()))
            await ws.send(b"\x01\x02")
            print(await ws.recv())
        try:
            async with asyncio.timeout(0.1):
                await ws.recv()
        except TimeoutError:
            print("nothing yet")


asyncio.run(main())
