"""A connection in a terminal: a line to type on, and messages above it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.patch_stdout import patch_stdout

from twoway.asyncio import ClientConnection, ConnectionClosed

from ._ending import check_end
from ._screen import Screen
from ._text import escape


class Conversation:
    """
    Talk over one connection.

    Args:
        connection: Open.
        screen: Where messages are shown.
        binary: Whether lines are sent as binary messages.
        count: Leave after so many messages; None for no such limit.
    """

    def __init__(self, connection: ClientConnection, screen: Screen, binary: bool, count: int | None) -> None:
        self._connection = connection
        self._screen = screen
        self._binary = binary
        self._count = count
        self._waiting: set[asyncio.Future[None]] = set()  # for pongs

    async def receive(self) -> None:
        """
        Show messages until there were enough.

        Raises:
            ConnectionClosed: The connection has ended.
        """
        received = 0
        while self._count is None or received < self._count:
            self._screen.show(await self._connection.recv())
            received += 1

    async def take(self, line: str) -> None:
        """
        Do what a line says.

        Args:
            line: A message; or a command, which begins with a slash. Two slashes begin a message with one.

        Raises:
            ConnectionClosed: The connection has ended.
        """
        if line.startswith("/") and not line.startswith("//"):
            name, _, rest = line[1:].partition(" ")
            await self._command(name, rest.strip())
        elif line:
            text = line.removeprefix("/") if line.startswith("//") else line
            await self._connection.send(text.encode("utf-8", "surrogateescape") if self._binary else text)

    async def _command(self, name: str, rest: str) -> None:
        if name not in _COMMANDS:
            self._screen.note(f"There is no command /{escape(name)}; /help lists them, and // begins a message with /.")
            return
        try:
            await _COMMANDS[name][0](self, rest)
        except ValueError as exc:
            self._screen.note(f"/{name}: {exc}", style="red")

    async def _help(self, rest: str) -> None:
        for name, (_, form, meaning) in _COMMANDS.items():
            self._screen.note(f"/{name} {form}".ljust(_INDENT) + meaning)
        for form, meaning in _KEYS:
            self._screen.note(form.ljust(_INDENT) + meaning)

    async def _ping(self, rest: str) -> None:
        pong = await self._connection.ping(rest or None, ack_on_close=True)
        waiting = asyncio.ensure_future(self._wait_for(pong))  # so that one can type meanwhile
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)

    async def _wait_for(self, pong: Awaitable[float]) -> None:
        latency = await pong
        if latency == latency:  # else the connection has ended, and there is no pong
            self._screen.note(f"The pong came after {latency * 1000:.2f} ms.")

    async def _info(self, rest: str) -> None:
        connection = self._connection
        extensions = ", ".join(extension.name for extension in connection.extensions) or "none"
        self._screen.note(f"subprotocol: {escape(connection.subprotocol or 'none')}; extensions: {extensions}")
        self._screen.note(f"from {_show(connection.local_address)} to {_show(connection.remote_address)}")

    async def _hex(self, rest: str) -> None:
        await self._connection.send(bytes.fromhex(rest))

    async def _close(self, rest: str) -> None:
        code, _, reason = rest.partition(" ")
        await self._connection.close(int(code or 1000), reason)


_INDENT = 26

# Name -> what does it, form of its argument, meaning.
_COMMANDS: dict[str, tuple[Callable[[Conversation, str], Awaitable[None]], str, str]] = {
    "help": (Conversation._help, "", "this list"),
    "ping": (Conversation._ping, "[TEXT]", "send a ping, and tell when the pong came"),
    "hex": (Conversation._hex, "00 ff ...", "send a binary message"),
    "info": (Conversation._info, "", "what was negotiated, and the addresses"),
    "close": (Conversation._close, "[CODE [REASON]]", "close the connection"),
}
_KEYS = (
    ("//text", "send a message that begins with a slash"),
    ("Alt-Enter", "a line break in the message"),
    ("Ctrl-D, Ctrl-C", "leave; on a line with text, Ctrl-C clears it"),
)


async def converse(
    connection: ClientConnection, place: str, binary: bool = False, count: int | None = None, keep: bool = True
) -> None:
    """
    Let the user talk, until one side has had enough.

    Args:
        connection: Open; closed at the end.
        place: With whom, for people.
        binary: Whether lines are sent as binary messages.
        count: Leave after so many messages; None for no such limit.
        keep: Whether to keep what is typed for the next time.

    Raises:
        Stop: The connection ended in another way than an orderly one.
    """
    keyboard = create_input()
    # While a message is printed, and between two prompts, keys keep their meaning: in the usual mode of terminals,
    # to which prompt_toolkit goes back for that, Ctrl-C would end the program and Ctrl-D be lost.
    keyboard.cooked_mode = nullcontext  # type: ignore[method-assign]
    session: PromptSession[str] = PromptSession(
        input=keyboard,
        history=_history(keep),
        key_bindings=_bindings(),
        completer=WordCompleter([f"/{name}" for name in _COMMANDS], sentence=True),
        complete_while_typing=False,
        enable_suspend=True,
    )
    with patch_stdout(raw=True), keyboard.raw_mode():
        screen = Screen(terminal=True)
        screen.note(f"Connected to {place}. /help lists commands, Ctrl-D leaves.")
        conversation = Conversation(connection, screen, binary, count)
        try:
            await _until_first(conversation.receive(), _type(session, conversation))
            await connection.close()
            await connection.recv()
        except ConnectionClosed as exc:
            screen.note(check_end(exc))


async def _until_first(*coroutines: Any) -> None:
    """Run until one ends; its exception is raised."""
    tasks = [asyncio.create_task(each) for each in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)  # the terminal is put in order by then


async def _type(session: PromptSession[str], conversation: Conversation) -> None:
    while True:
        try:
            line = await session.prompt_async("> ")
        except (EOFError, KeyboardInterrupt):
            return
        await conversation.take(line)


def _history(keep: bool) -> History:
    if not keep:
        return InMemoryHistory()
    path = Path(click.get_app_dir("twoway")) / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # what was typed may be secret
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


def _bindings() -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("c-c")
    def clear_or_leave(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt())

    @bindings.add("escape", "enter")
    def break_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return bindings


def _show(address: Any) -> str:
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else str(address or "a Unix socket")
