"""``twoway echo``: a server that sends every message back."""

from __future__ import annotations

import logging
from typing import Any

import click

from twoway.asyncio import ServerConnection

from ._command import Command
from ._connecting import run
from ._listening import Listening, listening_options, show_peer
from ._text import escape

_log = logging.getLogger("twoway.cli")

_EXAMPLES = (
    ("twoway echo", "A server for clients on this machine:"),
    ("twoway echo --host 0.0.0.0 --port 443 --cert fullchain.pem --key privkey.pem", "For everybody, with TLS:"),
    ("twoway echo --port 0 --auth ada:secret", "On a free port, with a password:"),
)


@click.command(cls=Command, short_help="Run a server that sends every message back.", examples=_EXAMPLES)
@listening_options
def echo(**options: Any) -> None:
    """
    Run a WebSocket server that sends every message back to whom it came from.

    It is for trying clients out, and for twoway bench. Each connection is a line on standard error when it opens and
    when it ends.
    """
    run(Listening(**options).run(_echo, "Echo server"))


async def _echo(connection: ServerConnection) -> None:
    peer, count = show_peer(connection), 0
    assert connection.request is not None
    _log.info("%s connected: %s", peer, escape(connection.request.path))
    try:
        async for message in connection:
            await connection.send(message)
            count += 1
    finally:
        messages = "1 message" if count == 1 else f"{count} messages"
        _log.info("%s ended after %s: %s", peer, messages, "?" if connection.cause is None else connection.cause.value)
