"""
Prove that every subset installs and works: one environment for each distribution, and one for each of its extras.

    python tools/isolate.py [FOLDER] [--only DISTRIBUTION ...]          (default: dist, made by tools/build.py)

Each environment gets one distribution from FOLDER, without an index. Then the installed distributions must be
exactly those that the metadata lead to, every module of them must import with nothing else installed, every other
piece must fail to import, and the tests from the sdist must pass against the wheel, in a folder far from the sources.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from _workspace import META, ROOT, Package, packages, portions

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
    """Hold one proof: a distribution, perhaps with one of its extras."""

    package: Package
    extra: str = ""

    @property
    def requirement(self) -> str:
        """Return what the user would write after ``pip install``."""
        return f"{self.package.name}[{self.extra}]" if self.extra else self.package.name


def rows(only: list[str]) -> Iterator[Row]:
    """Yield the proofs to make; ``only`` names distributions, empty for all."""
    for package in packages():
        if not only or package.name in only:
            yield Row(package)
            yield from (Row(package, extra) for extra in package.extras)


def prove(row: Row, dists: Path, test_tools: Path) -> list[str]:
    """Make one environment and return what is wrong there."""
    with tempfile.TemporaryDirectory(prefix="twoway-isolate-") as temporary:
        folder = Path(temporary)
        python = _environment(folder / "venv")
        _install(python, row, dists)
        report = _probe(python, folder)
        problems = _check_installed(row, report)
        variables = {"PYTHONPATH": str(test_tools), "TWOWAY_TEST_IMPLEMENTATION": _implementation(report, dists)}
        if not row.package.is_meta and not _run_tests(python, row.package, dists, folder, variables):
            problems.append("its tests fail against the wheel")
    return problems


def _environment(folder: Path) -> Path:
    # pip stays outside, so that the environment holds nothing but what the distribution brings.
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _install(python: Path, row: Row, dists: Path) -> None:
    links = ["--find-links", str(dists), "--find-links", str(dists / "third-party")]
    options = ["--isolated", "--quiet", "--no-index", "--only-binary", ":all:", *links]
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", *options, row.requirement]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{row.requirement} does not install:\n{result.stdout}{result.stderr}")


def _run(
    python: Path, arguments: list[str], folder: Path, variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    foreign = ("PYTHON", "COVERAGE", "TWOWAY")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    command = [str(python), *arguments]
    environment = {**clean, **(variables or {})}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _probe(python: Path, folder: Path) -> dict[str, object]:
    names = json.dumps([f"{META}.{piece.portion}" for piece in portions()])
    result = _run(python, ["-W", "error", "-c", PROBE, names], folder)
    if result.returncode:
        return {"problem": result.stderr.strip().splitlines()[-1]}
    report: dict[str, object] = json.loads(result.stdout)
    return report


def _implementation(report: dict[str, object], dists: Path) -> str:
    """Return which codec the tests must find: the compiled one wherever it came along and is no empty shell."""
    installed = report.get("installed", {})
    assert isinstance(installed, dict)
    has_it = f"{META}-speedups" in installed and any(dists.glob(f"{META}_speedups-*-cp*.whl"))
    return "compiled" if has_it else "pure"


def _check_installed(row: Row, report: dict[str, object]) -> list[str]:
    if "problem" in report:
        return [str(report["problem"])]
    installed, imported = report["installed"], report["imported"]
    assert isinstance(installed, dict)
    assert isinstance(imported, list)
    expected = _closure(row, installed)
    pieces = sorted(f"{META}.{name.removeprefix(META + '-')}" for name in expected if name.startswith(f"{META}-"))
    problems = []
    if set(map(canonicalize_name, installed)) != expected:
        problems.append(f"installed are {sorted(installed)}, its metadata lead to {sorted(expected)}")
    if sorted(imported) != pieces:
        problems.append(f"importable are {imported}, not {pieces}")
    return problems


def _closure(row: Row, installed: dict[str, list[str]]) -> set[str]:
    """Return the names that ``Requires-Dist`` leads to, extras included, starting at the distribution of the row."""
    requires = {canonicalize_name(name): [Requirement(text) for text in texts] for name, texts in installed.items()}
    seen: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(row.package.name), extra) for extra in {"", row.extra}]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for each in requires.get(name, []):
            if each.marker is None or each.marker.evaluate({"extra": extra}):
                waiting.extend((canonicalize_name(each.name), wanted) for wanted in {"", *each.extras})
    return {name for name, _ in seen}


def _run_tests(python: Path, package: Package, dists: Path, folder: Path, variables: dict[str, str]) -> bool:
    stem = f"{package.name.replace('-', '_')}-{package.version}"
    with tarfile.open(dists / f"{stem}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    # Only the tests: README.md is there for the test that executes it, the sources are not.
    away = folder / "away"
    away.mkdir()
    for name in ("tests", "README.md"):
        (folder / stem / name).rename(away / name)
    options = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(away), "-p", "no:cacheprovider", "-q"]
    result = _run(python, ["-m", "pytest", *options, "tests"], away, variables)
    last = result.stdout.strip().splitlines()[-1:] or result.stderr.strip().splitlines()[-1:]
    print("   ", *last)
    if result.returncode:
        print(result.stdout, result.stderr)
    return result.returncode == 0


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Install and test every distribution alone.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    parser.add_argument("--only", nargs="+", default=[], metavar="DISTRIBUTION")
    arguments = parser.parse_args()
    proofs, failed = list(rows(arguments.only)), []
    with tempfile.TemporaryDirectory(prefix="twoway-test-tools-") as test_tools:
        # On the import path of the tests only: what a piece needs, it must bring itself.
        install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--target",
            test_tools,
            "--group",
            f"{ROOT / 'pyproject.toml'}:test",
        ]
        subprocess.run([sys.executable, *install], check=True)
        for row in proofs:
            print(f"--- pip install {row.requirement}", flush=True)
            if problems := prove(row, arguments.folder.resolve(), Path(test_tools)):
                failed.append(row.requirement)
                print("\n".join(f"    {problem}" for problem in problems))
    print(
        f"isolate: {len(proofs) - len(failed)} environments passed, {len(failed)} failed {', '.join(failed)}".rstrip()
    )
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
