"""Standard input, line by line, without stopping the event loop."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import threading
from collections.abc import AsyncIterator
from typing import TextIO

# Bytes to read at once, and how many such pieces may wait.
_CHUNK = 65536
_AHEAD = 4


def has_terminal() -> bool:
    """
    Tell whether a person is at both ends.

    Returns:
        Whether standard input and standard output are a terminal.
    """
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


async def read_lines() -> AsyncIterator[bytes]:
    """
    Read the lines of standard input.

    A thread reads: neither files nor the terminals of all systems can be watched by an event loop. The thread dies
    with the program, for nothing interrupts a read.

    Yields:
        Each line, without its end. The last one may have none.
    """
    begun: list[bytes] = []  # pieces of a line whose end has not come
    async for data in _read_pieces():
        first, *others = data.split(b"\n")
        begun.append(first)
        for line in others:
            yield b"".join(begun).removesuffix(b"\r")
            begun = [line]
    if last := b"".join(begun):
        yield last


async def _read_pieces() -> AsyncIterator[bytes]:
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    room = threading.Semaphore(_AHEAD)
    arguments = (sys.stdin, asyncio.get_running_loop(), pieces, room)
    threading.Thread(target=_read_all, args=arguments, name="standard input", daemon=True).start()
    while data := await pieces.get():
        room.release()
        yield data


def _read_all(
    stdin: TextIO | None, loop: asyncio.AbstractEventLoop, pieces: asyncio.Queue[bytes], room: threading.Semaphore
) -> None:
    try:
        while True:
            room.acquire()
            data = _read(stdin)
            loop.call_soon_threadsafe(pieces.put_nowait, data)
            if not data:
                return
    except RuntimeError:  # the event loop has ended: nobody wants to know any more
        pass


def _read(stdin: TextIO | None) -> bytes:
    """Read what there is; nothing at the end. Not by its own method: its lock would be held while the program ends."""
    if stdin is None:  # it was closed before the program began
        return b""
    try:
        try:
            return os.read(stdin.fileno(), _CHUNK)
        except io.UnsupportedOperation:  # in tests there is no file behind it
            return stdin.buffer.read(_CHUNK)
    except (OSError, ValueError):  # a terminal that has gone
        return b""
