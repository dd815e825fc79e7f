"""The program of one connection."""

from __future__ import annotations

import asyncio
import math
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from twoway.asyncio import ConnectionClosed, ServerConnection

from ._messages import Closing, Format, Lines, Message, Ping

_CHUNK = 65536
# For what is left in a pipe whose writers are dead; a process that got away may hold it open. Seconds.
_LAST = 0.5

# What lines cannot carry, RFC 6455 §7.4.1: 1003, unsupported data.
_UNSUPPORTED = 1003
_ERROR = 1011


class Chunks:
    """Stand for no lines at all: bytes in, bytes out."""


_Form: TypeAlias = Format | Chunks


@dataclass(frozen=True)
class Limits:
    """
    Bound what a program may do.

    Args:
        lifetime: How long it may run; seconds, infinite for ever.
        max_line: Longest line that it may write; bytes.
        stop_after: From the end of its input to SIGTERM, and from there to SIGKILL; seconds.
    """

    lifetime: float = math.inf
    max_line: int = 1 << 20
    stop_after: float = 5.0


class Unfit(Exception):
    """Tell that a message cannot be given to the program, or that what it wrote is no message."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Program:
    """
    Run a program for a connection.

    Args:
        connection: Open; closed at the end.
        form: How messages look for the program.
        limits: What it may do.
    """

    def __init__(self, connection: ServerConnection, form: _Form, limits: Limits) -> None:
        self._connection = connection
        self._form = form
        self._limits = limits
        self._process: asyncio.subprocess.Process  # since run

    async def run(self, command: list[str]) -> str:
        """
        Run it to its end, and close the connection.

        Args:
            command: Program and arguments.

        Returns:
            How it ended, for the log.
        """
        try:
            self._process = await self._start(command)
        except OSError as exc:
            await self._connection.close(_ERROR, "the program cannot be started")
            return f"the program cannot be started: {exc}"
        try:
            return await self._talk()
        finally:
            await asyncio.shield(asyncio.ensure_future(self._stop()))

    async def _start(self, command: list[str]) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        # A session of its own: its children are reached as well, and Ctrl-C is for the server alone.
        own: dict[str, Any] = {} if os.name == "nt" else {"start_new_session": True}
        limit = max(self._limits.max_line, 1)
        environment = {**os.environ, **describe(self._connection)}
        return await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, limit=limit, env=environment, **own
        )

    async def _talk(self) -> str:
        feeding = asyncio.create_task(self._feed())
        reading = asyncio.create_task(self._read())
        lifetime = None if self._limits.lifetime == math.inf else self._limits.lifetime
        try:
            async with asyncio.timeout(lifetime):
                await asyncio.wait({feeding, reading}, return_when=asyncio.FIRST_COMPLETED)
                await (reading if reading.done() else feeding)
                if not reading.done():  # the client has gone
                    return "the client left"
            return await self._conclude()
        except ConnectionClosed:
            return "the client left"
        except Unfit as exc:
            await self._connection.close(exc.code, str(exc))
            return f"closed: {exc}"
        except TimeoutError:
            await self._connection.close(1001, "the time is over")
            return "its time was over"
        finally:
            feeding.cancel()
            reading.cancel()
            await asyncio.wait({feeding, reading})

    async def _conclude(self) -> str:
        """Close the connection behind the last line; the program has closed its output, and should end soon."""
        try:
            async with asyncio.timeout(self._limits.stop_after):
                status = await self._process.wait()
        except TimeoutError:
            status = 0
        if status:
            await self._connection.close(_ERROR, "the program failed")
        else:
            await self._connection.close()
        return f"the program ended with status {status}"

    async def _feed(self) -> None:
        """Give messages to the program, until the client leaves."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(BrokenPipeError, ConnectionResetError):  # it reads no more, which is up to it
            async for message in self._connection:
                stdin.write(self._write(message))
                await stdin.drain()
            return
        await self._connection.wait_closed()

    async def _read(self) -> None:
        """Send what the program writes."""
        stdout = self._process.stdout
        assert stdout is not None
        if isinstance(self._form, Chunks):
            while chunk := await stdout.read(_CHUNK):
                await self._connection.send(chunk)
            return
        try:
            while line := await stdout.readline():
                await self._do(self._form, line.removesuffix(b"\n").removesuffix(b"\r"))
        except ValueError as exc:
            raise Unfit(_ERROR, "the program wrote a line that is no message") from exc

    async def _do(self, form: Format, line: bytes) -> None:
        wish = form.read(line)
        if isinstance(wish, Ping):
            await self._connection.ping(wish.data or None)
        elif isinstance(wish, Closing):
            await self._connection.close(wish.code, wish.reason)
        else:
            await self._connection.send(wish)

    def _write(self, message: Message) -> bytes:
        if isinstance(self._form, Chunks):
            return message.encode() if isinstance(message, str) else message
        if isinstance(self._form, Lines):
            if isinstance(message, bytes):
                raise Unfit(_UNSUPPORTED, "text messages only")
            if "\n" in message or "\r" in message:
                raise Unfit(_UNSUPPORTED, "a message must be one line")
        return self._form.write(message)

    async def _stop(self) -> None:
        """End the program: by the end of its input, then by SIGTERM, then by SIGKILL."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        dropping = asyncio.create_task(self._drop_output())
        try:
            if not await self._has_ended():
                self._signal("SIGTERM")
                await self._has_ended()
        finally:
            self._signal("SIGKILL")  # its children, too, if it had any that outlive it
            await asyncio.wait({dropping}, timeout=_LAST)
            dropping.cancel()

    async def _drop_output(self) -> None:
        """Read what nobody wants any more: who waits for us to read neither sees the end of its input nor ends."""
        assert self._process.stdout is not None
        while await self._process.stdout.read(_CHUNK):
            pass

    async def _has_ended(self) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.stop_after):
                await self._process.wait()
        return self._process.returncode is not None

    def _signal(self, name: str) -> None:
        with suppress(ProcessLookupError, PermissionError):
            if os.name == "nt":
                self._process.kill()
            else:
                os.killpg(self._process.pid, getattr(signal, name))


def describe(connection: ServerConnection) -> dict[str, str]:
    """
    Tell a program about its connection.

    Args:
        connection: Open.

    Returns:
        Environment variables. Each of them is set, so that none of the server's own shows through.
    """
    request, address = connection.request, connection.remote_address
    assert request is not None
    path, _, query = request.path.partition("?")
    host, port = address[:2] if isinstance(address, tuple) else ("", "")
    return {
        "REMOTE_ADDR": str(host),
        "REMOTE_PORT": str(port),
        "REQUEST_URI": request.path,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "HTTP_HOST": _header(connection, "Host"),
        "HTTP_ORIGIN": _header(connection, "Origin"),
        "REMOTE_USER": connection.username or "",
        "WEBSOCKET_SUBPROTOCOL": connection.subprotocol or "",
    }


def _header(connection: ServerConnection, name: str) -> str:
    assert connection.request is not None
    values = connection.request.headers.get_all(name)
    return values[0] if len(values) == 1 else ""
