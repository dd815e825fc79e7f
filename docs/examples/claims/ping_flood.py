"""A client sends 64 MB of pings and reads none of the pongs: what does the server keep for it?"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from libraries import echo_server

REQUEST = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PINGS = (b"\x89\xfd\0\0\0\0" + bytes(125)) * 1000


def memory() -> int:
    """Give the memory of this process; Linux only."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def main() -> None:
    async with echo_server(sys.argv) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(REQUEST.encode())
        await reader.readuntil(b"\r\n\r\n")
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        before = memory()
        try:
            for _ in range(64_000_000 // len(PINGS)):
                writer.write(PINGS)
                await asyncio.wait_for(writer.drain(), 1)
            print("the server took all of it", flush=True)
        except (TimeoutError, ConnectionError) as error:
            print("the server stopped reading:", type(error).__name__, flush=True)
        await asyncio.sleep(0.5)
        grown = memory() - before
        print(
            "memory:", "more than 32 MB" if grown > 32e6 else "less than 16 MB" if grown < 16e6 else f"{grown >> 20} MB"
        )
        writer.transport.abort()


asyncio.run(main())
