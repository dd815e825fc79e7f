"""wsproto, which performs no I/O, behind the smallest protocol of asyncio that makes a server of it."""

from __future__ import annotations

import asyncio

from _peer import END, HOST, Options, hold, read_options, run
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Message, Ping, Request, TextMessage
from wsproto.extensions import PerMessageDeflate


class Server(asyncio.Protocol):
    """Answer each message with itself, or take what is pushed and say how much it was."""

    def __init__(self, options: Options) -> None:
        self.options, self.number = options, 0
        self.connection = WSConnection(ConnectionType.SERVER)
        self.parts: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        assert hasattr(transport, "write")
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take bytes, and send what they call for."""
        self.connection.receive_data(data)
        output = [self.answer(event) for event in self.connection.events()]
        self.transport.write(b"".join(output))

    def answer(self, event: object) -> bytes:
        """Give the bytes that an event calls for."""
        if isinstance(event, TextMessage):
            self.parts.append(event.data)
            return self.finish() if event.message_finished else b""
        if isinstance(event, Request):
            extensions = [PerMessageDeflate()] if self.options.compressed else []
            return self.connection.send(AcceptConnection(extensions=extensions))
        if isinstance(event, (Ping, CloseConnection)):
            return self.connection.send(event.response())
        return b""

    def finish(self) -> bytes:
        """Take a whole message."""
        text = "".join(self.parts)
        self.parts.clear()
        self.number += 1
        if self.options.role == "echo":
            return self.connection.send(Message(text))
        return self.connection.send(Message(str(self.number - 1))) if text == END else b""


async def main(options: Options) -> None:
    """Be a server."""
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: Server(options), HOST, options.port, ssl=options.context, backlog=1000):
        await hold()


options = read_options()
run(main(options), options.loop)
