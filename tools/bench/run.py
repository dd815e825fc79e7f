"""
Measure twoway beside its peers, and print a table for each cell.

    python tools/bench/run.py [--cells NAMES] [--servers NAMES] [--rounds N] [--seconds S] [--json FILE] [--quick]

The figure that counts is the CPU time for a message: it depends on other processes much less than the rate does. What
is measured is pinned to one CPU and the load to another. Contestants take turns; the median of several rounds counts.

The first run makes a virtual environment with the peers, and installs ``ws`` where there are Node.js and npm; each run
compiles the load generator and twoway-speedups. --folder says where they are kept. With --here nothing is installed:
whatever this Python has is measured. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import Any

from _cells import CELLS, QUICK, Bench, Cell, Effort, FailedError, Figures, Setting, spread
from _contestants import CONTESTANTS, Contestant
from _machine import describe_machine
from _setup import ROOT, prepare

#: Cell -> contestant -> figures of each round.
Results = dict[str, dict[str, list[Figures]]]
KEPT = ("cpu_us", "kib", "ms", "per_second", "p50_us", "p99_us", "bytes")


class Collector:
    """Measure, and keep what comes out."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.results: Results = {}
        self.errors: dict[str, dict[str, str]] = {}

    def play(self, cells: list[Cell], contestants: list[Contestant], number: int) -> None:
        """Play one round."""
        for (setting, own), group in groupby(cells, key=_process_of):
            shared = [cell for cell in group if not (cell.once and number)]
            for contestant in contestants:
                fit = [cell for cell in shared if cell.role in contestant.roles]
                if setting is None or own:
                    for cell in fit:
                        self._alone(cell, contestant)
                elif fit:
                    self._together(setting, fit, contestant)

    def _together(self, setting: Setting, cells: list[Cell], contestant: Contestant) -> None:
        """Measure cells one after the other with one server; one that fails does not spoil the others."""
        try:
            with self.bench.server(contestant, setting) as (port, pid):
                self._warm_up(cells[0], port, pid)
                for cell in cells:
                    self._measure(cell, contestant, port, pid)
        except FailedError as exc:
            for cell in cells:
                self._complain(cell, contestant, exc)

    def _warm_up(self, cell: Cell, port: int, pid: int) -> None:
        """Give interpreters that compile what runs often the time for it, but not before memory is measured."""
        if cell.figure == "cpu_us" and cell.measure is not spread:
            seconds = self.bench.effort.seconds / 2
            cell.measure(self.bench._replace(effort=self.bench.effort._replace(seconds=seconds)), port, pid)

    def _alone(self, cell: Cell, contestant: Contestant) -> None:
        if cell.setting is None:
            self._measure(cell, contestant, contestant)
        else:
            self._together(cell.setting, [cell], contestant)

    def _measure(self, cell: Cell, contestant: Contestant, *arguments: Any) -> None:
        try:
            figures = cell.measure(self.bench, *arguments)
        except FailedError as exc:
            self._complain(cell, contestant, exc)
        else:
            self._keep(cell, contestant, figures)

    def _keep(self, cell: Cell, contestant: Contestant, figures: Figures) -> None:
        self.results.setdefault(cell.name, {}).setdefault(contestant.name, []).append(figures)
        print(f"{cell.name:18} {contestant.name:26} {figures[cell.figure]:10.2f}", file=sys.stderr, flush=True)

    def _complain(self, cell: Cell, contestant: Contestant, exc: FailedError) -> None:
        print(f"{cell.name:18} {contestant.name:26} failed: {exc}", file=sys.stderr, flush=True)
        self.errors.setdefault(cell.name, {})[contestant.name] = str(exc)


def _process_of(cell: Cell) -> tuple[Setting | None, bool]:
    """Say what a server is shared with: what occupies memory has one of its own."""
    return cell.setting, cell.figure == "kib"


