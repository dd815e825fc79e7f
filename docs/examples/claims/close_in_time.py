"""How long close() takes, with close_timeout=1, for servers that do not play along. There is no keepalive here."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from libraries import accept, address, library


def peer(what: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]:
    """Make a server of bytes, which accepts the opening handshake and then does what it is told."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accept(await reader.readuntil(b"\r\n\r\n")))
        if what == "reads nothing":
            reader._transport.pause_reading()  # type: ignore[attr-defined]
        elif what == "answers, but keeps TCP open":
            await reader.readexactly(8)
            writer.write(b"\x88\x02\x03\xe8")
        while what == "sends on and on":
            writer.write(b"\x82\x7e\x40\x00" + bytes(16384))
            await writer.drain()
            await asyncio.sleep(0.001)
        await asyncio.sleep(3600)

    return serve


async def main() -> None:
    api = library(sys.argv)
    for what in ("says nothing", "answers, but keeps TCP open", "sends on and on", "reads nothing"):
        server = await asyncio.start_server(peer(what), "127.0.0.1", 0)
        connection = await api.connect(address(server), compression=None, close_timeout=1, ping_interval=None)
        sending = None
        if what == "reads nothing":
            sending = asyncio.create_task(connection.send(bytes(50_000_000)))
            await asyncio.sleep(0.2)
        start = time.monotonic()
        try:
            await asyncio.wait_for(connection.close(), 5)
            in_time = time.monotonic() - start < 2.5
            print(f"the server {what}: {'in time' if in_time else 'late'}", flush=True)
        except TimeoutError:
            print(f"the server {what}: not within 5 s", flush=True)
        connection.transport.abort()
        if sending is not None:
            await asyncio.gather(sending, return_exceptions=True)
        server.close()


asyncio.run(main())
