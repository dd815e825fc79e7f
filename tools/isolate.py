"""
Prove that every subset installs and works: one environment for each distribution and each of its extras.

    python tools/isolate.py [FOLDER] [--all] [--only DISTRIBUTION ...] [--python VERSION ...] [--jobs N]

FOLDER (default: dist) is made by tools/build.py. Each environment gets one distribution from it, without an index. Then
the installed distributions must be exactly those that the metadata lead to, every module of them must import with
nothing else installed, every other piece must fail to import, and the tests from the sdist must pass against the wheel,
in a folder far from the sources.

That is done with the oldest and the newest Python there is. All tests run with the newest, once; with the oldest, which
runs them all from the sources, and with extras that change little, it is those of SMOKE and FOCUS. ``--all`` runs all
tests of each row with each Python.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from _proof import Outcome, Row, prove
from _pythons import pythons
from _workspace import ROOT, Package, packages, third_party

# Enough to see that a wheel is whole: what it exports, and the example of its README, which leads through all layers.
# A piece with none of these runs all of its tests.
SMOKE = ("test_init.py", "test_public.py", "test_readme.py", "test_speedups.py")

# What an extra is for: tests that are skipped without it, also those of a piece that came along and has no such extra.
# All others would do the same again, with the same code. An extra that is not here runs all tests: a compiled codec or
# another zlib lies under everything. That nothing is lost between these is checked at the end of each run.
FOCUS: dict[str, tuple[str, ...]] = {
    "routing": ("test_router.py", "test_routing.py", "test_auth.py"),
    "socks": ("test_proxy.py",),
    "uvloop": ("test_uvloop.py",),
}

# What some tests want at once.
TOGETHER = {"twoway-deflate": "zlib-ng,isal"}


def rows(interpreters: Mapping[str, str], only: list[str], everything: bool) -> Iterator[Row]:
    """
    Yield the proofs to make.

    Args:
        interpreters: Versions of Python and where they are, the oldest first.
        only: Names of distributions; empty: all.
        everything: Run all tests in each row.
    """
    newest = list(interpreters)[-1]
    for package in packages():
        for extra in extras(package) if not only or package.name in only else []:
            for version, interpreter in interpreters.items():
                yield Row(package, extra, version, interpreter, *tests(package, extra, version == newest, everything))


def extras(package: Package) -> list[str]:
    """Return what goes into the brackets after the name of a distribution: nothing, each extra, some together."""
    return ["", *package.extras, *([TOGETHER[package.name]] if package.name in TOGETHER else [])]


def tests(package: Package, extra: str, newest: bool, everything: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the test files of a row, and those of the pieces that come along; the first is empty for all files."""
    if package.is_meta:
        # It has no tests of its own, but all pieces at once.
        return SMOKE, SMOKE
    focus = FOCUS.get(extra, ())
    if everything or (newest and not focus):
        return (), focus
    return (*SMOKE, *focus), focus if newest else ()


def never_run(outcomes: list[Outcome]) -> dict[str, str]:
    """Return the tests that were skipped wherever they could have run, because of something from third parties."""
    passed = set[str]().union(*(outcome.passed for outcome in outcomes))
    names = {canonicalize_name(Requirement(text).name) for text in third_party()}
    return {
        test: reason
        for outcome in outcomes
        for test, reason in outcome.skipped.items()
        if test not in passed and any(name in canonicalize_name(reason) for name in names)
    }


def report(row: Row, outcome: Outcome) -> None:
    """Print what became of one row."""
    print(f"{'FAIL' if outcome.problems else 'ok'}  {row.title:55} {outcome.summary}", flush=True)
    print("".join(f"    {problem}\n" for problem in outcome.problems), end="")


def chosen(wanted: list[str]) -> dict[str, str]:
    """Return the interpreters to use: the oldest and the newest, or those asked for."""
    have = pythons()
    if missing := sorted(set(wanted) - set(have)):
        raise SystemExit(f"there is no Python {', '.join(missing)} here, only {', '.join(have)}")
    return {version: have[version] for version in wanted or dict.fromkeys([next(iter(have)), list(have)[-1]])}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Install and test every distribution alone.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    parser.add_argument("--all", action="store_true", help="all tests in each row, with each Python")
    parser.add_argument("--only", nargs="+", default=[], metavar="DISTRIBUTION")
    parser.add_argument("--python", nargs="+", default=[], metavar="VERSION", help="default: the oldest and the newest")
    # The tests of the drivers wait most of the time.
    parser.add_argument("--jobs", type=int, default=2, help="rows at a time (default: %(default)s)")
    arguments = parser.parse_args()
    wanted = arguments.python or (list(pythons()) if arguments.all else [])
    proofs = list(rows(chosen(wanted), arguments.only, arguments.all))
    dists = arguments.folder.resolve()
    failed, outcomes = [], []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for row, outcome in zip(proofs, pool.map(lambda row: prove(row, dists), proofs), strict=True):
            report(row, outcome)
            outcomes.append(outcome)
            failed += [row.title] if outcome.problems else []
    lost = {} if arguments.only else never_run(outcomes)
    print("".join(f"no row runs {test}: {reason}\n" for test, reason in lost.items()), end="")
    print(f"isolate: {len(proofs) - len(failed)} environments passed, {len(failed)} failed".rstrip())
    return bool(failed or lost)


if __name__ == "__main__":
    sys.exit(main())
