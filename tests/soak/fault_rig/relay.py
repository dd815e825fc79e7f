"""A TCP relay that harms the connections it carries: each in one way, which the seed and its number decide."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

# The largest number of bytes that are read at once.
CHUNK = 1 << 16
# So many writes are split into small pieces; then a connection is let through, or it would take for ever.
SPLITS = 150
#: What ends a connection, and "none", which does not.
FAULTS = ("none", "drop", "reset", "half-close", "silence", "split close")
_WEIGHTS = (50, 14, 14, 10, 5, 7)
#: From the client to the server, and back.
UP, DOWN = "up", "down"


@dataclass(frozen=True)
class Fate:
    """
    Say what becomes of one connection.

    Args:
        fault: One of `FAULTS`. ``"drop"`` closes both sockets; ``"reset"`` does it with RST; ``"half-close"`` ends the
            stream in one direction, and throws away what follows there; ``"silence"`` throws away all that follows in
            both; ``"split close"`` is no fault: the last bytes before the end of the stream come late.
        way: The direction whose bytes are counted.
        after: How many of them pass before the fault; bytes.
        delay: Largest time that bytes wait; seconds. A piece of them waits for a twentieth of it.
        rate: How fast bytes pass; bytes per second, None for no limit.
        piece: Largest number of bytes that are written at once, in the first writes; None for no limit.
    """

    fault: str = "none"
    way: str = UP
    after: int = 0
    delay: float = 0.0
    rate: float | None = None
    piece: int | None = None


UNHARMED = Fate()


def draw(seed: str) -> Fate:
    """Make the fate of a connection; the same for the same seed."""
    dice = random.Random(seed)
    return Fate(
        fault=dice.choices(FAULTS, _WEIGHTS)[0],
        way=dice.choice((UP, DOWN)),
        after=int(10 ** dice.uniform(0, 5.5)),
        delay=dice.choice((0, 0, 0, 0.002, 0.01)),
        rate=dice.choice((None, None, None, 1e6, 4e6)),
        piece=dice.choice((None, None, 1, 7, 100)),
    )


class Link:
    """
    Carry one connection.

    Args:
        fate: What becomes of it.
        writers: Direction -> where its bytes go.

    Attributes:
        struck: Whether the fault has come to pass.
    """

    def __init__(self, fate: Fate, writers: dict[str, asyncio.StreamWriter], seed: str) -> None:
        self.fate = fate
        self.struck = False
        self._writers = writers
        self._dice = random.Random(f"{seed} pieces")

    async def carry(self, way: str, reader: asyncio.StreamReader) -> None:
        """Carry the bytes of one direction until the end of its stream."""
        passed, splits = 0, SPLITS
        try:
            while data := await reader.read(CHUNK):
                if self._is_cut(way):
                    continue  # what is behind a cut gets lost
                strikes = self._strikes(way) and passed + len(data) > self.fate.after
                data = data[: max(self.fate.after - passed, 0)] if strikes else data
                splits = await self._pass_on(way, data, splits)
                passed += len(data)
                if strikes:
                    self._strike(way)
            if not self._is_cut(way):
                await self._end(way)
        except OSError:  # reset by one side, or aborted by a fault: the other side hears of it
            self._reset()

    def _strikes(self, way: str) -> bool:
        return not self.struck and way == self.fate.way and self.fate.fault not in ("none", "split close")

    def _is_cut(self, way: str) -> bool:
        return self.struck and (self.fate.fault == "silence" or way == self.fate.way)

    async def _pass_on(self, way: str, data: bytes, splits: int) -> int:
        """Write bytes, in order; return how many writes may still be split."""
        writer, fate = self._writers[way], self.fate
        await asyncio.sleep(self._dice.uniform(0, fate.delay))
        while data:
            size = len(data)
            if fate.piece is not None and splits:
                size, splits = self._dice.randint(1, fate.piece), splits - 1
            piece, data = data[:size], data[size:]
            await asyncio.sleep(self._dice.uniform(0, fate.delay / 20) + len(piece) / (fate.rate or float("inf")))
            if self._is_cut(way):
                break
            writer.write(piece)
            await writer.drain()
        return splits

    def _strike(self, way: str) -> None:
        self.struck = True
        match self.fate.fault:
            case "drop":
                for writer in self._writers.values():
                    writer.transport.abort()
            case "reset":
                self._reset()
            case "half-close":
                with suppress(OSError):
                    self._writers[way].write_eof()

    async def _end(self, way: str) -> None:
        """Pass on the end of the stream."""
        if self.fate.fault == "split close":
            await asyncio.sleep(0.05)
        with suppress(OSError):
            self._writers[way].write_eof()

    def _reset(self) -> None:
        """Close both sockets with RST."""
        for writer in self._writers.values():
            sock = writer.get_extra_info("socket")
            with suppress(OSError):  # it is closed already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Relay:
    """
    Listen on a port of its own, and relay its connections to another one.

    Args:
        target: Host and port where connections go.
        seed: Decides with the number of a connection what becomes of it; None lets all of them pass unharmed.

    Attributes:
        port: Where it listens, once it does.
        links: The connections there were, in order.
    """

    def __init__(self, target: tuple[str, int], seed: str | None) -> None:
        self.port = 0
        self.links: list[Link] = []
        self._target = target
        self._seed = seed
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and drop all connections."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        seed = f"{self._seed} {len(self.links)}"
        link = Link(UNHARMED if self._seed is None else draw(seed), {DOWN: writer}, seed)
        self.links.append(link)
        try:
            await self._carry(link, reader, writer)
        finally:
            for each in link._writers.values():
                each.transport.abort()

    async def _carry(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            back, link._writers[UP] = await asyncio.open_connection(*self._target)
            await asyncio.gather(link.carry(UP, reader), link.carry(DOWN, back))


@contextmanager
def relaying(relays: list[Relay]) -> Iterator[None]:
    """Run relays in a thread of their own for as long as the context lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relays")
    thread.start()
    try:
        for relay in relays:
            asyncio.run_coroutine_threadsafe(relay.start(), loop).result(10)
        yield
    finally:
        for relay in relays:
            asyncio.run_coroutine_threadsafe(relay.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
