"""What is measured: the cells of the tables, and how each of them gets its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from _contestants import Contestant
from _processes import FailedError, cpus, free_port, resident, run, running
from _setup import Tools

Figures = dict[str, float]


class Effort(NamedTuple):
    """
    Say how much is done for one figure.

    Args:
        seconds: Of a measurement that goes by time.
        broadcasts: Messages that go to everybody.
        crowd: Connections of a broadcast, and idle ones.
        imports: Processes that import one module.
    """

    seconds: float = 0.5
    broadcasts: int = 50
    crowd: int = 1000
    imports: int = 5


QUICK = Effort(seconds=0.1, broadcasts=3, crowd=20, imports=1)


class Setting(NamedTuple):
    """Say what kind of server a cell is measured with; cells with the same one share a process."""

    role: str
    compressed: bool = False
    tls: bool = False


class Bench(NamedTuple):
    """Hold what a measurement needs to know."""

    tools: Tools
    effort: Effort

    def load(self, mode: str, port: int, *arguments: object) -> list[str]:
        """Give a command of the load generator."""
        return [str(self.tools.load), mode, "--port", str(port), *map(str, arguments)]

    @contextmanager
    def server(self, contestant: Contestant, setting: Setting) -> Iterator[tuple[int, int]]:
        """Run a server; give its port and its process."""
        port = free_port()
        arguments = [setting.role, "--port", str(port)]
        if setting.compressed:
            arguments.append("--compressed")
        if setting.tls:
            arguments += ["--tls", str(self.tools.certificate)]
        command = contestant.command(self.tools, *arguments)
        with running(command, cpus()[0], contestant.environment(self.tools)) as process:
            yield port, process.pid


ServerMeasure = Callable[[Bench, int, int], Figures]
Measure = Callable[[Bench, Contestant], Figures]


class Cell(NamedTuple):
    """
    Hold one column of the tables.

    Args:
        name: For options and files.
        title: For people.
        role: What a contestant must be able to do.
        figure: Which of the figures counts; the less the better.
        unit: Of this figure.
        per: What this figure is for.
        setting: The server to run; None where the measurement runs what it needs.
        measure: Gives the figures; called with port and process of the server if there is a setting, else with the
            contestant.
        once: Whether one round is enough, because other processes do not disturb the figure.
    """

    name: str
    title: str
    role: str
    figure: str
    unit: str
    per: str
    setting: Setting | None
    measure: Callable[..., Figures]
    once: bool = False


# With a server that is there already


def echo(connections: int, depth: int, size: int, *more: str) -> ServerMeasure:
    """Keep so many messages in flight on each of so many connections."""
    shape = ("--connections", connections, "--depth", depth, "--size", size, *more)

    def measure(bench: Bench, port: int, pid: int) -> Figures:
        return run(bench.load("load", port, *shape, "--seconds", bench.effort.seconds, "--pid", pid), cpus()[1])

    return measure


echo_tls = echo(32, 1, 256, "--tls")


def replay(bench: Bench, port: int, pid: int) -> Figures:
    """Send compressed messages of 500 bytes, and have them compressed again."""
    shape = ("--connections", 8, "--depth", 4, "--seconds", bench.effort.seconds, "--file", bench.tools.messages)
    return run(bench.load("replay", port, *shape, "--pid", pid), cpus()[1])


def shake_hands(bench: Bench, port: int, pid: int) -> Figures:
    """Open connections and drop them."""
    return run(bench.load("handshakes", port, "--seconds", bench.effort.seconds, "--pid", pid), cpus()[1])


def push(bench: Bench, port: int, pid: int) -> Figures:
    """Push messages to a server that only counts them."""
    return run(bench.load("flood", port, "--seconds", bench.effort.seconds, "--pid", pid), cpus()[1])


def spread(bench: Bench, port: int, pid: int) -> Figures:
    """Have each of some messages sent to everybody."""
    crowd = bench.effort.crowd
    shape = ("--connections", crowd, "--count", bench.effort.broadcasts, "--pid", pid)
    return run(bench.load("broadcast", port, *shape), cpus()[1])


def occupy(compressed: bool) -> ServerMeasure:
    """Open connections and leave them alone; with compression, after one message."""

    def measure(bench: Bench, port: int, pid: int) -> Figures:
        crowd, file = bench.effort.crowd, ["--file", bench.tools.messages] if compressed else []
        with running(bench.load("idle", port, "--connections", 10, *file), cpus()[1]):
            before = resident(pid)
            with running(bench.load("idle", port, "--connections", crowd, *file), cpus()[1]):
                return {"kib": (resident(pid) - before) / crowd / 1024}

    return measure


# With a client that is measured


def request(bench: Bench, contestant: Contestant) -> Figures:
    """Ask the server in C, on the same CPU, so that no figure depends on how CPUs wake each other."""
    cpu, port = cpus()[0], free_port()
    with running(bench.load("echo", port), cpu):
        arguments = ["request", "--port", str(port), "--seconds", str(bench.effort.seconds)]
        return run(contestant.command(bench.tools, *arguments), cpu, contestant.environment(bench.tools))


def consume(bench: Bench, contestant: Contestant) -> Figures:
    """Take what the server in C pushes."""
    cpu, other = cpus()
    port = free_port()
    with running(bench.load("push", port, "--seconds", bench.effort.seconds), other):
        arguments = ["consume", "--port", str(port)]
        return run(contestant.command(bench.tools, *arguments), cpu, contestant.environment(bench.tools))


# Without a connection

IMPORT = "import json, time; time.process_time(); import {}; print(json.dumps({{'ms': time.process_time() * 1000}}))"


def load_module(bench: Bench, contestant: Contestant) -> Figures:
    """Start Python and import what an application would: the least of some times, less what Python alone takes."""
    environment = contestant.environment(bench.tools)

    def least(module: str) -> float:
        command = [str(bench.tools.python), "-c", IMPORT.format(module)]
        times = [run(command, cpus()[0], environment)["ms"] for _ in range(bench.effort.imports + 1)]
        return float(min(times[1:]))  # the first one may have to compile the sources

    return {"ms": least(contestant.module) - least("sys")}


CPU = ("cpu_us", "\N{MICRO SIGN}s of CPU")
MESSAGE = (*CPU, "message")
MEMORY, AFTER = ("kib", "KiB", "connection"), "idle connection after a compressed message"
ECHO = ("echo", *MESSAGE, Setting("echo"))
CELLS = (
    Cell("echo-32x1", "32 connections, 256 B, 1 in flight", *ECHO, echo(32, 1, 256)),
    Cell("echo-8x32", "8 connections, 256 B, 32 in flight", *ECHO, echo(8, 32, 256)),
    Cell("echo-16x4", "16 connections, 8 KiB, 4 in flight", *ECHO, echo(16, 4, 8192)),
    Cell("echo-4x2", "4 connections, 64 KiB, 2 in flight", *ECHO, echo(4, 2, 65536)),
    Cell("handshake", "opening handshake", "echo", *CPU, "connection", Setting("echo"), shake_hands),
    Cell("tls", "TLS, 32 connections, 256 B, 1 in flight", "tls", *MESSAGE, Setting("echo", tls=True), echo_tls),
    Cell("compressed", "compressed JSON of 500 B", "compressed", *MESSAGE, Setting("echo", True), replay),
    Cell("receive", "server: receive a flood, 256 B", "receive", *MESSAGE, Setting("receive"), push),
    Cell("broadcast", "broadcast of 256 B to 1,000", "broadcast", *CPU, "delivery", Setting("broadcast"), spread),
    Cell("request", "client: request and response, 256 B", "request", *CPU, "round trip", None, request),
    Cell("consume", "client: receive a flood, 256 B", "consume", *MESSAGE, None, consume),
    Cell("memory", "idle connection", "memory", *MEMORY, Setting("echo"), occupy(False), True),
    Cell("memory-compressed", AFTER, "compressed", *MEMORY, Setting("echo", True), occupy(True), True),
    Cell("import", "import", "import", "ms", "ms of CPU", "process", None, load_module, True),
)

__all__ = ["CELLS", "QUICK", "Bench", "Cell", "Effort", "FailedError", "Figures", "Setting", "spread"]
