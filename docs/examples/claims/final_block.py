"""Compressed messages, the first of which ends with a final block, as some compressors write it (RFC 7692 §7.2.3.4)."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
import zlib

from libraries import echo_server

REQUEST = f"""GET / HTTP/1.1
Host: localhost
Connection: Upgrade
Upgrade: websocket
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}
Sec-WebSocket-Extensions: permessage-deflate

""".replace("\n", "\r\n")


def compressed(text: str, final: bool) -> bytes:
    """Make a masked frame with RSV1; a message that ends with a final block has a zero byte behind it."""
    compressor = zlib.compressobj(wbits=-12)
    data = compressor.compress(text.encode())
    if final:
        data += compressor.flush(zlib.Z_FINISH) + b"\0"
    else:
        data += compressor.flush(zlib.Z_SYNC_FLUSH)[:-4]
    return bytes([0xC1, 0x80 | len(data)]) + bytes(4) + data


async def receive(reader: asyncio.StreamReader) -> str:
    head, length = await reader.readexactly(2)
    data = await reader.readexactly(length)
    if head & 0x0F == 8:
        return f"a Close frame with {int.from_bytes(data[:2])}"
    return repr((zlib.decompressobj(-15).decompress(data + b"\0\0\xff\xff") if head & 0x40 else data).decode())


async def main() -> None:
    async with echo_server(sys.argv) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST.encode())
        await reader.readuntil(b"\r\n\r\n")
        for text, final in (("one", True), ("two", False), ("three", False)):
            writer.write(compressed(text, final))
            try:
                answer = await asyncio.wait_for(receive(reader), 2)
            except (EOFError, TimeoutError) as error:
                answer = type(error).__name__
            print(f"sent {text!r}, got {answer}", flush=True)
        writer.close()


asyncio.run(main())
