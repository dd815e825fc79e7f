from __future__ import annotations

import asyncio

from twoway.asyncio import ServerConnection, digest_auth, serve

USERS = [("ada", "correct horse"), ("bob", "battery staple")]


async def greet(connection: ServerConnection) -> None:
    await connection.send(f"Hello {connection.username}!")


async def main() -> None:
    authentication = digest_auth("chat", USERS)
    async with serve(
        greet,
        "127.0.0.1",
        8765,
        process_request=authentication,
        process_response=authentication.process_response,
    ) as server:
        await server.serve_forever()


asyncio.run(main())
