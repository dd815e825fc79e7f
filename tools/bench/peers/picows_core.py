"""picows with its own API of callbacks; text is decoded by its clients, and given back as bytes by its servers."""

from __future__ import annotations

from typing import Any, ClassVar

from _peer import BATCH, END, HOST, TEXT, Measurement, Options, hold, read_options, run
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect, ws_create_server

MESSAGE = TEXT.encode()


class Closing(WSListener):
    """Answer the Close frame."""

    def closes(self, transport: WSTransport, frame: WSFrame) -> bool:
        """Tell whether this is the last frame."""
        if frame.msg_type != WSMsgType.CLOSE:
            return False
        transport.send_close(frame.get_close_code(), frame.get_close_message())
        transport.disconnect()
        return True


class Echo(Closing):
    """Answer each message with itself."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame."""
        if not self.closes(transport, frame):
            transport.send(frame.msg_type, frame.get_payload_as_bytes())


class Receive(Closing):
    """Take what is pushed, and say how much it was."""

    number = 0

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame."""
        if self.closes(transport, frame):
            return
        if frame.get_payload_as_utf8_text() == END:
            transport.send(WSMsgType.TEXT, str(self.number).encode())
        self.number += 1


class Spread(Closing):
    """Send each message to all who are there."""

    everybody: ClassVar[set[WSTransport]] = set()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take a connection."""
        self.everybody.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Lose a connection."""
        self.everybody.discard(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame."""
        if self.closes(transport, frame):
            return
        message = frame.get_payload_as_bytes()
        for other in self.everybody:
            other.send(WSMsgType.TEXT, message)


class Request(Closing):
    """Send a message whenever the answer to the one before has come."""

    def __init__(self, options: Options) -> None:
        self.options, self.number, self.measurement = options, 0, Measurement()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin."""
        transport.send(WSMsgType.TEXT, MESSAGE)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take an answer; the first ones do not count."""
        if frame.msg_type == WSMsgType.CLOSE:
            return
        frame.get_payload_as_utf8_text()
        self.number += 1
        if self.number == BATCH:
            self.measurement = Measurement()
        elif not self.number % BATCH and not self.measurement.goes_on(self.options.seconds):
            self.measurement.finish(self.number - BATCH)
            transport.disconnect()
            return
        transport.send(WSMsgType.TEXT, MESSAGE)


class Consume(Closing):
    """Take all that a server pushes."""

    def __init__(self, options: Options) -> None:
        self.number, self.measurement = 0, Measurement()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame."""
        if self.closes(transport, frame):
            self.measurement.finish(self.number)
            return
        frame.get_payload_as_utf8_text()
        self.number += 1


SERVERS: dict[str, type[Closing]] = {"echo": Echo, "receive": Receive, "broadcast": Spread}
CLIENTS: dict[str, Any] = {"request": Request, "consume": Consume}


async def main(options: Options) -> None:
    """Be a client or a server."""
    if options.role in CLIENTS:
        transport, _ = await ws_connect(lambda: CLIENTS[options.role](options), options.uri, proxy=None)
        await transport.wait_disconnected()
    else:
        make, where = SERVERS[options.role], (HOST, options.port)
        async with await ws_create_server(lambda _: make(), *where, ssl=options.context, backlog=1000):
            await hold()


options = read_options()
run(main(options), options.loop)
