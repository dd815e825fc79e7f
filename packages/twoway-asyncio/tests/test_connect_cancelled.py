"""`connect`, cancelled at each of its await points: nothing is left behind."""

from __future__ import annotations

import asyncio
import itertools
import socket
from contextlib import asynccontextmanager
from functools import partial

import pytest

from twoway.asyncio import connect, serve, unix_connect


class Cancelled:
    """
    Run something, and cancel it at its n-th await point.

    Early: before that for which it waits has happened. Late: it has happened, and the task did not run since.
    """

    def __init__(self, awaitable, point, late):
        self.awaitable = awaitable
        self.left = point
        self.late = late
        self.reached = False

    def __await__(self):
        steps = self.awaitable.__await__()
        resume = next
        while True:
            try:
                future = resume(steps)
            except StopIteration as stop:
                return stop.value
            if self.left == 0:
                self.reached = True
                task = asyncio.current_task()
                if self.late and future is not None:
                    future.add_done_callback(lambda _, task=task: task.cancel())
                else:
                    task.cancel()
            self.left -= 1
            try:
                yield future
            except BaseException as exc:
                resume = partial(throw, exc)
            else:
                resume = next


def throw(exc, steps):
    return steps.throw(exc)


async def run(cancelled):
    return await cancelled


async def slow_headers():
    await asyncio.sleep(0)
    return {"X-Slow": "1"}


def plain(uri, path, tls):
    return connect(uri)


def secure(uri, path, tls):
    return connect(uri.replace("ws:", "wss:"), ssl=tls.client)


def in_turn(uri, path, tls):
    return connect(uri, serialize_connecting=True, additional_headers=slow_headers)


def unix(uri, path, tls):
    return unix_connect(path)


class Iteration:
    """Connect as a loop over `connect` does."""

    def __init__(self, connector):
        self.connector = connector

    def __await__(self):
        self.connections = aiter(self.connector)
        return anext(self.connections).__await__()


def iterated(uri, path, tls):
    return Iteration(connect(uri))


def after_a_failure(uri, path, tls):
    def fail_once():
        if next(count) == 0:
            raise OSError
        return {}

    count = itertools.count()
    return Iteration(connect(uri, additional_headers=fail_once, reconnect_delays=lambda: itertools.repeat(0.001)))


@asynccontextmanager
async def listening(path, how, tls):
    """Serve where the client of this kind expects it."""

    async def handler(connection):
        await connection.wait_closed()

    if how is unix:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(path)
    else:
        sock = socket.create_server(("127.0.0.1", 0))
    async with serve(handler, sock=sock, ssl=tls.server if how is secure else None) as server:
        yield server, "" if how is unix else f"ws://localhost:{sock.getsockname()[1]}/"


@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
@pytest.mark.parametrize("how", [plain, secure, in_turn, unix, iterated, after_a_failure])
async def test_connect_leaves_nothing_wherever_it_is_cancelled(tmp_path, tls, how, late):
    path = str(tmp_path / "socket")
    async with listening(path, how, tls) as (server, uri):
        for point in itertools.count():
            cancelled = Cancelled(how(uri, path, tls), point, late)
            task = asyncio.create_task(run(cancelled))
            await asyncio.wait({task})
            if not task.cancelled():
                await (await task).close()
            if not cancelled.reached:
                break
        assert point >= 2
        while server._connections:
            await asyncio.sleep(0.001)
