"""A connection in a pipe: lines in, lines out."""

from __future__ import annotations

import asyncio
import math
import os
import sys
from contextlib import suppress

from twoway.asyncio import ClientConnection, ConnectionClosed

from ._ending import check_end
from ._exits import Exit
from ._failures import Failure, Stop
from ._messages import Closing, Format, Lines, Ping, Wish
from ._screen import Screen
from ._stdin import read_lines

# Nobody waits for the end of a connection whose output nobody reads; seconds.
_HURRY = 0.5


async def exchange(connection: ClientConnection, form: Format, count: int | None, wait: float) -> None:
    """
    Send the lines of standard input, and print messages, until one side has had enough.

    Args:
        connection: Open; closed at the end.
        form: How lines and messages look.
        count: Leave after so many messages; None for no such limit.
        wait: Leave so long after the last message, once the input has ended; seconds, infinite to stay.

    Raises:
        Stop: The connection ended in another way than an orderly one, or a line cannot be sent.
    """
    sink = _Sink(form, count)
    receiving = asyncio.create_task(sink.receive(connection))
    sending = asyncio.create_task(_send(connection, form))
    try:
        await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            with suppress(ConnectionClosed):  # what came before the end is printed first
                sending.result()
            sink.limit_silence(wait)
        await receiving
        sending.cancel()
        if sink.is_closed:
            await connection.close(timeout=_HURRY)
            return
        await connection.close()
        await sink.drain(connection)
    except ConnectionClosed as exc:
        sink.end(exc)
        check_end(exc)
    finally:
        receiving.cancel()
        sending.cancel()


async def _send(connection: ClientConnection, form: Format) -> None:
    number = 0
    async for line in read_lines():
        number += 1
        try:
            await _do(connection, form.read(line))
        except ValueError as exc:
            raise Stop(Failure(Exit.FAILED, f"Line {number} of the input was not sent: {exc}.")) from exc


async def _do(connection: ClientConnection, wish: Wish) -> None:
    if isinstance(wish, Ping):
        await connection.ping(wish.data or None)
    elif isinstance(wish, Closing):
        await connection.close(wish.code, wish.reason)
    else:
        await connection.send(wish)


class _Sink:
    """Print messages; a thread does, for whoever reads our output may stop doing so, and pings want answers still."""

    def __init__(self, form: Format, count: int | None) -> None:
        self._form = form
        self._left = math.inf if count is None else count
        self._screen = Screen(marks=False) if sys.stdout.isatty() and isinstance(form, Lines) else None
        self._silence: float | None = None  # how long nothing may come; seconds, None for ever
        self._listening = asyncio.timeout(None)
        self._open = True  # whether somebody reads what we write

    async def receive(self, connection: ClientConnection) -> None:
        """Print messages until there were enough, or nothing comes any more."""
        with suppress(TimeoutError):
            while self._left > 0 and self._open:
                async with asyncio.timeout(self._silence) as self._listening:
                    batch = await connection.recv_batch()
                await asyncio.to_thread(self._write, batch if self._left > len(batch) else batch[: int(self._left)])
                self._left -= len(batch)

    @property
    def is_closed(self) -> bool:
        """Tell whether nobody reads what we write."""
        return not self._open

    async def drain(self, connection: ClientConnection) -> None:
        """Print what came until the connection was closed, and raise how it was; what is too much is dropped."""
        while True:
            await self.receive(connection)
            await connection.recv_batch()

    def limit_silence(self, wait: float) -> None:
        """Stop receiving when nothing has come for a time; seconds, infinite not to."""
        if wait != math.inf:
            self._silence = wait
            with suppress(RuntimeError):  # we do not listen just now, and will see it when we do again
                self._listening.reschedule(asyncio.get_running_loop().time() + wait)

    def end(self, exc: ConnectionClosed) -> None:
        """Print how the connection ended, where the format has that."""
        if line := self._form.write_end(exc.code, exc.reason):
            self._put(line)

    def _write(self, messages: list[str | bytes]) -> None:
        if self._screen is not None:
            for message in messages:
                self._screen.show(message)
        else:
            self._put(b"".join(map(self._form.write, messages)))

    def _put(self, data: bytes) -> None:
        if not self._open:
            return
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # head has seen enough, and that is all right
            self._open = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
