"""What peers with the API of websockets do when they use threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from _peer import BATCH, END, HOST, TEXT, Measurement, Options, announce, read_options

SERVER = {"ping_interval": None, "max_size": None}
CLIENT = {**SERVER, "compression": None, "proxy": None}


def echo(connection: Any) -> None:
    """Answer each message with itself."""
    for message in connection:
        connection.send(message)


def receive(connection: Any) -> None:
    """Take what is pushed, and say how much it was."""
    for number, message in enumerate(connection):
        if message == END:
            connection.send(str(number))


def serve_role(serve: Callable[..., Any], options: Options) -> None:
    """Be a server."""
    handler = {"echo": echo, "receive": receive}[options.role]
    compression = "deflate" if options.compressed else None
    with serve(handler, HOST, options.port, ssl=options.context, compression=compression, **SERVER) as server:
        announce()
        server.serve_forever()


def request(connection: Any, options: Options) -> None:
    """Send a message and wait for the answer, again and again."""

    def exchange() -> None:
        for _ in range(BATCH):
            connection.send(TEXT)
            connection.recv()

    exchange()
    measurement, number = Measurement(), 0
    while measurement.goes_on(options.seconds):
        exchange()
        number += BATCH
    measurement.finish(number)


def consume(connection: Any, options: Options) -> None:
    """Take all that a server pushes."""
    measurement, number = Measurement(), 0
    for _ in connection:
        number += 1
    measurement.finish(number)


def main(connect: Callable[..., Any], serve: Callable[..., Any]) -> None:
    """Run the command line of a library."""
    options = read_options()
    if options.role in ("request", "consume"):
        with connect(options.uri, **CLIENT) as connection:
            {"request": request, "consume": consume}[options.role](connection, options)
    else:
        serve_role(serve, options)
