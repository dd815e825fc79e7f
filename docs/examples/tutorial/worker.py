from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from board import Change, read_wish
from login import Login
from server import board, people, tell

from twoway.asyncio import ClientConnection, CloseCode, ConnectionClosed, ServerConnection, backoff, serve, unix_connect

HUB = Path(os.environ.get("BOARD_FOLDER", "/var/lib/board")) / "hub.sock"
ORIGIN = os.environ.get("BOARD_ORIGIN", "https://board.example")
SECRET = bytes.fromhex(os.environ["BOARD_SECRET"])


def delays() -> Iterator[float]:
    return backoff(initial_delay=0.1, max_delay=5)


class Worker:
    hub: ClientConnection

    def __init__(self) -> None:
        self.ready = asyncio.Event()

    async def follow(self) -> None:
        async for self.hub in unix_connect(HUB, compression=None, reconnect_delays=delays):
            with suppress(ConnectionClosed):
                await self.tell_who_is_here()
                async for message in self.hub:
                    change = json.loads(message)
                    board.apply(change)
                    tell(people, change)
                    self.ready.set()

    async def ask(self, change: Change) -> None:
        with suppress(ConnectionClosed):  # then `follow` connects again, and all get the whole board
            await self.hub.send(json.dumps(change))

    async def tell_who_is_here(self) -> None:
        await self.ask({"people": [person.username for person in people]})

    async def take_part(self, connection: ServerConnection) -> None:
        tell([connection], board.whole())
        people.add(connection)
        await self.tell_who_is_here()
        try:
            async for message in connection:
                await self.ask(read_wish(message))
        except ValueError as exc:
            await connection.close(CloseCode.POLICY_VIOLATION, str(exc)[:100])
        finally:
            people.discard(connection)
            await self.tell_who_is_here()


async def main(port: int) -> None:
    logging.basicConfig(level=logging.INFO)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    worker = Worker()
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(worker.follow())
        await worker.ready.wait()
        async with serve(
            worker.take_part,
            "127.0.0.1",
            port,
            process_request=Login(SECRET),
            origins=[ORIGIN, None],
            allowed_hosts=[urlsplit(ORIGIN).netloc],
            max_connections=1000,
            max_handshakes=100,
            max_size=200,
            write_limit=2**20,
        ) as server:
            print(f"Worker {port} is ready.", flush=True)
            await stop.wait()
            logging.info("%s", await server.shutdown(grace=10, spread=2, code=CloseCode.SERVICE_RESTART))
        following.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
