"""A client sends a request, a byte at a time, for half a minute: how long does the server listen?"""

from __future__ import annotations

import asyncio
import sys
import time

from libraries import echo_server


async def main() -> None:
    async with echo_server(sys.argv) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        start = time.monotonic()
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        while (passed := time.monotonic() - start) < 30 and not reader.at_eof():
            try:
                writer.write(b"x")
                await asyncio.wait_for(reader.read(65536), 0.2)
            except (TimeoutError, ConnectionError):
                pass
        print(f"{round(passed)} s")
        writer.close()


asyncio.run(main())
