"""
Fuzz the parsers, guided by coverage, and count what was executed.

    python tests/fuzz/run.py [--seconds N] [--target NAME ...] [--jobs N] [--keep FOLDER]
    python tests/fuzz/run.py --list
    python tests/fuzz/run.py --target NAME --input FILE ...     run inputs once, as the fuzzer did

The seconds are for all targets together. A target starts with its folder in ``corpus``, and stops at the first input
for which its check raises anything; that input is kept and shown. ``--keep`` is where new inputs go that reach new
branches: a folder for each target. It needs ``atheris``; the compiled codec is fuzzed where it is installed.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzz_targets.target import Target

ROOT = Path(__file__).parent.parent.parent
# Each comes after those that it imports.
_PORTIONS = ("http", "frames", "auth", "deflate", "protocol")
# Where there are wheels of atheris; elsewhere nobody is blamed for not having it.
_WHEELS = {("linux", "x86_64")}
# libFuzzer starts, reads the corpus and imports an instrumented library before it counts seconds.
_STARTING = 120


@dataclass(frozen=True)
class Outcome:
    """
    Hold what came of one target.

    Args:
        name: Of the target.
        runs: Executions.
        seconds: How long they took.
        report: What the fuzzer said, if it has found something; else empty.
    """

    name: str
    runs: int
    seconds: float
    report: str = ""

    def __str__(self) -> str:
        """Return one line for people."""
        speed = self.runs / max(self.seconds, 0.1)
        return f"{self.name:15} {self.runs:12,} runs in {self.seconds:6.1f} s {speed:10,.0f}/s"


def fuzz_here(name: str, portions: str, arguments: Sequence[str]) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    for portion in _PORTIONS:
        # What is imported before is not instrumented, which makes it faster by far; one has to choose whole packages.
        watched = atheris.instrument_imports(include=["twoway"]) if portion in portions.split(",") else nullcontext()
        with watched:
            import_module(f"twoway.{portion}")
    from fuzz_targets.registry import TARGETS

    atheris.Setup([sys.argv[0], *arguments], TARGETS[name].check)
    atheris.Fuzz()


def fuzz(target: Target, seconds: int, keep: Path) -> Outcome:
    """Fuzz one target in a process of its own."""
    found = keep / target.name
    found.mkdir(parents=True, exist_ok=True)
    dictionary = found / ".dictionary"
    dictionary.write_text("".join(f'"{_escape(word)}"\n' for word in target.words or [b"\0"]), encoding="ascii")
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={target.max_length}",
        f"-dict={dictionary}",
        f"-artifact_prefix={found}/.crash-",
        "-print_final_stats=1",
        "-timeout=20",
        "-rss_limit_mb=2048",
    ]
    begin = time.monotonic()
    result = subprocess.run(
        [sys.executable, __file__, "--here", target.name, ",".join(target.portions), *options, found, target.corpus],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=_environment(target.compiled),
        timeout=seconds + _STARTING,
        check=False,
    )
    runs = re.search(r"stat::number_of_executed_units:\s*(\d+)", result.stdout)
    report = _report(result.stdout) if result.returncode or runs is None else ""
    return Outcome(target.name, int(runs[1]) if runs else 0, time.monotonic() - begin, report)


def _report(output: str) -> str:
    """Return what is worth reading of the output of a fuzzer that has found something."""
    _, mark, tail = output.rpartition("=== Uncaught")
    return mark + tail if mark else output[-3000:]


def _escape(word: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word)


def _environment(compiled: bool) -> dict[str, str]:
    sources = [str(path) for path in sorted((ROOT / "packages").glob("*/src"))]
    path = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""), *sources]
    # Only the pure codec shows its branches.
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path)), "TWOWAY_PURE": "" if compiled else "1"}


def replay(name: str, files: Sequence[Path]) -> None:
    """Run inputs once."""
    from fuzz_targets.registry import TARGETS

    for path in files:
        print(path, flush=True)
        TARGETS[name].check(path.read_bytes())


def fuzz_all(names: Sequence[str], seconds: int, jobs: int, keep: Path) -> int:
    """Fuzz targets one after the other, or several at once; return the exit status."""
    from fuzz_targets.registry import TARGETS

    from twoway.frames import IMPLEMENTATION

    if find_spec("atheris") is None:
        print("NOT FUZZED: atheris is not installed; test_corpus.py replays the corpus without it")
        return (sys.platform, platform.machine()) in _WHEELS
    chosen = [TARGETS[name] for name in names or TARGETS]
    for target in [target for target in chosen if target.compiled and IMPLEMENTATION != "compiled"]:
        print(f"{target.name:15} NOT FUZZED: the compiled codec is not installed", flush=True)
        chosen.remove(target)
    each = max(1, seconds * jobs // max(1, len(chosen)))
    outcomes = []
    with ThreadPoolExecutor(jobs) as pool:
        tasks = [pool.submit(fuzz, target, each, keep) for target in chosen]
        for task in tasks:
            outcomes.append(task.result())
            print(outcomes[-1], flush=True)
    return _conclude(outcomes, keep)


def _conclude(outcomes: Sequence[Outcome], keep: Path) -> int:
    failed = [outcome for outcome in outcomes if outcome.report]
    for outcome in failed:
        print(f"\n--- {outcome.name}\n{outcome.report}")
        for path in sorted((keep / outcome.name).glob(".crash-*")):
            print(f"input, {path}:\n{path.read_bytes()!r}")
    total = Outcome("all", sum(o.runs for o in outcomes), sum(o.seconds for o in outcomes))
    print(f"{total}; {len(failed)} targets with findings")
    return bool(failed)


def main() -> int:
    """Run the command line."""
    if sys.argv[1:2] == ["--here"]:
        fuzz_here(sys.argv[2], sys.argv[3], sys.argv[4:])
    parser = argparse.ArgumentParser(description="Fuzz the parsers.")
    parser.add_argument("--seconds", type=int, default=60, help="for all targets together; default: 60")
    parser.add_argument("--target", action="append", default=[], metavar="NAME", help="default: all")
    parser.add_argument("--jobs", type=int, default=1, help="targets at the same time; default: 1")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where new inputs go; default: nowhere")
    parser.add_argument("--input", type=Path, nargs="+", metavar="FILE", help="run these instead of fuzzing")
    parser.add_argument("--list", action="store_true", help="print the names of the targets")
    arguments = parser.parse_args()
    sys.path[:0] = _environment(False)["PYTHONPATH"].split(os.pathsep)
    if arguments.list:
        from fuzz_targets.registry import TARGETS

        print("\n".join(TARGETS))
        return 0
    if arguments.input:
        (name,) = arguments.target
        replay(name, arguments.input)
        return 0
    with tempfile.TemporaryDirectory(prefix="twoway-fuzz-") as folder:
        return fuzz_all(arguments.target, arguments.seconds, arguments.jobs, (arguments.keep or Path(folder)).resolve())


if __name__ == "__main__":
    sys.exit(main())
