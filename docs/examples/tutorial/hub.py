from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

from board import Board
from server import tell

from twoway.asyncio import ServerConnection, unix_serve

FOLDER = Path(os.environ.get("BOARD_FOLDER", "/var/lib/board"))
SAVED = FOLDER / "board.json"

board = Board()
workers: dict[ServerConnection, list[str]] = {}  # -> the people there


def tell_who_is_here() -> None:
    tell(workers, {"people": sorted(person for people in workers.values() for person in people)})


async def serve_worker(connection: ServerConnection) -> None:
    tell([connection], board.whole())
    workers[connection] = []
    try:
        async for message in connection:
            change = json.loads(message)  # workers have looked at what pages sent
            if "people" in change:
                workers[connection] = change["people"]
                tell_who_is_here()
            else:
                board.apply(change)
                tell(workers, change)
    finally:
        del workers[connection]
        tell_who_is_here()


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    if SAVED.exists():
        board.apply(json.loads(SAVED.read_text(encoding="utf-8")))
    async with unix_serve(serve_worker, FOLDER / "hub.sock", compression=None, write_limit=2**22) as server:
        print("The hub is ready.", flush=True)
        await stop.wait()
        await server.shutdown(grace=2)
    SAVED.write_text(json.dumps(board.whole()), encoding="utf-8")


asyncio.run(main())
