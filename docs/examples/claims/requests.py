"""What a server answers to requests that are odd, wrong, or not meant for WebSocket at all."""

from __future__ import annotations

import asyncio
import sys

from libraries import echo_server

KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", KEY]
FRAME = "\x81\x85\0\0\0\0Hello"  # a text message, masked with zeros
REQUESTS = {
    "a good request": ["GET / HTTP/1.1", "Host: localhost", *UPGRADE],
    "no Host": ["GET / HTTP/1.1", *UPGRADE],
    "two of them": ["GET / HTTP/1.1", "Host: localhost", "Host: evil.example", *UPGRADE],
    "a Host that is none": ["GET / HTTP/1.1", "Host: a b@c", *UPGRADE],
    "NUL in the target": ["GET /\0 HTTP/1.1", "Host: localhost", *UPGRADE],
    "two keys": ["GET / HTTP/1.1", "Host: localhost", *UPGRADE, KEY],
    "HTTP/1.0": ["GET / HTTP/1.0", "Host: localhost", *UPGRADE],
    "a body": ["GET / HTTP/1.1", "Host: localhost", *UPGRADE, f"Content-Length: {len(FRAME)}"],
    "an odd encoding of it": ["GET / HTTP/1.1", "Host: localhost", *UPGRADE, "Transfer-Encoding: odd"],
}


async def ask(port: int, lines: list[str]) -> str:
    """Send a request with a frame behind it; give the status, and what was echoed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(("\r\n".join(lines) + "\r\n\r\n" + FRAME).encode("latin-1"))
    data = b""
    try:
        async with asyncio.timeout(1):
            while part := await reader.read(4096):
                data += part
                if data.endswith(b"\x81\x05Hello"):
                    break
    except (TimeoutError, ConnectionError):
        pass
    writer.close()
    status = data.split()[1].decode() if data else "dropped"
    return f"{status}{', and echoes what stands behind it' if b'Hello' in data else ''}"


async def main() -> None:
    async with echo_server(sys.argv) as port:
        for name, lines in REQUESTS.items():
            print(f"{name:<22} {await ask(port, lines)}", flush=True)


asyncio.run(main())
