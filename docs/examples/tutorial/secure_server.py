from __future__ import annotations

import asyncio
import secrets
import ssl
from pathlib import Path

from login import Login
from server import take_part

from twoway.asyncio import serve

HERE = Path(__file__).parent
HOST = "localhost:8765"


def certificate() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(HERE / "cert.pem", HERE / "key.pem")
    return context


async def main() -> None:
    async with serve(
        take_part,
        "127.0.0.1",
        8765,
        ssl=certificate(),
        process_request=Login(secrets.token_bytes(32)),
        origins=[f"https://{HOST}", None],
        allowed_hosts=[HOST],
        max_connections=1000,
        max_handshakes=100,
        max_size=200,
        write_limit=2**20,
    ) as server:
        print(f"Open https://{HOST}/ (Ctrl-C stops).", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
