"""The command in a terminal: what a person types, and what is on the screen."""

from __future__ import annotations

import asyncio
import os
import re
import select
import subprocess
import sys
import time

import pytest

pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals of this kind")
pytest.importorskip("termios")

DEADLINE = 20
# Colours, cursor movements and modes: what is left is the text.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x1b\][^\x07]*\x07|[\r\x08]")


class Terminal:
    def __init__(self, arguments):
        self._file, slave = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
        command = [sys.executable, "-m", "twoway.cli", *arguments]
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self.raw = b""

    @property
    def text(self):
        return CONTROL.sub("", self.raw.decode("utf-8", "replace"))

    def type(self, keys):
        os.write(self._file, keys.encode())

    def read(self):
        """Take what is there; False when the program has left the terminal."""
        if not select.select([self._file], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self._file, 65536)
        except OSError:
            return False
        # prompt_toolkit asks for the position of the cursor, as terminals tell it.
        if b"\x1b[6n" in data:
            self.type("\x1b[1;1R")
        self.raw += data
        return bool(data)

    def wait_for(self, text, count=1):
        end = time.monotonic() + DEADLINE
        while self.text.count(text) < count:
            assert self.read() and time.monotonic() < end, f"no {text!r} in {self.text!r}"

    def wait(self):
        end = time.monotonic() + DEADLINE
        while self.read():
            assert time.monotonic() < end, f"it does not end: {self.text!r}"
        return self.process.wait(DEADLINE)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self._file)


@pytest.fixture
def terminal():
    opened = []

    def terminal(*arguments):
        opened.append(Terminal(arguments))
        return opened[-1]

    yield terminal
    for each in opened:
        each.close()


def test_a_conversation(terminal, serving):
    window = terminal("connect", serving())
    window.wait_for("/help lists commands, Ctrl-D leaves.")
    window.type("hello\r")
    window.wait_for("< hello")
    window.type("//slash\r")
    window.wait_for("< /slash")
    window.type("/hex 00 ff\r")
    window.wait_for("< (2 bytes) 00 ff")
    window.type("\x04")
    assert window.wait() == 0
    assert "The connection was closed by us: 1000 (OK)." in window.text


def test_commands(terminal, serving):
    window = terminal("connect", serving(subprotocols=["chat"]), "--subprotocol", "chat")
    window.wait_for("Ctrl-D leaves")
    window.type("/help\r")
    window.wait_for("close the connection")
    window.type("/ping\r")
    window.wait_for("The pong came after")
    window.type("/info\r")
    window.wait_for("subprotocol: chat; extensions: permessage-deflate")
    window.type("/nothing\r")
    window.wait_for("There is no command /nothing")
    window.type("/hex zz\r")
    window.wait_for("/hex: non-hexadecimal number")
    window.type("/close 4000 bye\r")
    assert window.wait() == 0
    assert "closed by us: 4000" in window.text


def test_nothing_in_a_message_is_obeyed(terminal, serving):
    async def attack(connection):
        await connection.send("\x1b[2Jgone\x07 \u202eback\n< not a message")
        await connection.recv()

    window = terminal("connect", serving(attack))
    window.wait_for("not a message")
    assert b"\x1b[2Jgone" not in window.raw
    assert "< \\x1b[2Jgone\\x07 \\u202eback\n  < not a message" in window.text


def test_the_server_ends_it(terminal, serving):
    async def greet(connection):
        await connection.send("hello")
        await connection.recv()
        await connection.close(1013, "full")

    window = terminal("connect", serving(greet))
    window.wait_for("< hello")
    window.type("x\r")
    assert window.wait() == 31
    assert "The server closed the connection: 1013 (try again later) full." in window.text


def test_the_server_ends_it_while_somebody_types(terminal, serving, loop):
    typed = asyncio.Event()

    async def leave(connection):
        await typed.wait()
        await connection.close(4001, "go \x1b[31maway")

    window = terminal("connect", serving(leave))
    window.wait_for("Ctrl-D leaves")
    window.type("half a line")
    window.wait_for("half a line")
    loop.call_soon_threadsafe(typed.set)
    assert window.wait() == 31
    assert "The server closed the connection: 4001 (private use) go \\x1b[31maway." in window.text


def test_ctrl_c_clears_a_line_and_then_leaves(terminal, serving):
    window = terminal("connect", serving())
    window.wait_for("Ctrl-D leaves")
    window.type("forget this")
    window.wait_for("forget this")
    window.type("\x03")
    window.type("keep this\r")
    window.wait_for("< keep this")
    assert "< forget" not in window.text
    window.type("\x03")
    assert window.wait() == 0


def test_history_is_kept_for_nobody_else(terminal, serving, tmp_path):
    uri = serving()
    for keys in ("remember\r", "\x1b[A\r"):  # the second time with the arrow key
        window = terminal("connect", uri)
        window.wait_for("Ctrl-D leaves")
        window.type(keys)
        window.wait_for("< remember")
        window.type("\x04")
        assert window.wait() == 0
    (file,) = (tmp_path / "home").rglob("history")
    assert "+remember" in file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o077 == 0


def test_no_history(terminal, serving, tmp_path):
    window = terminal("connect", serving(), "--no-history", "--count", "1")
    window.wait_for("Ctrl-D leaves")
    window.type("forget\r")
    assert window.wait() == 0
    assert "< forget" in window.text
    assert list((tmp_path / "home").rglob("history")) == []


def test_a_message_of_two_lines(terminal, serving):
    window = terminal("connect", serving(), "--binary")
    window.wait_for("Ctrl-D leaves")
    window.type("a\x1b\rb\r")
    window.wait_for("< (3 bytes) 61 0a 62")
    window.type("\x04")
    assert window.wait() == 0


def test_output_in_a_terminal_and_input_from_a_pipe(terminal, serving):
    async def attack(connection):
        await connection.send('{"a": "\x1b"}')

    window = terminal("connect", serving(attack), "--wait", "forever", "--json")
    assert window.wait() == 0
    assert '{"text": "{\\"a\\": \\"\\u001b\\"}"}' in window.text
