from __future__ import annotations

import asyncio

from twoway.asyncio import Request, Response, ServerConnection, serve

PROXIES = {"127.0.0.1", "::1"}


def client_address(connection: ServerConnection) -> str:
    """Return the address that our proxy has seen: what it appended, not what clients may have written before."""
    assert connection.request is not None
    address: str = connection.remote_address[0]
    forwarded = connection.request.headers.get_all("X-Forwarded-For")
    if address in PROXIES and forwarded:
        return ",".join(forwarded).rpartition(",")[2].strip()
    return address


def health(connection: ServerConnection, request: Request) -> Response | None:
    return connection.respond(200, "I am well.\n") if request.path == "/health" else None


async def handler(connection: ServerConnection) -> None:
    await connection.send(f"You are {client_address(connection)}")
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    async with serve(
        handler,
        "127.0.0.1",  # nobody but the proxy gets here
        8765,
        process_request=health,
        allowed_hosts=["chat.example"],
        ping_interval=20,  # less than the time after which the proxy gives up
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
