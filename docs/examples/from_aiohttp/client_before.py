from __future__ import annotations

import asyncio

import aiohttp


async def main() -> None:
    async with (
        aiohttp.ClientSession(headers={"X-Visitor": "Ada"}) as session,
        session.ws_connect("ws://127.0.0.1:8765/echo", heartbeat=20, compress=15) as ws,
    ):
        print(await ws.receive_str(timeout=5))
        await ws.send_json({"number": 7})
        print(await ws.receive_json(timeout=5))
        await ws.send_bytes(b"\x01\x02")
        print(await ws.receive_bytes(timeout=5))
        try:
            await ws.receive(timeout=0.1)
        except TimeoutError:
            print("nothing yet")


asyncio.run(main())
