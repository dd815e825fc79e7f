from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path

from board import Board, Change, read_wish

from twoway.asyncio import CloseCode, Request, Response, ServerConnection, broadcast, serve

# path -> file and media type
PAGE = {
    "/": ("index.html", "text/html"),
    "/board.css": ("board.css", "text/css"),
    "/board.js": ("board.js", "text/javascript"),
}

board = Board()
people: set[ServerConnection] = set()


def show_page(connection: ServerConnection, request: Request) -> Response | None:
    if request.path == "/ws":
        return None  # go on with the opening handshake
    if request.path not in PAGE:
        return connection.respond(404, "There is nothing here.\n")
    name, media_type = PAGE[request.path]
    text = (Path(__file__).parent / "page" / name).read_text(encoding="utf-8")
    headers = {"Content-Type": f"{media_type}; charset=utf-8", "Content-Security-Policy": "default-src 'self'"}
    return Response.text(200, text, headers)


def tell(listeners: Iterable[ServerConnection], change: Change) -> None:
    broadcast(listeners, json.dumps(change), policy="close")


def tell_who_is_here() -> None:
    tell(people, {"people": sorted(person.username or "somebody" for person in people)})


async def take_part(connection: ServerConnection) -> None:
    tell([connection], board.whole())
    people.add(connection)
    tell_who_is_here()
    try:
        async for message in connection:
            change = read_wish(message)
            board.apply(change)
            tell(people, change)
    except ValueError as exc:
        await connection.close(CloseCode.POLICY_VIOLATION, str(exc)[:100])
    finally:
        people.discard(connection)
        tell_who_is_here()


async def main() -> None:
    async with serve(
        take_part,
        "127.0.0.1",
        8765,
        process_request=show_page,
        max_size=200,  # bytes; what pages send is shorter
        write_limit=2**20,  # bytes; the whole board has room, and then some
    ) as server:
        print("Open http://127.0.0.1:8765/ in two windows (Ctrl-C stops).", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
