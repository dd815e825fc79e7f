"""
Measure the codec alone, pure and compiled: what decoding and encoding one message costs.

    python tools/bench/codec.py                    nanoseconds for each message, the least of several rounds
    python tools/bench/codec.py --instructions     instructions for each message, which no other process disturbs

A server decodes masked frames and encodes plain ones, a client the other way round. In a batch 32 frames come at once.
Compile it first: `python tools/speedups.py FOLDER`, then put FOLDER on PYTHONPATH before the sources. valgrind counts
the instructions (callgrind).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from twoway.frames import IMPLEMENTATION, MessageDecoder, encode_frame

SIZES = (32, 256, 8192, 65536)
KINDS: dict[str, str | bytes] = {"text": "a", "text é": "é", "binary": b"a"}
BATCH = 32
ROUNDS = 5
SECONDS = 0.05  # of each round
COUNTED = 300  # calls between two counts of instructions


class Cell(NamedTuple):
    """One thing to measure: a call, and how many messages it is for."""

    name: str
    call: Callable[[], object]
    messages: int = 1


def cells() -> Iterator[Cell]:
    """Yield what is measured."""
    for kind, unit in KINDS.items():
        for size in SIZES:
            octets = unit.encode() if isinstance(unit, str) else unit
            message: str | bytes = unit * (size // len(octets))
            opcode = 1 if isinstance(message, str) else 2
            for side, masked in (("server", True), ("client", False)):
                wire = encode_frame(opcode, message, masked=masked)
                feed = MessageDecoder(masked=masked).feed
                encode = partial(encode_frame, opcode, message, True, 0, not masked)
                yield Cell(f"{kind:7} {size:6} B  {side}  decode", partial(feed, wire))
                yield Cell(f"{kind:7} {size:6} B  {side}  encode", encode)
                if size < SIZES[2]:
                    yield Cell(f"{kind:7} {size:6} B  {side}  decode a batch", partial(feed, wire * BATCH), BATCH)


def nanoseconds(cell: Cell) -> float:
    """Give the time that one message takes."""
    count, call = 1, cell.call
    while True:
        start = time.perf_counter()
        for _ in range(count):
            call()
        elapsed = time.perf_counter() - start
        if elapsed > SECONDS / 4:
            break
        count *= 2
    best = elapsed / count
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(count):
            call()
        best = min(best, (time.perf_counter() - start) / count)
    return best / cell.messages * 1e9


def instructions(index: int) -> float:
    """Give the instructions that one message takes: the difference between two runs of different length."""
    counts = []
    for times in (COUNTED, 2 * COUNTED):
        tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        command = [*tool, sys.executable, __file__, "--repeat", str(index), str(times)]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found = re.search(r"Collected : (\d+)", result.stderr)
        if found is None:
            raise SystemExit(f"valgrind gave no count:\n{result.stderr}")
        counts.append(int(found[1]))
    return (counts[1] - counts[0]) / COUNTED / list(cells())[index].messages


def measure_here(counting: bool, pattern: str) -> None:
    """Print one line for each cell, with the implementation that this process uses."""
    for index, cell in enumerate(cells()):
        if re.search(pattern, cell.name):
            figure = instructions(index) if counting else nanoseconds(cell)
            print(f"{cell.name}\t{figure:.0f}", flush=True)


def compare(counting: bool, pattern: str) -> None:
    """Print both implementations side by side."""
    results: dict[str, dict[str, float]] = {}
    names = ["pure", "compiled"] if IMPLEMENTATION == "compiled" else ["pure"]
    for name in names:
        environment = {**os.environ, "TWOWAY_PURE": "1" if name == "pure" else ""}
        command = [sys.executable, __file__, "--here", "--only", pattern, *(["--instructions"] if counting else [])]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        for line in result.stdout.splitlines():
            cell, figure = line.split("\t")
            results.setdefault(cell, {})[name] = float(figure)
    print(f"{'instructions' if counting else 'nanoseconds'} for each message{'':15}{'':>2}{names[0]:>12}", *names[1:])
    for cell, figures in results.items():
        ratio = f"{figures['compiled']:12.0f}   1/{figures['pure'] / figures['compiled']:.1f}" if names[1:] else ""
        print(f"{cell:44}{figures['pure']:12.0f}{ratio}")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure the codec.")
    parser.add_argument("--instructions", action="store_true", help="count instructions instead of time")
    parser.add_argument("--only", default="", metavar="REGEX", help="measure some of the cells")
    parser.add_argument("--here", action="store_true", help="measure what this process imports, print plain lines")
    parser.add_argument("--repeat", nargs=2, type=int, metavar=("CELL", "TIMES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.repeat:
        call = list(cells())[arguments.repeat[0]].call
        for _ in range(arguments.repeat[1]):
            call()
    elif arguments.here:
        measure_here(arguments.instructions, arguments.only)
    else:
        compare(arguments.instructions, arguments.only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
