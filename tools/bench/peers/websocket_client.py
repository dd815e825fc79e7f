"""websocket-client."""

from __future__ import annotations

import socket
from typing import Any

import websocket
from _peer import BATCH, TEXT, Measurement, Options, read_options


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
    while connection.recv():
        number += 1
    measurement.finish(number)


options = read_options()
connection = websocket.create_connection(options.uri, sockopt=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),))
{"request": request, "consume": consume}[options.role](connection, options)
