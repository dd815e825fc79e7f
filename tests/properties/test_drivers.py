"""
Both ends of a real connection send, receive, ping, give up waiting, and end it, in any order and all at once.

The model is a ledger, as in `test_connection.py`, for the drivers, each of them with each. What arrives is the
beginning of what was sent; it is all of it where the connection is closed in order after the last message, and all that
the side that closed it had sent where it is closed in the middle.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import twoway.asyncio
import twoway.threading
from twoway.asyncio import ConnectionClosed, ConnectionClosedOK
from twoway.deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

Message = str | bytes

#: Longer than anything takes; seconds.
LONG = 30
#: To give up waiting at once; seconds.
SHORT = 0.001
OTHER = {"client": "server", "server": "client"}
DRIVERS = ("asyncio", "threading")
WORDS = ("", "é", "€uro " * 40, "😀" * 3000, "the same again and again, " * 30, "long " * 15_000)
SIZES = (0, 1, 125, 126, 3000, 70_000)
# What a side does, and how often; to send or receive "hastily" is to give up at once.
SENDING = {"send": 12, "hastily": 4, "fragments": 4, "ping": 3, "pong": 1, "nap": 4}
RECEIVING = {"recv": 6, "hastily": 6, "batch": 4, "streaming": 3, "first part": 1, "nap": 4}
ENDS = {"in order": 8, "close": 4, "abort": 1, "half": 1, "cut": 1}
LOST = {"VANISHED", "OS_ERROR"}
# How each end is told to the side that brings it about, and to the other one.
CAUSES = {
    "in order": ({"LOCAL_CLOSE"}, {"REMOTE_CLOSE"}),
    "close": ({"LOCAL_CLOSE"}, {"REMOTE_CLOSE"}),
    "abort": ({"ABORTED"}, LOST),
    "half": (LOST, LOST),
    "cut": (LOST, LOST),
}


@dataclass
class End:
    """
    Be one end of a connection of either driver, for an event loop.

    Args:
        connection: The connection.
        executor: Where calls wait; None with asyncio.
    """

    connection: Any
    executor: ThreadPoolExecutor | None
    #: What it began to send, and whether that is sure to be on its way.
    sent: list[tuple[Message, bool]] = field(default_factory=list)
    received: list[Message] = field(default_factory=list)
    pongs: list[Any] = field(default_factory=list)

    @property
    def sock(self) -> Any:
        return self.connection.socket if self.executor else self.connection.transport.get_extra_info("socket")

    async def call(self, name: str, *arguments: Any, timeout: float | None = None, **more: Any) -> Any:
        """Call a method, and wait for no longer than is said."""
        method = getattr(self.connection, name)
        if self.executor is None:
            async with asyncio.timeout(timeout):
                return await method(*arguments, **more)
        if name in ("recv", "recv_batch", "send"):
            more["timeout"] = timeout
        return await self.run(lambda: method(*arguments, **more))

    async def run(self, function: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.executor, function)

    async def send(self, message: Message, parts: list[Any] | None, timeout: float | None, compress: Any) -> None:
        """Send a message, in parts if there are any; to give up does not take it back."""
        self.sent.append((message, False))
        with suppress(TimeoutError):
            await self.call("send", message if parts is None else parts, compress=compress, timeout=timeout)
            self.sent[-1] = (message, True)

    async def ping(self) -> None:
        self.pongs.append(await self.call("ping", ack_on_close=True))

    async def see_pongs(self) -> None:
        for pong in self.pongs:
            await (pong if self.executor is None else self.run(lambda pong=pong: pong.wait(LONG)))

    async def receive(self, how: str) -> None:
        """Receive in one of the ways; nothing, if that takes too long."""
        with suppress(TimeoutError):
            if how == "batch":
                self.received += await self.call("recv_batch", timeout=SHORT)
            elif how in ("streaming", "first part"):
                self.received.append(await self.receive_parts(whole=how == "streaming"))
            else:
                self.received.append(await self.call("recv", timeout=SHORT if how == "hastily" else None))

    async def receive_parts(self, whole: bool) -> Message:
        """Receive a message in parts, or only its first part."""
        if self.executor is not None:
            parts = await self.run(lambda: take(self.connection.recv_streaming(), whole))
        elif whole:
            parts = [part async for part in self.connection.recv_streaming()]
        else:
            parts = [await anext(self.connection.recv_streaming())]
        return type(parts[0])().join(parts) if whole else make_beginning(parts[0])

    async def harm(self, how: str) -> None:
        """End the connection without a closing handshake."""
        if how == "abort":
            self.connection.abort()
            return
        self.sock.shutdown(socket.SHUT_WR if how == "half" else socket.SHUT_RDWR)


def take(parts: Any, whole: bool) -> list[Any]:
    return list(parts) if whole else [next(parts)]


class TextBeginning(str):
    """The beginning of a text of which no more was received."""


class BinaryBeginning(bytes):
    """The beginning of a binary message of which no more was received."""


def make_beginning(part: Message) -> Message:
    return TextBeginning(part) if isinstance(part, str) else BinaryBeginning(part)


def fits(received: Message, sent: Message) -> bool:
    """Tell whether a message is the one that was sent, or its beginning."""
    if isinstance(received, TextBeginning):
        return isinstance(sent, str) and sent.startswith(received)
    if isinstance(received, BinaryBeginning):
        return isinstance(sent, bytes) and sent.startswith(received)
    return type(received) is type(sent) and received == sent


def count_arrived(sent: list[tuple[Message, bool]], received: list[Message]) -> int:
    """Check that what came is what was sent, in order, once; say how many of these messages lie behind."""
    place = 0
    for message in received:
        while place < len(sent) and not sent[place][1] and not fits(message, sent[place][0]):
            place += 1
        assert place < len(sent), f"{message[:30]!r} was not sent"
        assert fits(message, sent[place][0]), f"{message[:30]!r} came instead of {sent[place][0][:30]!r}"
        place += 1
    return place


class Walk:
    """Do at both ends of a connection what chance wants."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.drivers = {side: self.random.choice(DRIVERS) for side in OTHER}
        self.end = self.pick(ENDS)
        self.ender = self.random.choice(sorted(OTHER))
        self.steps = self.random.choice((4, 12, 40))
        self.ends: dict[str, End] = {}

    def pick(self, weights: dict[str, int]) -> str:
        return self.random.choices(list(weights), list(weights.values()))[0]

    async def run(self) -> None:
        problems: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
        with ThreadPoolExecutor(12) as executor:
            async with asyncio.timeout(2 * LONG), AsyncExitStack() as stack:
                await self.connect(stack, executor)
                try:
                    await self.talk()
                finally:
                    for end in self.ends.values():
                        end.connection.abort()
        assert not problems

    async def connect(self, stack: AsyncExitStack, executor: ThreadPoolExecutor) -> None:
        extensions = [[ServerPerMessageDeflateFactory(threshold=10)], [ClientPerMessageDeflateFactory(threshold=10)]]
        options = [
            {**self.options(), "compression": None, "extensions": extension if self.random.random() < 0.7 else []}
            for extension in extensions
        ]
        executors = {"asyncio": None, "threading": executor}
        port, accepted = await SERVE[self.drivers["server"]](stack, options[0])
        client = await CONNECT[self.drivers["client"]](f"ws://127.0.0.1:{port}/", options[1])
        self.ends = {
            "client": End(client, executors[self.drivers["client"]]),
            "server": End(await accepted, executors[self.drivers["server"]]),
        }
        for end in self.ends.values():
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                if self.random.random() < 0.5:  # else the kernel takes nearly everything at once
                    end.sock.setsockopt(socket.SOL_SOCKET, option, 1 << 16)

    def options(self) -> dict[str, Any]:
        """Choose options with which other code has to do the same."""
        pick = self.random.choice
        return {
            "max_queue": pick((1, 4, 16)),
            "max_queue_bytes": pick((None, 5000)),
            "write_limit": pick((1000, 1 << 16)),
            "ping_interval": pick((None, 0.01)),
            "ping_timeout": LONG,
            "open_timeout": LONG,
            "close_timeout": LONG,
            "idle_release": pick((None, 0.005)),
        }

    async def talk(self) -> None:
        scripts = {side: [self.choose_sending() for _ in range(self.steps)] for side in OTHER}
        ways = {side: [(self.pick(RECEIVING), self.nap()) for _ in range(self.steps)] for side in OTHER}
        moment = self.random.random() * 0.02
        async with asyncio.TaskGroup() as group:
            senders = [group.create_task(self.send(side, scripts[side])) for side in OTHER]
            for side in OTHER:
                group.create_task(self.receive(side, ways[side]))
            await (self.wait_for_all(senders) if self.end == "in order" else asyncio.sleep(moment))
            before = len(self.ends[self.ender].sent)
            await self.finish()
        await self.judge(before)

    def nap(self) -> float:
        return self.random.random() * 0.003

    def choose_sending(self) -> Callable[[End], Awaitable[None]]:
        """Choose a step of a sender."""
        what, nap, pick = self.pick(SENDING), self.nap(), self.random.choice
        message: Message = pick(WORDS) if self.random.random() < 0.5 else self.random.randbytes(pick(SIZES))
        compress, cut = pick((None, None, True, False)), self.random.randint(0, len(message))
        if what == "nap":
            return lambda end: asyncio.sleep(nap)
        if what in ("ping", "pong"):
            return End.ping if what == "ping" else lambda end: end.call("pong", b"not asked for")
        parts = [message[:cut], message[cut:]] if what == "fragments" else None
        return lambda end: end.send(message, parts, SHORT if what == "hastily" else None, compress)

    async def send(self, side: str, script: list[Callable[[End], Awaitable[None]]]) -> None:
        with suppress(ConnectionClosed):
            for step in script:
                await step(self.ends[side])

    async def receive(self, side: str, ways: list[tuple[str, float]]) -> None:
        """Receive in many ways for a while, then until the end."""
        end = self.ends[side]
        with suppress(ConnectionClosed):
            for how, nap in ways:
                await (asyncio.sleep(nap) if how == "nap" else end.receive(how))
            while True:
                await end.receive("recv")

    async def wait_for_all(self, senders: list[asyncio.Task[None]]) -> None:
        """Wait until the side that closes has got all: what comes while it closes is kept as far as its queue goes."""
        await asyncio.wait(senders)
        for end in self.ends.values():
            await end.see_pongs()
        one, other = self.ends[self.ender], self.ends[OTHER[self.ender]]
        while any(sure for _, sure in other.sent[count_arrived(other.sent, one.received) :]):
            await asyncio.sleep(SHORT)

    async def finish(self) -> None:
        end = self.ends[self.ender]
        if self.end in ("in order", "close"):
            await end.call("close", self.random.choice((1000, 1001)))
        else:
            await end.harm(self.end)

    async def judge(self, before: int) -> None:
        one, other = self.ends[self.ender], self.ends[OTHER[self.ender]]
        for end, causes in zip((one, other), CAUSES[self.end], strict=True):
            error = end.connection.protocol.close_exc
            assert error.cause.name in causes, error
            assert isinstance(error, ConnectionClosedOK) is (self.end in ("in order", "close"))
            await end.see_pongs()
        count_arrived(other.sent, one.received)
        lost = one.sent[count_arrived(one.sent, other.received) : before]
        if self.end in ("in order", "close"):
            assert not [message[:30] for message, sure in lost if sure]


