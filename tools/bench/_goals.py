"""What twoway wants to be: ratios between two figures of one run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

Results = dict[str, dict[str, dict[str, float]]]


class Goal(NamedTuple):
    """
    Hold one ratio.

    Args:
        name: What it is called in the documentation; no two goals have the same.
        cell: The name of the cell.
        ours: Contestants; the best of them counts, for an application can choose it.
        theirs: The contestant that it is compared with.
        most: What the ratio may be.
    """

    name: str
    cell: str
    ours: tuple[str, ...]
    theirs: str
    most: float


class Outcome(NamedTuple):
    """Hold what came of a goal: who of ours counts, both figures, and their ratio."""

    goal: Goal
    best: str
    our_figure: float
    their_figure: float
    ratio: float

    @property
    def reached(self) -> bool:
        """Tell whether the goal is reached: with two digits, as it is stated."""
        return round(self.ratio, 2) <= self.goal.most


STOCK, UVLOOP = ("twoway", "twoway+aiofastnet"), ("twoway+uvloop", "twoway+uvloop+aiofastnet")
PIPELINED, SINGLE, MIDDLE, LARGE = "echo-8x32", "echo-32x1", "echo-16x4", "echo-4x2"
PURE, THREADS = ("twoway, pure",), ("twoway.threading",)

GOALS = (
    Goal("pipelined messages", PIPELINED, ("twoway",), "picows", 0.20),
    Goal("pipelined messages, uvloop", PIPELINED, ("twoway+uvloop",), "picows+uvloop", 0.20),
    Goal("single messages", SINGLE, STOCK, "picows", 1.0),
    Goal("single messages, uvloop", SINGLE, UVLOOP, "picows+uvloop", 1.1),
    Goal("single messages, websockets", SINGLE, ("twoway",), "websockets", 0.30),
    Goal("single messages, websockets, uvloop", SINGLE, ("twoway+uvloop",), "websockets+uvloop", 0.30),
    Goal("messages of 8 KiB", MIDDLE, STOCK, "picows", 0.60),
    Goal("messages of 8 KiB, uvloop", MIDDLE, UVLOOP, "picows+uvloop", 0.60),
    Goal("messages of 64 KiB", LARGE, STOCK, "picows", 1.0),
    Goal("messages of 64 KiB, uvloop", LARGE, UVLOOP, "picows+uvloop", 1.0),
    Goal("client, flood", "consume", STOCK, "picows", 1.0),
    Goal("client, flood, uvloop", "consume", UVLOOP, "picows+uvloop", 1.0),
    Goal("client, request and response", "request", ("twoway",), "picows.websockets", 0.6),
    Goal("client, request and response, uvloop", "request", ("twoway+uvloop",), "picows.websockets+uvloop", 0.6),
    Goal("broadcast", "broadcast", ("twoway",), "websockets", 0.35),
    Goal("threads, server", SINGLE, THREADS, "websockets.sync", 0.33),
    Goal("threads, client", "request", THREADS, "websockets.sync", 0.3),
    Goal("pure Python, single messages", SINGLE, PURE, "websockets", 0.6),
    Goal("pure Python, pipelined messages", PIPELINED, PURE, "websockets", 0.6),
    Goal("pure Python, messages of 8 KiB", MIDDLE, PURE, "websockets", 0.6),
    Goal("pure Python, messages of 64 KiB", LARGE, PURE, "websockets", 0.6),
    Goal("opening handshake", "handshake", ("twoway",), "websockets", 0.4),
    Goal("compression", "compressed", ("twoway", "twoway, zlib-ng", "twoway, isal"), "websockets", 0.5),
    Goal("memory", "memory", ("twoway",), "websockets", 0.65),
    Goal("memory, compressed", "memory-compressed", ("twoway",), "websockets", 0.5),
    Goal("import", "import", ("twoway",), "websockets", 0.6),
)


def outcomes(result: dict[str, Any]) -> Iterator[Outcome]:
    """Yield what came of each goal; those that were not measured are left out."""
    results: Results = result["results"]
    for goal in GOALS:
        rows, figure = results.get(goal.cell, {}), result["cells"][goal.cell]["figure"]
        ours = [name for name in goal.ours if name in rows]
        if ours and goal.theirs in rows:
            best = min(ours, key=lambda name: rows[name][figure])
            our_figure, their_figure = rows[best][figure], rows[goal.theirs][figure]
            yield Outcome(goal, best, our_figure, their_figure, our_figure / their_figure)
