"""A server that asks for a name and a password, and lets only pages of its own connect from browsers."""

from __future__ import annotations

import asyncio
import hmac

from twoway.asyncio import ServerConnection, basic_auth, serve

PASSWORDS = {"ada": "correct horse", "grace": "battery staple"}


def known(username: str, password: str) -> bool:
    return hmac.compare_digest(PASSWORDS.get(username, "").encode(), password.encode())


async def handler(connection: ServerConnection) -> None:
    await connection.send(f"welcome, {connection.username}, by {connection.subprotocol}")


async def main() -> None:
    async with serve(
        handler,
        "127.0.0.1",
        8765,
        process_request=basic_auth(realm="the club", check_credentials=known),
        origins=["https://club.example", None],  # None: who sends no Origin is not a browser
        subprotocols=["club.v2", "club.v1"],
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