async def serve_with_asyncio(stack: AsyncExitStack, options: dict[str, Any]) -> Any:
    accepted, left = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def handler(connection: Any) -> None:
        accepted.set_result(connection)
        await left.wait()

    server = await stack.enter_async_context(twoway.asyncio.serve(handler, "127.0.0.1", 0, **options))
    stack.callback(left.set)
    return server.sockets[0].getsockname()[1], accepted


async def serve_with_threads(stack: AsyncExitStack, options: dict[str, Any]) -> Any:
    loop, left = asyncio.get_running_loop(), threading.Event()
    accepted = loop.create_future()

    def handler(connection: Any) -> None:
        loop.call_soon_threadsafe(accepted.set_result, connection)
        left.wait()

    server = stack.enter_context(twoway.threading.serve(handler, "127.0.0.1", 0, **options))
    stack.callback(left.set)
    return server.sockets[0].getsockname()[1], accepted


async def connect_with_asyncio(uri: str, options: dict[str, Any]) -> Any:
    return await twoway.asyncio.connect(uri, **options)


async def connect_with_threads(uri: str, options: dict[str, Any]) -> Any:
    return await asyncio.to_thread(lambda: twoway.threading.connect(uri, **options).connect())


SERVE = {"asyncio": serve_with_asyncio, "threading": serve_with_threads}
CONNECT = {"asyncio": connect_with_asyncio, "threading": connect_with_threads}


# What happens at the same time is up to the system, so that there is nothing to shrink.
@settings(phases=[Phase.generate])
@given(seed=st.integers(0, 2**64))
def test_a_walk_at_both_ends(seed: int) -> None:
    asyncio.run(Walk(seed).run())
