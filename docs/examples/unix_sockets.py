from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from twoway.asyncio import ServerConnection, unix_connect, unix_serve


async def hello(connection: ServerConnection) -> None:
    assert connection.request is not None
    await connection.send(f"{connection.request.headers['Host']} wants {connection.request.path}")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:  # of a service, RuntimeDirectory= of systemd
        path = Path(folder) / "chat.sock"
        async with unix_serve(hello, path):
            os.chmod(path, 0o660)  # the group of the reverse proxy may connect, others may not
            async with unix_connect(path) as connection:
                print(await connection.recv())
            async with unix_connect(path, "ws://chat.example/tea") as connection:
                print(await connection.recv())


if __name__ == "__main__":
    asyncio.run(main())
