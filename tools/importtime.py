"""
Print how long each piece takes to import, in fresh interpreters, beyond what it cannot avoid.

    python tools/importtime.py [--runs N]

The marker at the end of a line tells whether the goal is met; a slow machine is no error, so the exit status is 0.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from _workspace import META, is_sibling, portions, python_path

# What is imported before the clock starts, and the goal in milliseconds; None: no goal.
BASELINES: dict[str, tuple[str, float | None]] = {
    "frames": ("", 15.0),
    "asyncio": ("import asyncio, ssl", 25.0),
    "threading": ("import socket, ssl, threading", None),
}
PROGRAM = """
{baseline}
import time
start = time.perf_counter()
import {name}
print((time.perf_counter() - start) * 1000)
"""


def measure(portion: str, baseline: str, runs: int) -> float:
    """Return the import time of a piece in milliseconds, the least of several: the rest is other processes."""
    program = PROGRAM.format(baseline=baseline, name=f"{META}.{portion}")
    environment = {**os.environ, "PYTHONPATH": python_path(portions())}
    # Without site-packages: their start-up files import things that would then look free of charge here.
    command = [sys.executable, "-S", "-c", program]
    times = []
    # The first run may have to compile the sources; it does not count.
    for _ in range(runs + 1):
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if result.returncode:
            raise SystemExit(f"{result.stderr}\n{META}.{portion} does not import")
        times.append(float(result.stdout))
    return min(times[1:])


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Print the import time of each piece.")
    parser.add_argument("--runs", type=int, default=10, help="interpreters per piece (default: %(default)s)")
    runs = parser.parse_args().runs
    for piece in portions():
        if not all(map(is_sibling, piece.dependencies)):  # what is from third parties cannot be imported here
            continue
        baseline, goal = BASELINES.get(piece.portion, ("", None))
        elapsed = measure(piece.portion, baseline, runs)
        above = f"  above `{baseline}`" if baseline else ""
        marker = "" if goal is None else f"  goal {goal:g} ms: {'pass' if elapsed < goal else 'FAIL'}"
        print(f"{META}.{piece.portion:10} {elapsed:6.1f} ms{above}{marker}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
