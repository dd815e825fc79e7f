"""``twoway serve``: a program for each connection."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
from typing import Any

import click

from twoway.asyncio import ServerConnection

from ._command import Command, option, together
from ._connecting import run
from ._listening import Listening, listening_options, show_peer
from ._messages import JsonLines, Lines
from ._process import Chunks, Limits, Program
from ._text import escape
from ._values import DURATION, SIZE

_log = logging.getLogger("twoway.cli")

_EXAMPLES = (
    ("twoway serve --exec cat", "Each line comes back:"),
    ("twoway serve --exec 'python -u game.py'", "A game, one process for each player:"),
    (
        "twoway serve --exec 'sh -c \"vmstat 1\"' --origin http://localhost:8000",
        "Feed a page from http://localhost:8000:",
    ),
    ("twoway serve --binary --exec 'nc localhost 5900'", "Bring a TCP service to a page, byte for byte:"),
)
_VARIABLES = (
    ("REMOTE_ADDR, REMOTE_PORT", "address and port of the client"),
    ("REQUEST_URI", "path and query, as the client sent them"),
    ("PATH_INFO, QUERY_STRING", "the same in two parts, still percent-encoded"),
    ("HTTP_HOST, HTTP_ORIGIN", "headers of the request; empty where there is none"),
    ("REMOTE_USER", "user name, with --auth"),
    ("WEBSOCKET_SUBPROTOCOL", "the subprotocol that was agreed on"),
)


_options = together(
    option("--exec", "command", required=True, section="Program", metavar="COMMAND",
           help="Program and arguments. No shell reads it: give 'sh -c ...' to have one."),
    option("--json", "as_json", is_flag=True, section="Program",
           help="Lines are objects, as with twoway connect --json: for line breaks in messages, and binary ones."),
    option("--binary", is_flag=True, section="Program",
           help="No lines: bytes of messages go in as they are, and what comes out are binary messages."),
    option("--lifetime", type=DURATION, default="forever", section="Limits", metavar="TIME", show_default=True,
           help="Longest time that a program may run."),
    option("--max-line", type=SIZE, default="1M", section="Limits", metavar="SIZE", show_default=True,
           help="Longest line that a program may write."),
    option("--stop-after", type=DURATION, default="5s", section="Limits", metavar="TIME", show_default=True,
           help="Time from the end of its input to SIGTERM, and from there to SIGKILL."),
)  # fmt: skip


@click.command(
    cls=Command,
    short_help="Run a server that starts a program for each connection.",
    examples=_EXAMPLES,
    tables=[("What the program finds in its environment", _VARIABLES)],
)
@_options
@listening_options
def serve(command: str, as_json: bool, binary: bool, **options: Any) -> None:
    """
    Run a WebSocket server that starts a program for each connection.

    Each message is a line of the program's standard input, and each line of its standard output is a message. Programs
    that buffer their output have to flush it. Standard error goes where that of the server goes.

    When the connection ends, so does the input of the program; when the program ends, the connection is closed: with
    1000, or with 1011 if its exit status is not 0. A text message with a line break, or a binary one, is refused with
    1003 unless --json or --binary is given.

    Clients choose what is in the messages and in the environment: the program must not trust it. Pages in browsers may
    connect only if --origin names their site.
    """
    if as_json and binary:
        raise click.UsageError("--json and --binary exclude each other.")
    limits = Limits(*(options.pop(name) for name in ("lifetime", "max_line", "stop_after")))
    form = Chunks() if binary else JsonLines() if as_json else Lines()
    arguments = _split(command)

    async def handle(connection: ServerConnection) -> None:
        peer = show_peer(connection)
        _log.info("%s connected: %s", peer, escape(connection.request.path if connection.request else ""))
        status = await Program(connection, form, limits).run(arguments)
        _log.info("%s ended: %s", peer, status)

    run(Listening(**options, strict=True).run(handle, f"Serving {arguments[0]}"))


def _split(command: str) -> list[str]:
    try:
        arguments = shlex.split(command, posix=os.name != "nt")
    except ValueError as exc:
        raise click.UsageError(f"--exec cannot be read: {exc}.") from exc
    if not arguments:
        raise click.UsageError("--exec is empty.")
    if shutil.which(arguments[0]) is None:
        raise click.UsageError(f"--exec: there is no program {arguments[0]!r}.")
    return arguments
