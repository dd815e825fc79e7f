"""What peers with the API of websockets do: handlers and clients as coroutines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from _peer import BATCH, END, HOST, TEXT, Measurement, Options, hold, read_options, run

# Sizes, pings and proxies are not what is measured; everything else is as the library has it.
SERVER = {"ping_interval": None, "max_size": None}
CLIENT = {**SERVER, "compression": None, "proxy": None}


async def echo(connection: Any) -> None:
    """Answer each message with itself."""
    async for message in connection:
        await connection.send(message)


async def receive(connection: Any) -> None:
    """Take what is pushed, and say how much it was."""
    number = 0
    async for message in connection:
        if message == END:
            await connection.send(str(number))
        number += 1


async def serve_role(
    serve: Callable[..., Any], broadcast: Callable[..., Any], options: Options, settings: dict[str, Any]
) -> None:
    """Be a server."""
    connections: set[Any] = set()

    async def spread(connection: Any) -> None:
        connections.add(connection)
        try:
            async for message in connection:
                broadcast(connections, message)
        finally:
            connections.discard(connection)

    handlers: dict[str, Callable[[Any], Awaitable[None]]] = {"echo": echo, "receive": receive, "broadcast": spread}
    settings |= {**SERVER, "ssl": options.context, "backlog": 1000}
    async with serve(handlers[options.role], HOST, options.port, **settings):
        await hold()


async def request(connection: Any, options: Options) -> None:
    """Send a message and wait for the answer, again and again."""

    async def exchange() -> None:
        for _ in range(BATCH):
            await connection.send(TEXT)
            await connection.recv()

    await exchange()
    measurement, number = Measurement(), 0
    while measurement.goes_on(options.seconds):
        await exchange()
        number += BATCH
    measurement.finish(number)


async def consume(connection: Any, options: Options) -> None:
    """Take all that a server pushes."""
    measurement, number = Measurement(), 0
    async for _ in connection:
        number += 1
    measurement.finish(number)


async def connect_role(connect: Callable[..., Any], options: Options) -> None:
    """Be a client."""
    async with connect(options.uri, **CLIENT) as connection:
        await {"request": request, "consume": consume}[options.role](connection, options)


def main(
    connect: Callable[..., Any],
    serve: Callable[..., Any],
    broadcast: Callable[..., Any],
    settings: Callable[[Options], dict[str, Any]] = lambda options: {
        "compression": "deflate" if options.compressed else None
    },
) -> None:
    """Run the command line of a library; ``settings`` gives further ones for its servers."""
    options = read_options()
    if options.role in ("request", "consume"):
        run(connect_role(connect, options), options.loop)
    else:
        run(serve_role(serve, broadcast, options, settings(options)), options.loop)
