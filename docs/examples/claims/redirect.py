"""A server sends a client on to another one: do secrets that were meant for the first arrive at the second?"""

from __future__ import annotations

import socket
import sys
import threading

from libraries import accept, library

HEADERS = {"Authorization": "Bearer secret", "Cookie": "session=secret"}
first, second = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
seen: list[str] = []


def redirect() -> None:
    connection, _ = first.accept()
    connection.recv(65536)
    target = f"ws://127.0.0.1:{second.getsockname()[1]}/"
    connection.sendall(f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())


def look() -> None:
    connection, _ = second.accept()
    head = connection.recv(65536)
    seen.extend(name for name in HEADERS if f"\r\n{name}:".lower().encode() in head.lower())
    connection.sendall(accept(head))
    connection.recv(65536)


def main() -> None:
    threads = [threading.Thread(target=target, daemon=True) for target in (redirect, look)]
    for thread in threads:
        thread.start()
    uri = f"ws://127.0.0.1:{first.getsockname()[1]}/"
    if sys.argv[1:] == ["websocket-client"]:
        from websocket import create_connection  # type: ignore[import-not-found]

        create_connection(uri, header=HEADERS).send("hello")
    elif sys.argv[1:] == ["picows"]:
        import asyncio

        from picows.websockets.asyncio.client import connect  # type: ignore[import-not-found]

        async def run() -> None:
            async with connect(uri, additional_headers=HEADERS, close_timeout=0.1) as connection:
                await connection.send("hello")

        asyncio.run(run())
    else:
        with library(sys.argv, threads=True).connect(uri, additional_headers=HEADERS, close_timeout=0.1) as connection:
            connection.send("hello")
    threads[1].join(1)
    print(f"the second server got: {', '.join(seen) or 'no secret'}")


main()
