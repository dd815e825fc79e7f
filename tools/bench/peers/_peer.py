"""
What the peers share: their command line, event loops, and how a client measures itself.

    python PEER.py ROLE --port N [--loop NAME] [--compressed] [--engine NAME] [--tls FILE] [--seconds S]

A peer is one library in the roles that it can play. Servers listen on ``--port`` and print a line when they do; clients
connect to it, and print a line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import ssl
import sys
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple

TEXT = "a" * 256
HOST = "127.0.0.1"
BATCH = 100  # round trips between two looks at the clock
END = "end"  # the message behind the last one of a flood


class Options(NamedTuple):
    """Say what a peer has to do; ``engine`` is one of twoway.deflate, None is the default; ``tls`` is a file in PEM."""

    role: str
    port: int
    loop: str
    compressed: bool
    engine: str | None
    tls: str | None
    seconds: float

    @property
    def uri(self) -> str:
        """Say where a client connects to."""
        return f"ws://{HOST}:{self.port}/"

    @property
    def context(self) -> ssl.SSLContext | None:
        """Make the server's side of TLS, if there is to be any."""
        if self.tls is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.tls)
        return context


def read_options() -> Options:
    """Read the command line. What a library logs is not measured, whether anybody would see it or not."""
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser()
    parser.add_argument("role")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--compressed", action="store_true")
    parser.add_argument("--engine")
    parser.add_argument("--tls")
    parser.add_argument("--seconds", type=float, default=1)
    return Options(**vars(parser.parse_args()))


def announce() -> None:
    """Tell that the server listens."""
    print("ready", flush=True)


class Measurement:
    """Measure the CPU time (user and system) and the time that this process takes for messages, from now on."""

    def __init__(self) -> None:
        self._began, self._cpu_began = time.perf_counter(), time.process_time()

    def goes_on(self, seconds: float) -> bool:
        """Tell whether so much time has not passed yet."""
        return time.perf_counter() - self._began < seconds

    def finish(self, messages: int) -> None:
        """Print the result."""
        used, took = time.process_time() - self._cpu_began, time.perf_counter() - self._began
        if not messages:
            sys.exit("no message came")
        result = {"messages": messages, "cpu_us": used / messages * 1e6, "per_second": messages / took}
        print(json.dumps(result), flush=True)


# Event loops


def new_uvloop() -> asyncio.AbstractEventLoop:
    """Make a loop of uvloop."""
    import uvloop

    return uvloop.new_event_loop()


def with_aiofastnet(base: Callable[[], asyncio.AbstractEventLoop]) -> asyncio.AbstractEventLoop:
    """Make a loop whose connections and servers are those of aiofastnet, unless they have TLS."""
    import aiofastnet

    loop = base()

    async def create(theirs: Callable[..., Any], fast: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await (theirs(*args, **kwargs) if kwargs.get("ssl") else fast(loop, *args, **kwargs))

    for name in ("create_connection", "create_server"):
        setattr(loop, name, partial(create, getattr(loop, name), getattr(aiofastnet, name)))
    return loop


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": new_uvloop,
    "aiofastnet": partial(with_aiofastnet, asyncio.new_event_loop),
    "uvloop+aiofastnet": partial(with_aiofastnet, new_uvloop),
}


def run(program: Coroutine[Any, Any, None], loop: str) -> None:
    """Run a program on a loop."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(program)


async def hold() -> None:
    """Tell that the server listens, and serve until the process is killed."""
    announce()
    await asyncio.get_running_loop().create_future()
