from __future__ import annotations

import asyncio

from twoway.asyncio import ConnectionClosedError, Request, Response, ServerConnection, serve


async def echo(ws: ServerConnection) -> None:
    assert ws.request is not None
    await ws.send(f"hello, {ws.request.headers.get('X-Visitor', 'nobody')}")
    try:
        async for message in ws:
            await ws.send(message)  # str stays text, bytes stay binary
    except ConnectionClosedError as error:
        print("failed:", error)


def dispatch(ws: ServerConnection, request: Request) -> Response | None:
    if request.path == "/health":
        return ws.respond(200, "I am well.\n")
    return None if request.path == "/echo" else ws.respond(404, "Not found.\n")


async def main() -> None:
    async with serve(echo, "127.0.0.1", 8765, process_request=dispatch, ping_interval=20, max_size=65536) as server:
        await server.serve_forever()


asyncio.run(main())
