"""``twoway bench``: rate and latency of an echo server."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ._command import Command, option, together
from ._connecting import Connecting, address_argument, connecting_options, run
from ._exits import Exit
from ._failures import Failure, Stop
from ._histogram import Histogram
from ._load import Load, Outcome, Plan
from ._screen import errors
from ._values import DURATION, FOREVER, SIZE

if TYPE_CHECKING:
    from rich.progress import Progress

_PERCENTILES = (50.0, 90.0, 99.0, 99.9)
# From here on, the numbers are those of this program rather than of the server.
_BUSY = 0.9

_EXAMPLES = (
    ("twoway bench ws://localhost:8765/", "Ten connections, one message at a time each, five seconds:"),
    ("twoway bench ws://localhost:8765/ --connections 1 --in-flight 100", "How much goes through one connection:"),
    ("twoway bench ws://localhost:8765/ --size 64k --binary", "Large messages:"),
    ("twoway bench ws://localhost:8765/ --json >> results.jsonl", "Keep the numbers:"),
)


_options = together(
    option("--connections", type=click.IntRange(1, 10000), default=10, section="Load", metavar="N", show_default=True,
           help="Connections at a time."),
    option("--in-flight", type=click.IntRange(1, 10000), default=1, section="Load", metavar="N", show_default=True,
           help="Messages of each connection that wait for their echo at a time."),
    option("--size", type=SIZE, default="125", section="Load", metavar="SIZE", show_default=True,
           help="Size of a message."),
    option("--binary", is_flag=True, section="Load", help="Send binary messages instead of text."),
    option("--duration", type=DURATION, default="5s", section="Load", metavar="TIME", show_default=True,
           help="How long to measure."),
    option("--count", type=click.IntRange(1), section="Load", metavar="N",
           help="Messages of each connection, instead of a time."),
    option("--json", "as_json", is_flag=True, section="Output",
           help="Print the results as one JSON object; times in seconds."),
)  # fmt: skip


@click.command(cls=Command, short_help="Measure rate and latency of an echo server.", examples=_EXAMPLES)
@address_argument
@_options
@connecting_options(compress=False)
def bench(uri: str | None, **options: Any) -> None:
    """
    Measure how fast a server sends messages back.

    The server must be an echo server, such as twoway echo: every message is compared with what was sent. The latency
    of a message is the time from the call that sends it to the call that receives its echo, the work of this program
    included. Measure servers that are yours only.
    """
    names = ("connections", "in_flight", "size", "binary", "duration", "count", "as_json")
    own = {name: options.pop(name) for name in names}
    run(_measure(Connecting(uri, **options), own))


async def _measure(connecting: Connecting, own: dict[str, Any]) -> None:
    text = ("twoway " * (own["size"] // 7 + 1))[: own["size"]]
    duration = own["duration"] if own["count"] is None else FOREVER
    payload = text.encode() if own["binary"] else text
    plan = Plan(own["connections"], own["in_flight"], duration, own["count"], payload)
    load = Load(connecting, plan)
    begin = asyncio.get_running_loop().time()
    try:
        with _progress() as progress:
            await _open(load, plan, progress)
            async with connecting.limited(begin):
                await _run(load, plan, progress)
    except (asyncio.CancelledError, Stop):  # Ctrl-C, and the like: what is known is worth knowing
        if load.outcome.latency.count:
            _show(plan, load.outcome, own["as_json"])
        raise
    finally:
        await load.close()
    _show(plan, load.outcome, own["as_json"])
    if load.outcome.lost:
        what = "1 connection" if load.outcome.lost == 1 else f"{load.outcome.lost} connections"
        raise Stop(Failure(Exit.LOST, f"{what} ended too early. {load.outcome.why}"))


def _show(plan: Plan, outcome: Outcome, as_json: bool) -> None:
    click.echo(json.dumps(as_dict(plan, outcome)) if as_json else "\n".join(describe(plan, outcome)))


async def _open(load: Load, plan: Plan, progress: Progress) -> None:
    opening = progress.add_task("connecting", total=plan.connections, rate="")
    await load.open(lambda number: progress.update(opening, completed=number))


async def _run(load: Load, plan: Plan, progress: Progress) -> None:
    total = None if plan.duration == math.inf else plan.duration
    if plan.count is not None:
        total = float(plan.count * plan.connections)
    measuring = progress.add_task("measuring", total=total, rate="")

    def advance(elapsed: float) -> None:
        count = load.outcome.latency.count
        rate = f"{count / elapsed:,.0f} messages/s" if elapsed else ""
        progress.update(measuring, completed=elapsed if plan.count is None else count, rate=rate)

    await load.run(advance)


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show bars on standard error, if that is a terminal."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[rate]}"))
    progress = Progress(*columns, console=errors(), transient=True, disable=not sys.stderr.isatty())
    if progress.disable:  # older versions of rich write a line even so
        yield progress
    else:
        with progress:
            yield progress


def describe(plan: Plan, outcome: Outcome) -> Iterator[str]:
    """
    Show the results.

    Args:
        plan: What was measured.
        outcome: What came out.

    Yields:
        Lines.
    """
    kind = "text" if isinstance(plan.payload, str) else "binary"
    size = len(plan.payload)
    yield f"load       {plan.connections} connections, {plan.in_flight} in flight each, {size:,} bytes of {kind}"
    yield f"messages   {outcome.latency.count:,} in {outcome.elapsed:.2f} s"
    yield f"rate       {outcome.rate:,.0f} messages/s, {outcome.rate * size / 1e6:,.2f} MB/s in each direction"
    yield _row("latency", outcome.latency)
    yield _row("handshake", outcome.handshake)
    if outcome.busy > _BUSY:
        yield f"note       this program was busy {min(outcome.busy, 1):.0%} of the time: a faster server would not show"


def _row(name: str, histogram: Histogram) -> str:
    points = [("min", histogram.least), *((f"p{each:g}", histogram.percentile(each)) for each in _PERCENTILES)]
    points.append(("max", histogram.most))
    return f"{name:10} " + "  ".join(f"{label} {show_time(value)}" for label, value in points)


def show_time(seconds: float) -> str:
    """
    Show a duration.

    Args:
        seconds: Any number; infinite if there was none.

    Returns:
        Three digits and a unit.
    """
    if seconds == math.inf:
        return "-"
    for factor, unit in ((1e6, "µs"), (1e3, "ms")):
        if seconds * factor < 1000:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.2f} s"


def as_dict(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """
    Give the results to a program.

    Args:
        plan: What was measured.
        outcome: What came out.

    Returns:
        What is printed as JSON; times in seconds, sizes in bytes.
    """
    return {
        "connections": plan.connections,
        "in_flight": plan.in_flight,
        "size": len(plan.payload),
        "binary": isinstance(plan.payload, bytes),
        "messages": outcome.latency.count,
        "elapsed": round(outcome.elapsed, 6),
        "rate": round(outcome.rate, 3),
        "busy": round(outcome.busy, 3),
        "lost": outcome.lost,
        "latency": _numbers(outcome.latency),
        "handshake": _numbers(outcome.handshake),
    }


def _numbers(histogram: Histogram) -> dict[str, float]:
    points = {f"p{each:g}": histogram.percentile(each) for each in _PERCENTILES}
    ends = {"min": histogram.least if histogram.count else 0.0, "mean": histogram.mean, "max": histogram.most}
    return {name: round(value, 9) for name, value in {**ends, **points}.items()}
