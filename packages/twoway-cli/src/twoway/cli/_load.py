"""The load of ``twoway bench``: connections that send, and wait for their echoes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter, process_time

from twoway.asyncio import ClientConnection, ConnectionClosed

from ._connecting import Connecting
from ._exits import Exit
from ._failures import Failure, Stop, judge
from ._histogram import Histogram
from ._text import shorten

# Handshakes at a time: enough to be quick, few enough that a listening socket has room for them.
_HANDSHAKES = 50
# Without any echo for so long, the server is no echo server, or has stopped; seconds.
PATIENCE = 10.0


@dataclass(frozen=True)
class Plan:
    """
    Say what to measure.

    Args:
        connections: How many there are.
        in_flight: How many messages of each connection are on their way at a time.
        duration: How long to measure; seconds.
        count: Messages of each connection after which it ends; None for no such limit.
        payload: The message.
    """

    connections: int
    in_flight: int
    duration: float
    count: int | None
    payload: str | bytes


@dataclass
class Outcome:
    """
    Hold what was measured.

    Args:
        latency: From each send to its echo.
        handshake: From the beginning of each connection to its end of the opening handshake, TCP and TLS included.
        elapsed: How long it took; seconds.
        busy: Which part of that time this process was running; 0 to 1.
        lost: Connections that ended too early.
        why: How the first of them ended; empty if there is none.
    """

    latency: Histogram = field(default_factory=Histogram)
    handshake: Histogram = field(default_factory=Histogram)
    elapsed: float = 0.0
    busy: float = 0.0
    lost: int = 0
    why: str = ""

    @property
    def rate(self) -> float:
        """Give the echoes for each second."""
        return self.latency.count / self.elapsed if self.elapsed else 0.0


class Load:
    """
    Make the load.

    Args:
        connecting: What the options say about the connections.
        plan: What to measure.
    """

    def __init__(self, connecting: Connecting, plan: Plan) -> None:
        self._connecting = connecting
        self._plan = plan
        self._connections: list[ClientConnection] = []
        self._over = False
        self.outcome = Outcome()

    async def open(self, opened: Callable[[int], object]) -> None:
        """
        Open the connections.

        Args:
            opened: Called with their number after each.

        Raises:
            Stop: One could not be opened; those that are open are closed by `close`.
        """
        permits = asyncio.Semaphore(_HANDSHAKES)
        tasks = [asyncio.create_task(self._open(permits, opened)) for _ in range(self._plan.connections)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _open(self, permits: asyncio.Semaphore, opened: Callable[[int], object]) -> None:
        async with permits:
            begin = perf_counter()
            try:
                self._connections.append(await self._connecting.open())
            except Exception as exc:
                failure = self._connecting.explain(exc, self._connecting.place)
                number = self._plan.connections
                which = f"One of {number} connections failed. " if number > 1 else ""
                raise Stop(Failure(failure.exit, which + failure.sentence, failure.hint)) from exc
            self.outcome.handshake.add(perf_counter() - begin)
        opened(len(self._connections))

    async def run(self, progress: Callable[[float], object]) -> None:
        """
        Send and receive until the time is over.

        Args:
            progress: Called again and again with the seconds since the beginning.

        Raises:
            Stop: Nothing comes back, or something else than what was sent.
        """
        begin, worked = perf_counter(), process_time()
        talks = [asyncio.create_task(self._talk(connection)) for connection in self._connections]
        try:
            await self._watch(talks, begin, progress)
        finally:
            self._over = True
            for talk in talks:
                talk.cancel()
            self.outcome.elapsed = perf_counter() - begin
            self.outcome.busy = (process_time() - worked) / self.outcome.elapsed

    async def _watch(self, talks: list[asyncio.Task[None]], begin: float, progress: Callable[[float], object]) -> None:
        waiting, echoes, last = set(talks), 0, begin
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=0.1)
            for talk in done:
                talk.result()
            now = perf_counter()
            progress(now - begin)
            self._over = now - begin >= self._plan.duration
            if self.outcome.latency.count != echoes:
                echoes, last = self.outcome.latency.count, now
            elif waiting and now - last > PATIENCE:
                what = "Nothing came back" if not echoes else "Nothing came back any more"
                hint = "bench needs a server that sends every message back, as twoway echo does"
                raise Stop(Failure(Exit.NO_WEBSOCKET, f"{what} for {PATIENCE:.0f} seconds.", hint))

    async def _talk(self, connection: ClientConnection) -> None:
        try:
            await self._exchange(connection)
        except ConnectionClosed as exc:
            self.outcome.lost += 1
            self.outcome.why = self.outcome.why or judge(exc).sentence

    async def _exchange(self, connection: ClientConnection) -> None:
        payload, add = self._plan.payload, self.outcome.latency.add
        sent: deque[float] = deque()
        left = self._plan.count or 0
        unlimited = self._plan.count is None
        for _ in range(self._plan.in_flight if unlimited else min(left, self._plan.in_flight)):
            sent.append(perf_counter())
            await connection.send(payload)
        left -= len(sent)
        while sent:
            echo = await connection.recv()
            add(perf_counter() - sent.popleft())
            if echo != payload:
                raise Stop(_no_echo(echo))
            if (unlimited or left > 0) and not self._over:
                left -= 1
                sent.append(perf_counter())
                await connection.send(payload)

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(connection.close() for connection in self._connections), return_exceptions=True)


def _no_echo(answer: str | bytes) -> Failure:
    what = f"“{shorten(answer, 60)}”" if isinstance(answer, str) else f"{len(answer)} other bytes"
    hint = "bench needs a server that sends every message back, as twoway echo does"
    return Failure(Exit.NO_WEBSOCKET, f"The server does not send back what it gets: it sent {what}.", hint)
