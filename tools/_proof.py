"""What is proved of one distribution that is installed alone; tools/isolate.py has the list of these proofs."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import _environments
from _workspace import META, ROOT, Package, closure, portions

# Runs inside an environment: which distributions there are with what they ask for, and which pieces import as a whole.
PROBE = """
import importlib, importlib.metadata, json, pkgutil, sys
installed = {each.metadata["Name"]: each.requires or [] for each in importlib.metadata.distributions()}
imported = []
for portion in json.loads(sys.argv[1]):
    try:
        package = importlib.import_module(portion)
    except ModuleNotFoundError as error:
        assert portion.startswith(error.name or "?"), f"{portion} needs {error.name}"
        continue
    for module in pkgutil.walk_packages(package.__path__, portion + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    imported.append(portion)
print(json.dumps({"installed": installed, "imported": imported}))
"""


@dataclass(frozen=True)
class Row:
    """
    Hold what one proof is about.

    Args:
        package: The distribution.
        extra: One of its extras, or some with commas between; empty: none.
        version: Of Python, as "3.11".
        interpreter: Path of that Python.
        files: Names of its test files to run, those that exist; empty: all.
        more: Names of test files to run of the pieces that came along, but for those with an extra of the same name.
    """

    package: Package
    extra: str
    version: str
    interpreter: str
    files: tuple[str, ...] = ()
    more: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """Return what the user would write after ``pip install``."""
        return f"{self.package.name}[{self.extra}]" if self.extra else self.package.name

    @property
    def title(self) -> str:
        """Return what the row is called in the report."""
        return f"Python {self.version}: pip install {self.requirement}"


@dataclass
class Outcome:
    """
    Hold what a proof found.

    Args:
        problems: One sentence for each thing that is wrong.
        summary: pytest's last line, and its whole output where a test failed.
        passed: Tests, and the files that have one.
        skipped: Tests and files, with the reason.
    """

    problems: list[str] = field(default_factory=list)
    summary: str = "nothing to run"
    passed: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)


def prove(row: Row, dists: Path) -> Outcome:
    """Make one environment and find out what is wrong there; the tests run only where nothing is."""
    with tempfile.TemporaryDirectory(prefix="twoway-isolate-") as temporary:
        folder = Path(temporary)
        python = _environments.make(folder / "venv", row.interpreter)
        try:
            _environments.install(python, dists, [row.requirement])
        except _environments.InstallError as exc:
            return Outcome([str(exc)])
        names = json.dumps([f"{META}.{piece.portion}" for piece in portions()])
        result = _environments.run(python, ["-W", "error", "-c", PROBE, names], folder)
        if result.returncode:
            return Outcome([result.stderr.strip().splitlines()[-1]])
        report = json.loads(result.stdout)
        outcome = Outcome(list(_installed_wrongly(row, report["installed"], report["imported"])))
        tests = [] if outcome.problems else _unpack_tests(row, set(report["installed"]), dists, folder)
        if tests:
            _run_tests(row, python, tests, _implementation(row, report["installed"], dists), outcome)
        return outcome


def _installed_wrongly(row: Row, installed: dict[str, list[str]], imported: list[str]) -> Iterator[str]:
    expected = reached(row.requirement, installed, row.version)
    pieces = sorted(f"{META}.{name.removeprefix(META + '-')}" for name in expected if name.startswith(f"{META}-"))
    if set(map(canonicalize_name, installed)) != expected:
        yield f"installed are {sorted(installed)}, its metadata lead to {sorted(expected)}"
    if sorted(imported) != pieces:
        yield f"importable are {imported}, not {pieces}"


def reached(requirement: str, installed: dict[str, list[str]], version: str) -> set[str]:
    """
    Return what ``Requires-Dist`` leads to, extras included.

    Args:
        requirement: Where it starts, as after ``pip install``.
        installed: Names of distributions with their ``Requires-Dist``.
        version: The Python that markers are about, as "3.11".

    Returns:
        Names in the form that metadata compare.
    """
    requires = {canonicalize_name(name): [Requirement(text) for text in texts] for name, texts in installed.items()}
    python = {"python_version": version, "python_full_version": f"{version}.99"}
    start = Requirement(requirement)
    seen: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(start.name), extra) for extra in {"", *start.extras}]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for each in requires.get(name, []):
            if each.marker is None or each.marker.evaluate({**python, "extra": extra}):
                waiting.extend((canonicalize_name(each.name), wanted) for wanted in {"", *each.extras})
    return {name for name, _ in seen}


def _implementation(row: Row, installed: dict[str, list[str]], dists: Path) -> str:
    """Return which codec the tests must find: the compiled one wherever it came along and is no empty shell."""
    tag = f"cp{row.version.replace('.', '')}"
    compiled = f"{META}-speedups" in installed and any(dists.glob(f"{META}_speedups-*-{tag}-*.whl"))
    return "compiled" if compiled else "pure"


def _unpack_tests(row: Row, installed: set[str], dists: Path, folder: Path) -> list[str]:
    """Put tests from the sdists, and nothing else of them, into ``away``; return what is to be run there."""
    away = folder / "away"
    away.mkdir()
    wanted: list[str] = []
    for package in closure(row.package):
        own = package.name == row.package.name
        files = row.files if own else row.more if row.extra not in package.extras else ()
        if package.is_meta or package.name not in installed or not (own or files):
            continue
        place = away / package.name
        _extract(dists / f"{package.name.replace('-', '_')}-{package.version}.tar.gz", folder, place)
        there = [f"{package.name}/tests/{name}" for name in files if (place / "tests" / name).exists()]
        wanted += there or ([f"{package.name}/tests"] if own else [])
    return wanted


def _extract(sdist: Path, folder: Path, place: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    place.mkdir()
    # README.md is there for the test that executes it, the sources are not.
    for name in ("tests", "README.md"):
        (folder / sdist.name.removesuffix(".tar.gz") / name).rename(place / name)


def _run_tests(row: Row, python: Path, tests: list[str], implementation: str, outcome: Outcome) -> None:
    away, report = python.parents[2] / "away", python.parents[2] / "report.xml"
    variables = {"PYTHONPATH": test_tools(row.interpreter), "TWOWAY_TEST_IMPLEMENTATION": implementation}
    options = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(away), "-p", "no:cacheprovider", "-q"]
    command = ["-m", "pytest", *options, f"--junitxml={report}", *tests]
    result = _environments.run(python, command, away, variables)
    lines = result.stdout.strip().splitlines() or result.stderr.strip().splitlines()
    outcome.summary = f"{implementation}: {lines[-1]}"
    if result.returncode:
        outcome.problems.append("its tests fail against the wheel")
        outcome.summary = f"{result.stdout}{result.stderr}"
    else:
        _read(report, outcome)


def _read(report: Path, outcome: Outcome) -> None:
    for case in ET.parse(report).iter("testcase"):
        skip = case.find("skipped")
        # A file that is skipped as a whole has no class, and its own name for that of the test.
        file, name = case.get("classname", ""), case.get("name", "")
        if skip is None:
            outcome.passed |= {file, f"{file}::{name}"}
        else:
            outcome.skipped[f"{file}::{name}" if file else name] = skip.get("message", "")


_tools_lock = Lock()


def test_tools(interpreter: str) -> str:
    """Return a folder with what the tests themselves need, for one Python; made once, gone at the end."""
    with _tools_lock:
        return _install_tools(interpreter).name


@cache
def _install_tools(interpreter: str) -> tempfile.TemporaryDirectory[str]:
    # On the import path of the tests only: what a piece needs, it must bring itself.
    folder = tempfile.TemporaryDirectory(prefix="twoway-test-tools-")
    options = ["--quiet", "--target", folder.name, "--group", f"{ROOT / 'pyproject.toml'}:test"]
    subprocess.run([sys.executable, "-m", "pip", "--python", interpreter, "install", *options], check=True)
    return folder
