from __future__ import annotations

import asyncio
from http.cookiejar import CookieJar

from twoway.asyncio import connect
from twoway.auth import Redirects
from twoway.http import WebSocketURI


def show(source: WebSocketURI, target: WebSocketURI) -> None:
    print(f"from {source.path} to {target.path}")


async def main() -> None:
    jar = CookieJar()
    policy = Redirects(limit=3, on_redirect=show)
    async with connect("ws://127.0.0.1:8765/old", redirects=policy, cookies=jar) as connection:
        print(await connection.recv())
    print([f"{cookie.name}={cookie.value}" for cookie in jar])


asyncio.run(main())
