"""The options of commands that listen, and the server that they come to."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import click

from twoway.asyncio import Server, ServerConnection, basic_auth, serve, unix_serve

from ._command import option, together
from ._exits import Exit
from ._failures import Failure, Stop, find_reason
from ._values import CREDENTIALS, DURATION, SIZE

_FILE = click.Path(exists=True, dir_okay=False)

listening_options = together(
    option("--host", default="localhost", section="Where", metavar="HOST", show_default=True,
           help="Address to listen on; 0.0.0.0 or :: for everybody who can reach this machine."),
    option("--port", type=click.IntRange(0, 65535), default=8765, section="Where", metavar="PORT", show_default=True,
           help="0 takes a free one."),
    option("--unix", type=click.Path(), section="Where", metavar="PATH", help="Listen on a Unix socket instead."),
    option("--cert", type=_FILE, section="Where", metavar="FILE", help="Certificate; makes the server one with TLS."),
    option("--key", type=_FILE, section="Where", metavar="FILE", help="Its key, unless it is in the same file."),
    option("--auth", type=CREDENTIALS, section="Who", metavar="USER[:PASSWORD]", envvar="TWOWAY_SERVE_AUTH",
           help="Ask clients for user name and password; @FILE reads a file."),
    option("--origin", "origins", multiple=True, section="Who", metavar="ORIGIN",
           help="Site whose pages may connect, such as https://example.com; may be repeated, '*' for any."),
    option("--max-connections", type=click.IntRange(1), default=100, section="Limits", metavar="N", show_default=True,
           help="Connections at a time; further ones get 503."),
    option("--max-size", type=SIZE, default="1M", section="Limits", metavar="SIZE", show_default=True,
           help="Largest message to receive."),
    option("--grace", type=DURATION, default="5s", section="Limits", metavar="TIME", show_default=True,
           help="Time that connections have to end when the server is stopped."),
    option("--subprotocol", "subprotocols", multiple=True, section="Handshake", metavar="NAME",
           help="Subprotocol to accept; may be repeated, preferred ones first."),
    option("--compress/--no-compress", default=True, section="Handshake", show_default=True,
           help="Accept permessage-deflate."),
    option("-q", "--quiet", is_flag=True, section="Help", help="Tell of nothing but errors."),
)  # fmt: skip


@dataclass(frozen=True)
class Listening:
    """
    Hold what the options of a command say about the server; attributes are named as the options.

    Args:
        strict: Whether pages of browsers may connect only if ``origins`` has their site.
    """

    host: str = "localhost"
    port: int = 8765
    unix: str | None = None
    cert: str | None = None
    key: str | None = None
    auth: tuple[str, str] | None = None
    origins: tuple[str, ...] = ()
    max_connections: int = 100
    max_size: int = 1 << 20
    grace: float = 5.0
    subprotocols: tuple[str, ...] = ()
    compress: bool = True
    quiet: bool = False
    strict: bool = False

    async def run(self, handler: Callable[[ServerConnection], Awaitable[None]], what: str) -> None:
        """
        Serve until somebody stops it.

        Args:
            handler: What handles a connection.
            what: What the server does, for people.

        Raises:
            Stop: The server cannot listen; the user is told why.
        """
        _set_up_log(self.quiet)
        stopped = asyncio.Event()
        _hear_signals(stopped)
        try:
            server = await self._serve(handler)
        except (OSError, ValueError) as exc:
            reason = find_reason(exc) if isinstance(exc, OSError) else str(exc)
            raise Stop(Failure(Exit.NO_CONNECTION, f"Cannot listen on {self._place()}: {reason}.")) from exc
        async with server:
            if not self.quiet:
                click.echo(f"{what} at {self._show(server)}  (Ctrl-C stops it)", err=True)
            await stopped.wait()
            await server.shutdown(min(self.grace, 3600.0))

    def _serve(self, handler: Callable[[ServerConnection], Awaitable[None]]) -> serve:
        arguments: dict[str, Any] = {
            "origins": self._accepted(),
            "subprotocols": self.subprotocols,
            "compression": "deflate" if self.compress else None,
            "max_size": self.max_size,
            "max_connections": self.max_connections,
            "process_request": None if self.auth is None else basic_auth("twoway", credentials=self.auth),
            "ssl": self._context(),
        }
        if self.unix is not None:
            return unix_serve(handler, self.unix, **arguments)
        return serve(handler, self.host, self.port, **arguments)

    def _accepted(self) -> list[str | None] | None:
        if "*" in self.origins or not (self.origins or self.strict):
            return None
        return [None, *self.origins]  # programs send no Origin

    def _context(self) -> ssl.SSLContext | None:
        if self.cert is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as exc:
            raise Stop(Failure(Exit.USAGE, f"TLS cannot use {self.cert}: {exc}.")) from exc
        return context

    def _place(self) -> str:
        return self.unix or f"{self.host}:{self.port}"

    def _show(self, server: Server) -> str:
        scheme = "ws" if self.cert is None else "wss"
        if self.unix is not None:
            return f"{self.unix}: twoway connect --unix {self.unix}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}/"


def _set_up_log(quiet: bool) -> None:
    logging.basicConfig(
        level=logging.ERROR if quiet else logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True
    )


def _hear_signals(stopped: asyncio.Event) -> None:
    """Have signals stop the server gently; where the system has none of that, Ctrl-C ends it at once."""
    if sys.platform != "win32":
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)


def show_peer(connection: ServerConnection) -> str:
    """
    Say who is at the other end.

    Args:
        connection: Open.

    Returns:
        Address and port, or that it is a Unix socket.
    """
    address = connection.remote_address
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "unix"
