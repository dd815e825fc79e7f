from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import aiofastnet

from twoway.asyncio import ServerConnection, serve


def new_event_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()  # or uvloop.new_event_loop()

    def create(fast: Any, original: Any, *args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs) if kwargs.get("ssl") else fast(loop, *args, **kwargs)

    for name in ("create_connection", "create_server"):
        setattr(loop, name, partial(create, getattr(aiofastnet, name), getattr(loop, name)))
    return loop


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main() -> None:
    async with serve(echo, "127.0.0.1", 8765) as server:
        await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())
