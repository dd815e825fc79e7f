"""The drivers as one blocking interface, so that each test is written once."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import twoway.asyncio
import twoway.threading

# For one call; far more than the slowest needs. Seconds.
DEADLINE = 40

#: What serves one connection; it gets a connection whose methods block, and runs in a thread.
Handler = Callable[[Any], None]


def echo(connection: Any) -> None:
    """Send back what comes."""
    for message in connection:
        connection.send(message)


class Driver:
    """Be a driver."""

    name: str
    module: Any

    def close(self) -> None:
        """Free what it has taken."""

    def connect(self, uri: str, **options: Any) -> Any:
        """Return a context manager that gives a connection with methods that block."""
        raise NotImplementedError

    def serve(self, handler: Handler, address: int | Path, **options: Any) -> Any:
        """Return a context manager that gives a server at a port of 127.0.0.1, or at the path of a Unix socket."""
        raise NotImplementedError

    def measure(self, connection: Any) -> float:
        """Send a ping, wait for its pong, and return the seconds between them."""
        raise NotImplementedError


class AsyncioDriver(Driver):
    """Run `twoway.asyncio` on a loop in a thread."""

    name = "asyncio"
    module = twoway.asyncio

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(100))
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def close(self) -> None:
        """End the loop."""
        asyncio.run_coroutine_threadsafe(self._loop.shutdown_default_executor(), self._loop).result(DEADLINE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a function in the loop, and wait for what it returns to be done."""

        async def run() -> Any:
            result = function(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(DEADLINE)

    @contextmanager
    def connect(self, uri: str, **options: Any) -> Iterator[Any]:
        """Connect, and close the connection."""
        connection = self.call(twoway.asyncio.connect, uri, **options)
        try:
            yield Blocking(self, connection)
        finally:
            self.call(connection.close)

    @contextmanager
    def serve(self, handler: Handler, address: int | Path, **options: Any) -> Iterator[Any]:
        """Serve, and close the server."""

        async def handle(connection: Any) -> None:
            await asyncio.to_thread(handler, Blocking(self, connection))

        if isinstance(address, int):
            server = self.call(twoway.asyncio.serve, handle, "127.0.0.1", address, **options)
        else:
            server = self.call(twoway.asyncio.unix_serve, handle, str(address), **options)
            os.chmod(address, 0o777)  # the servers in front of it are another user's
        try:
            yield Blocking(self, server)
        finally:
            self.call(server.close)
            self.call(server.wait_closed)

    def measure(self, connection: Any) -> float:
        """Send a ping, wait for its pong, and return the seconds between them."""

        async def measure() -> float:
            return await (await connection.wrapped.ping())

        return self.call(measure)


class Blocking:
    """Let the methods of an object of `twoway.asyncio` block."""

    def __init__(self, driver: AsyncioDriver, wrapped: Any) -> None:
        self._driver = driver
        self.wrapped = wrapped

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.wrapped, name)
        if not callable(value):
            return value
        return lambda *args, **kwargs: self._driver.call(value, *args, **kwargs)

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                yield self.recv()
            except twoway.asyncio.ConnectionClosedOK:
                return


class ThreadingDriver(Driver):
    """Run `twoway.threading`, which is blocking already."""

    name = "threading"
    module = twoway.threading

    def connect(self, uri: str, **options: Any) -> Any:
        """Connect, and close the connection."""
        return twoway.threading.connect(uri, **options)

    @contextmanager
    def serve(self, handler: Handler, address: int | Path, **options: Any) -> Iterator[Any]:
        """Serve, and close the server."""
        if isinstance(address, int):
            server = twoway.threading.serve(handler, "127.0.0.1", address, **options)
        else:
            server = twoway.threading.unix_serve(handler, str(address), **options)
            os.chmod(address, 0o777)
        with server:
            yield server

    def measure(self, connection: Any) -> float:
        """Send a ping, wait for its pong, and return the seconds between them."""
        return connection.ping().wait(DEADLINE)


#: Name -> what makes it.
DRIVERS: dict[str, type[Driver]] = {driver.name: driver for driver in (AsyncioDriver, ThreadingDriver)}
