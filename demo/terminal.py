"""The chat in a terminal: lines from the keyboard go out, lines of the others come in."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from typing import Any

from twoway.asyncio import ClientConnection, ConnectionClosed, InvalidHandshake, InvalidURI, connect


async def run_client(uri: str, name: str) -> int:
    """Join the chat and stay until the end of the input, Ctrl-C or the end of the connection; return an exit status."""
    try:
        async with connect(uri) as connection:
            await connection.send(json.dumps({"type": "join", "name": name}))
            show(await connection.recv())  # the welcome; or who is not welcome learns why, before the input can end
            typing = asyncio.create_task(send_lines(connection))
            try:
                await show_messages(connection)
            finally:
                typing.cancel()
    except (InvalidHandshake, InvalidURI, TimeoutError) as exc:
        print(f"Cannot join: {exc}", file=sys.stderr)
        return 1
    except ConnectionClosed as exc:
        print(escape(exc.reason) or f"The connection is lost: {exc}", file=sys.stderr)
        return 1
    return 0


async def show_messages(connection: ClientConnection) -> None:
    """Print what comes, until the connection is closed."""
    async for message in connection:
        show(message)


def show(message: str | bytes) -> None:
    """Print a message of the server."""
    for line in describe(json.loads(message)):
        print(escape(line), flush=True)


async def send_lines(connection: ClientConnection) -> None:
    """Send each line of the standard input, and leave at its end."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    threading.Thread(target=read_lines, args=(loop, lines), daemon=True).start()
    try:
        while (line := await lines.get()) is not None:
            if line.strip():
                await connection.send(json.dumps({"type": "say", "text": line}))
        await connection.close()
    except ConnectionClosed:
        pass  # `show_messages` tells


def read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str | None]) -> None:
    """Put lines of the standard input into a queue, None at the end; runs in a thread of its own."""
    # Without a buffer, for the lock of a buffered stdin would be in the way when the program ends before the input.
    with open(0, "rb", buffering=0, closefd=False) as stdin:
        for line in iter(stdin.readline, b""):
            if not put(loop, lines, line.decode(errors="replace").rstrip("\r\n")):
                return
    put(loop, lines, None)


def put(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str | None], line: str | None) -> bool:
    """Put something into the queue of a loop that runs in another thread; return whether it still runs."""
    try:
        loop.call_soon_threadsafe(lines.put_nowait, line)
    except RuntimeError:
        return False
    return True


def describe(message: dict[str, Any]) -> list[str]:
    """Return the lines that tell a message of the server."""
    kind, name = message["type"], message.get("name")
    if kind == "welcome":
        here = f"* You are {name}. Here: {', '.join(message['people'])}. Type a line; Ctrl-D leaves."
        return [*(said(line) for line in message["history"]), here]
    if kind == "said":
        return [said(message)]
    if kind in ("joined", "left"):
        return [f"* {name} {kind}."]
    return [f"* {message.get('text', kind)}"]


def said(line: dict[str, Any]) -> str:
    """Return a line of the conversation."""
    return f"{time.strftime('%H:%M', time.localtime(line['at']))} {line['name']}: {line['text']}"


def escape(text: str) -> str:
    r"""Return a text that cannot control a terminal: ESC comes out as \x1b."""
    encoding = sys.stdout.encoding or "ascii"
    visible = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return visible.encode(encoding, "backslashreplace").decode(encoding)
