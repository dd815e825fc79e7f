from __future__ import annotations

import asyncio
import logging
import signal

from twoway.asyncio import ServerConnection, serve


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        if message == "never mind":
            await asyncio.Event().wait()  # a handler that would wait for ever
        await connection.send(message)
    # The loop has ended, for the connection is closed: here is time to tidy up.


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serve(echo, "127.0.0.1", 8765) as server:
        await stop.wait()
        report = await server.shutdown(grace=2, spread=1, code=1012, reason="back in a minute")
    print(f"{report.closed} closed, {report.aborted} aborted, {report.cancelled} handlers cancelled")


if __name__ == "__main__":
    asyncio.run(main())