def summarize(collector: Collector) -> dict[str, dict[str, dict[str, float]]]:
    """Give the median of each figure, and the least and the most of the one that counts."""
    summary: dict[str, dict[str, dict[str, float]]] = {}
    for cell in CELLS:
        for name, rounds in collector.results.get(cell.name, {}).items():
            kept = {key: _median(rounds, key) for key in KEPT if key in rounds[0]}
            values = [figures[cell.figure] for figures in rounds]
            kept |= {"least": round(min(values), 3), "most": round(max(values), 3), "rounds": len(rounds)}
            summary.setdefault(cell.name, {})[name] = kept
    return summary


def _median(rounds: list[Figures], key: str) -> float:
    return round(statistics.median(figures[key] for figures in rounds), 3)


def report(bench: Bench, collector: Collector, rounds: int) -> dict[str, Any]:
    """Give everything that is known about this run, for a file."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "versions": bench.tools.versions,
        "rounds": rounds,
        "effort": bench.effort._asdict(),
        "cells": {
            cell.name: {"title": cell.title, "figure": cell.figure, "unit": cell.unit, "per": cell.per}
            for cell in CELLS
        },
        "results": summarize(collector),
        "errors": collector.errors,
    }


def lines(result: dict[str, Any]) -> Iterator[str]:
    """Yield the tables as text."""
    for key, value in {**result["machine"], **result["versions"]}.items():
        yield f"{key}: {value}"
    for name, rows in result["results"].items():
        cell = result["cells"][name]
        yield f"\n{name}: {cell['title']}; {cell['unit']} for each {cell['per']}"
        for contestant, row in rows.items():
            rate = f"{row['per_second']:12,.0f} a second" if "per_second" in row else ""
            spread = f"{row['least']:.2f} - {row['most']:.2f}"
            yield f"  {contestant:26} {row[cell['figure']]:10.2f}   {spread:>19} {rate}".rstrip()
    for name, rows in result["errors"].items():
        for contestant, error in rows.items():
            yield f"{name}: {contestant}: {error}"


def choose(names: list[str], pattern: str | None) -> set[str]:
    """Return the names that a list of patterns, joined by commas, is about."""
    if pattern is None:
        return set(names)
    patterns = [part for part in pattern.split(",") if part]
    chosen = {name for name in names if any(fnmatchcase(name, part) for part in patterns)}
    if not chosen:
        raise SystemExit(f"{pattern}: there are {', '.join(names)}")
    return chosen


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure twoway beside its peers.")
    parser.add_argument("--cells", help=f"patterns, joined by commas; of {', '.join(cell.name for cell in CELLS)}")
    parser.add_argument("--servers", help="the same for contestants; a comma in a name is written as ?")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, help=f"of one measurement (default: {Effort().seconds})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there, too")
    parser.add_argument("--quick", action="store_true", help="one short round, to see whether everything works")
    parser.add_argument("--here", action="store_true", help="install and compile nothing but the load generator")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the peers (default: this one)")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench", help="default: build/bench")
    options = parser.parse_args()
    if options.quick:
        options.rounds = 1
    return options


def main() -> int:
    """Run the command line."""
    if not hasattr(os, "sched_setaffinity"):
        raise SystemExit("the load generator is for Linux")
    options = read_options()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    effort = QUICK if options.quick else Effort()
    if options.seconds:
        effort = effort._replace(seconds=options.seconds)
    bench = Bench(prepare(options.folder.resolve(), python=options.python, install=not options.here), effort)
    names = choose([cell.name for cell in CELLS], options.cells)
    cells = [cell for cell in CELLS if cell.name in names and (bench.tools.tls or cell.role != "tls")]
    names = choose([contestant.name for contestant in CONTESTANTS], options.servers)
    contestants = [one for one in CONTESTANTS if one.name in names and one.is_ready(bench.tools.versions)]
    collector, began = Collector(bench), time.monotonic()
    for number in range(options.rounds):
        collector.play(cells, contestants, number)
    result = report(bench, collector, options.rounds)
    print(f"took {time.monotonic() - began:.0f} seconds", file=sys.stderr)
    print("\n".join(lines(result)))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return bool(collector.errors)


if __name__ == "__main__":
    sys.exit(main())
