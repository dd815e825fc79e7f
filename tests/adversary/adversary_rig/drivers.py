"""Who is attacked: both drivers behind one blocking interface, as servers and as clients that echo."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import twoway.asyncio
import twoway.threading
from twoway.http import Response

from .peer import DEADLINE

_MOST = 1000  # of a message, and of messages, that are remembered


@dataclass
class Outcome:
    """
    Hold what a client's user has got.

    Attributes:
        error: What was raised at last.
        opened: Whether the connection was open.
        messages: What was received.
        connection: The connection, if there was one.
    """

    error: BaseException | None = None
    opened: bool = False
    messages: list[str | bytes] = field(default_factory=list)
    connection: Any = None


class Serving:
    """
    Be a server that runs.

    Attributes:
        port: Where it listens.
        delivered: What its handlers have received since the last `clear`; long ones cut.
        active: How many handlers run.
        begun: How many have begun.
    """

    def __init__(self) -> None:
        self.port = 0
        self.active = 0
        self.begun = 0
        self.delivered: list[str | bytes] = []
        self._mutex = threading.Lock()

    def enter(self, step: int) -> None:
        """Count a handler that begins or ends."""
        with self._mutex:
            self.active += step
            self.begun += step > 0

    def note(self, message: str | bytes) -> None:
        """Remember a message."""
        remember(self.delivered, message)

    def clear(self) -> None:
        """Forget what was received."""
        self.delivered.clear()

    def wait_until_idle(self, begun: int = 0) -> None:
        """Wait until so many handlers have begun, and none runs."""
        until = time.monotonic() + DEADLINE
        while (self.active or self.begun < begun) and time.monotonic() < until:
            time.sleep(0.002)
        assert self.begun >= begun, "a handler has never begun"
        assert not self.active, "a handler hangs"


def remember(messages: list[str | bytes], message: str | bytes) -> None:
    """Keep a message, or the beginning of it, unless there are many."""
    if len(messages) < _MOST:
        messages.append(message[:_MOST])


class Driver:
    """
    Be a driver.

    Attributes:
        errors: What nobody has caught, as text.
    """

    name: str
    module: Any

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._pool = ThreadPoolExecutor(64)

    def close(self) -> None:
        """Free what it has taken."""
        self._pool.shutdown()

    def serve(self, **options: Any) -> Any:
        """Return a context manager that gives a `Serving`."""
        raise NotImplementedError

    def dial(self, uri: str, **options: Any) -> Future[Outcome]:
        """Connect, send every message back, and give what comes of it."""
        raise NotImplementedError

    def say(self, uri: str, message: str) -> str | bytes:
        """Connect, send a message, give the answer, close."""
        raise NotImplementedError

    def run(self, coroutine_function: Any, function: Any, *args: Any) -> Any:
        """Run whichever of two programs is for this driver, with its module; give what it returns."""
        raise NotImplementedError


class AsyncioDriver(Driver):
    """Run `twoway.asyncio` on a loop in a thread."""

    name = "asyncio"
    module = twoway.asyncio

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda loop, context: self.errors.append(repr(context)))
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop of the victims")
        self._thread.start()

    def close(self) -> None:
        """End the loop."""
        super().close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, coroutine: Any) -> Future[Any]:
        """Run a coroutine in the loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    @contextmanager
    def serve(self, **options: Any) -> Iterator[Serving]:
        """Serve, and close the server."""
        serving = Serving()

        async def echo(connection: Any) -> None:
            serving.enter(1)
            try:
                async for message in connection:
                    serving.note(message)
                    await connection.send(message)
            finally:
                serving.enter(-1)

        async def start() -> Any:
            return await twoway.asyncio.serve(echo, *_where(options), **options)

        async def stop() -> None:
            server.close()
            await server.wait_closed()

        server = self.call(start()).result(DEADLINE)
        serving.port = server.sockets[0].getsockname()[1]
        try:
            yield serving
        finally:
            self.call(stop()).result(DEADLINE)

    def dial(self, uri: str, **options: Any) -> Future[Outcome]:
        """Connect, send every message back, and give what comes of it."""

        async def run() -> Outcome:
            outcome = Outcome()
            try:
                outcome.connection = connection = await twoway.asyncio.connect(uri, **options)
                outcome.opened = True
                while True:
                    message = await connection.recv()
                    remember(outcome.messages, message)
                    await connection.send(message)
            except Exception as exc:
                outcome.error = exc
            if outcome.opened:
                await connection.wait_closed()
            return outcome

        return self.call(run())

    def say(self, uri: str, message: str) -> str | bytes:
        """Connect, send a message, give the answer, close."""

        async def run() -> Any:
            async with twoway.asyncio.connect(uri) as connection:
                await connection.send(message)
                return await connection.recv()

        return self.call(run()).result(DEADLINE)

    def run(self, coroutine_function: Any, function: Any, *args: Any) -> Any:
        """Run the coroutine function in the loop."""
        return self.call(coroutine_function(self.module, *args)).result(2 * DEADLINE)


class ThreadingDriver(Driver):
    """Run `twoway.threading`."""

    name = "threading"
    module = twoway.threading

    @contextmanager
    def serve(self, **options: Any) -> Iterator[Serving]:
        """Serve, and close the server."""
        serving = Serving()

        def echo(connection: Any) -> None:
            serving.enter(1)
            try:
                for message in connection:
                    serving.note(message)
                    connection.send(message)
            finally:
                serving.enter(-1)

        with twoway.threading.serve(echo, *_where(options), **options) as server:
            serving.port = server.sockets[0].getsockname()[1]
            yield serving

    def dial(self, uri: str, **options: Any) -> Future[Outcome]:
        """Connect, send every message back, and give what comes of it."""

        def run() -> Outcome:
            outcome = Outcome()
            try:
                outcome.connection = connection = twoway.threading.connect(uri, **options).connect()
                outcome.opened = True
                while True:
                    message = connection.recv()
                    remember(outcome.messages, message)
                    connection.send(message)
            except Exception as exc:
                outcome.error = exc
            if outcome.opened:
                connection.wait_closed()
            return outcome

        return self._pool.submit(run)

    def say(self, uri: str, message: str) -> str | bytes:
        """Connect, send a message, give the answer, close."""
        with twoway.threading.connect(uri) as connection:
            connection.send(message)
            return connection.recv(timeout=DEADLINE)

    def run(self, coroutine_function: Any, function: Any, *args: Any) -> Any:
        """Run the function."""
        return function(self.module, *args)


def _where(options: dict[str, Any]) -> tuple[str | None, int | None]:
    return (None, None) if "sock" in options else ("127.0.0.1", 0)


#: Name -> what makes it.
DRIVERS: dict[str, type[Driver]] = {driver.name: driver for driver in (AsyncioDriver, ThreadingDriver)}


def delay(connection: Any, request: Any) -> Any:
    """Think about a request for a while; a `process_request` that serves both drivers as it is."""
    if "slow" not in request.path:
        return None
    if isinstance(connection, twoway.threading.ServerConnection):
        time.sleep(0.3)
        return None

    async def wait() -> None:
        await asyncio.sleep(0.3)

    return wait()


def answer_plain_http(connection: Any, request: Any) -> Response | None:
    """Answer what is no opening handshake with the length of its body."""
    if "Upgrade" in request.headers:
        return None
    return Response.text(200, f"{len(request.body)} bytes\n")
