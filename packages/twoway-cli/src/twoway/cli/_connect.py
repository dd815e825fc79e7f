"""``twoway connect``: talk to a server."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import click

from twoway.asyncio import ClientConnection, ConnectionClosed, State
from twoway.http import WebSocketURI

from ._command import Command, option, together
from ._connecting import Connecting, address_argument, connecting_options, run
from ._exits import show_exits
from ._failures import Stop
from ._handshake import show_handshake
from ._messages import Format, JsonLines, Lines
from ._stdin import has_terminal
from ._values import DURATION

_EXAMPLES = (
    ("twoway connect ws://localhost:8765/", "Talk, line by line; Ctrl-D leaves:"),
    ("echo hello | twoway connect ws://localhost:8765/", "Send a message, and print the answers:"),
    ("twoway connect wss://example.com/feed --count 10 </dev/null", "Print ten messages, and leave:"),
    ("twoway connect wss://example.com/feed --json --wait forever </dev/null | jq .text", "Feed a program:"),
    ("twoway connect wss://example.com/ --bearer @token.txt --subprotocol chat", "Log in with a token from a file:"),
    ("twoway connect ws://localhost:8765/ --ping 1s --wait 10s </dev/null", "See the latency for ten seconds:"),
)

# Pings that come faster than this tell nothing more; seconds.
_LEAST = 0.01

# Seconds. Answers to the last line are on their way when the input ends, and a server that answers at all does so soon.
_DEFAULT_WAIT = 1.0


_options = together(
    option("--binary", is_flag=True, section="Messages", help="Send each line as a binary message."),
    option("--json", "as_json", is_flag=True, section="Messages",
           help='Lines are objects, in both directions: {"text": "..."}, {"binary": "BASE64"}; {"ping": ""} and '
                '{"close": 1000} may be sent, and the end of the connection is a line.'),
    option("--count", type=click.IntRange(1), section="Messages", metavar="N",
           help="Leave after N messages were received."),
    option("--wait", type=DURATION, section="Messages", metavar="TIME",
           help="After the end of the input, leave when nothing has come for this long; 1s, or forever with --count."),
    option("--ping", type=DURATION, section="Messages", metavar="TIME",
           help="Send a ping each TIME, and tell the latency."),
    option("--no-history", is_flag=True, section="Messages", help="Do not keep the lines that are typed."),
)  # fmt: skip


@click.command(
    cls=Command,
    short_help="Talk to a server: in a terminal, or in a pipe.",
    examples=_EXAMPLES,
    tables=[("Exit status", show_exits())],
)
@address_argument
@_options
@connecting_options()
def connect(uri: str | None, **options: Any) -> None:
    """
    Talk to a WebSocket server.

    In a terminal, each line that you type is a message; the lines you typed last time are there with the arrow keys,
    and /help lists commands. Control characters in messages are shown, not obeyed.

    In a pipe, each line of the input is a message, and each message is a line of the output. When the input ends, the
    answers that are still on their way are waited for (--wait). What is said about the connection goes to standard
    error.

    URI is ws://HOST:PORT/PATH, or wss:// with TLS.
    """
    own = {name: options.pop(name) for name in ("binary", "as_json", "count", "wait", "ping", "no_history")}
    run(_talk(Connecting(uri, **options), **own))


async def _talk(
    connecting: Connecting,
    binary: bool,
    as_json: bool,
    count: int | None,
    wait: float | None,
    ping: float | None,
    no_history: bool,
) -> None:
    if wait is None:
        wait = _DEFAULT_WAIT if count is None else math.inf
    begin = asyncio.get_running_loop().time()
    connection = await open_connection(connecting)
    pinging = None if ping is None else asyncio.create_task(_ping(connection, ping))
    try:
        async with connecting.limited(begin):
            if has_terminal() and not as_json:
                from ._interactive import converse

                await converse(connection, connecting.place, binary, count, not no_history)
            else:
                from ._lines import exchange

                form: Format = JsonLines() if as_json else Lines(binary)
                await exchange(connection, form, count, wait)
    finally:
        if pinging is not None:
            pinging.cancel()
        await _leave(connection)


async def _leave(connection: ClientConnection) -> None:
    if connection.state is not State.CLOSED:
        await connection.close()


async def open_connection(connecting: Connecting) -> ClientConnection:
    """
    Open the connection that the options describe.

    Args:
        connecting: The options.

    Returns:
        The connection, open.

    Raises:
        Stop: It could not be opened, and this says why.
    """
    places = [connecting.place]

    def redirected(source: WebSocketURI, target: WebSocketURI) -> None:
        places.append(f"{target.host}:{target.port}")
        if connecting.verbose:
            click.secho(f"Redirected to {target}", dim=True, err=True)

    try:
        connection = await connecting.open(redirected)
    except Exception as exc:
        if connecting.verbose:
            show_handshake(getattr(exc, "response", None))
        raise Stop(connecting.explain(exc, places[-1])) from exc
    if connecting.verbose:
        show_handshake(connection.response, connection.request)
    return connection


async def _ping(connection: ClientConnection, interval: float) -> None:
    try:
        while True:
            latency = await (await connection.ping())
            click.secho(f"Latency {latency * 1000:.2f} ms", dim=True, err=True)
            await asyncio.sleep(max(interval, _LEAST))
    except ConnectionClosed:
        pass  # those who receive tell it
