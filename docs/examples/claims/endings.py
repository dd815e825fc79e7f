"""Four connections that end in four ways: what the exception says."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from libraries import address, library


class Link:
    """What lies between client and server: it carries bytes until it is told to fail."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.writers: list[asyncio.StreamWriter] = []
        self.silent = False

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers = [writer, other]
        await asyncio.gather(self.carry(reader, other), self.carry(other_reader, writer), return_exceptions=True)

    async def carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if not self.silent:
                target.write(data)
        self.end()

    def end(self) -> None:
        for writer in self.writers:
            writer.close()


async def handler(connection: Any) -> None:
    async for message in connection:
        if message == "break a rule":
            connection.transport.write(b"\x83\x00")  # there is no opcode 3
        elif message == "fail":
            raise ValueError("a mistake of the application")


WAYS = ("the stream ends", "the network falls silent", "the server breaks a rule", "its application fails")


async def main() -> None:
    api = library(sys.argv)
    quick = {"ping_interval": 0.2, "ping_timeout": 0.2, "close_timeout": 0.2}
    async with api.serve(handler, "127.0.0.1", 0, ping_interval=None, close_timeout=0.2) as server:
        for what in (
            "the stream ends",
            "the network falls silent",
            "the server breaks a rule",
            "its application fails",
        ):
            link = Link(int(address(server).rpartition(":")[2].strip("/")))
            async with await asyncio.start_server(link, "127.0.0.1", 0) as between:
                connection = await api.connect(address(between), **quick)
                if what == "the stream ends":
                    link.end()
                elif what == "the network falls silent":
                    link.silent = True
                else:
                    await connection.send("break a rule" if "rule" in what else "fail")
                try:
                    await connection.recv()
                except api.ConnectionClosed as error:
                    print(f"{what}:\n    {error}\n    {getattr(error, 'cause', 'no cause')}", flush=True)
                link.end()


asyncio.run(main())
