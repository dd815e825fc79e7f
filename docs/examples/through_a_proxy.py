from __future__ import annotations

import asyncio
import logging

from twoway.asyncio import ProxyError, connect

PROXY = "http://ada:correct%20horse@127.0.0.1:8765"


async def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # tells which proxy is taken
    async with connect("ws://chat.example/", proxy=PROXY, proxy_headers={"X-Team": "blue"}) as connection:
        print(await connection.recv())
    try:
        await connect("ws://forbidden.example/", proxy=PROXY)
    except ProxyError as exc:
        print(exc)


asyncio.run(main())
