"""The chat server: one port for the page and for the conversation."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from pathlib import Path

from room import MAX_MISTAKES, Member, Refused, Room

from twoway.asyncio import CloseCode, ConnectionClosed, Request, Response, Server, ServerConnection, serve

HOST = "127.0.0.1"
REFUSED = 4000  # close code: the reason says why somebody could not join, trying again is no use
JOIN_TIMEOUT = 10  # seconds
MAX_SIZE = 8192  # bytes; 500 characters fit, however they are escaped

# path -> file and media type
PAGE = {
    "/": ("index.html", "text/html"),
    "/chat.css": ("chat.css", "text/css"),
    "/chat.js": ("chat.js", "text/javascript"),
}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def answer_http(connection: ServerConnection, request: Request) -> Response | None:
    """Answer what is not for the chat; None goes on with the opening handshake of WebSocket."""
    path = request.path.partition("?")[0]
    if path == "/ws":
        return None
    if path == "/favicon.ico":
        return Response(204, "No Content")
    if path not in PAGE:
        return connection.respond(404, "There is nothing here.\n")
    if request.method not in ("GET", "HEAD"):
        return Response.text(405, "This is a page to look at.\n", {"Allow": "GET, HEAD"})
    name, media_type = PAGE[path]
    text = (Path(__file__).parent / "page" / name).read_text(encoding="utf-8")
    return Response.text(200, text, {"Content-Type": f"{media_type}; charset=utf-8", **HEADERS})


async def converse(connection: ServerConnection, room: Room) -> None:
    """Handle one connection, from the first message to the last."""
    member = await admit(connection, room)
    if member is None:
        return
    sender = asyncio.create_task(forward(member, connection))
    try:
        async for message in connection:
            room.take(member, message, time.time())
            if member.mistakes >= MAX_MISTAKES:
                await connection.close(CloseCode.POLICY_VIOLATION, "Too many mistakes.")
    finally:
        sender.cancel()
        room.leave(member)


async def admit(connection: ServerConnection, room: Room) -> Member | None:
    """Let somebody join by their first message, or close the connection and say why."""
    try:
        async with asyncio.timeout(JOIN_TIMEOUT):
            message = await connection.recv()
        # Whoever does not keep up is aborted: a Close frame would have to wait behind all that was not read.
        return room.join(message, drop=connection.abort)
    except Refused as exc:
        await connection.close(REFUSED, str(exc))
    except TimeoutError:
        await connection.close(REFUSED, "Nobody said a name.")
    return None


async def forward(member: Member, connection: ServerConnection) -> None:
    """Send what is in the outbox; a slow reader makes this task wait, and no other."""
    with suppress(ConnectionClosed):
        while True:
            await connection.send(await member.outbox.get())


def listen(port: int) -> serve:
    """Make a server that listens on the loopback interface; port 0 takes a free one."""
    room = Room()
    sock = socket.create_server((HOST, port))
    hosts = [f"{name}:{sock.getsockname()[1]}" for name in (HOST, "localhost")]
    return serve(
        lambda connection: converse(connection, room),
        sock=sock,
        process_request=answer_http,
        # Browsers join from our own page only; None lets in whoever sends no Origin, like our client.
        origins=[*(f"http://{host}" for host in hosts), None],
        allowed_hosts=hosts,  # and that page was not fetched under somebody else's name
        max_size=MAX_SIZE,
        close_timeout=3,
    )


def port_of(server: Server) -> int:
    """Return the port on which a server listens."""
    port: int = server.sockets[0].getsockname()[1]
    return port
