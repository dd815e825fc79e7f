"""
Run tests against the sources, one pytest process for each package or folder.

    python tools/run_pytest.py [--cov] [PACKAGE | FOLDER ...] [-- PYTEST ARGUMENT ...]

Without a target: every package. The tests of a package see that package and what it declares, nothing else, so that an
undeclared import fails. Tests in a folder see all packages. ``--cov`` measures branch coverage of the package itself.
``--compiled`` compiles twoway-speedups and uses it; else all tests use the pure codec, also where a compiled one is
installed. ``--sanitize`` looks for wrong memory accesses in the compiled one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _workspace import ROOT, Package, closure, packages, portions, python_path

# Below the drivers nothing depends on timing or the system (but for a compiler), so nothing excuses an untested branch.
FULL_COVERAGE = 100


def command(target: str, coverage: bool, extra: list[str]) -> tuple[list[str], str]:
    """Return pytest's arguments and the import path for one target, the name of a package or a folder."""
    by_name = {package.name: package for package in packages()}
    if target not in by_name:
        if not (ROOT / target).exists():
            raise SystemExit(f"{target} is neither a package nor a path in the repository")
        return [target, *extra], python_path(portions())
    package = by_name[target]
    options = _coverage(package) if coverage else []
    return [f"packages/{target}/tests", *options, *extra], python_path(closure(package))


def _coverage(package: Package) -> list[str]:
    options = [f"--cov={package.code}", "--cov-branch", "--cov-report=term-missing:skip-covered"]
    return options if package.performs_io or package.is_compiled else [*options, f"--cov-fail-under={FULL_COVERAGE}"]


def run(target: str, coverage: bool, variables: dict[str, str], extra: list[str]) -> bool:
    """Run the tests of one target with some environment variables; return whether they passed."""
    arguments, path = command(target, coverage, extra)
    print(f"--- {target} ({variables['TWOWAY_TEST_IMPLEMENTATION']})", flush=True)
    data_file = str(ROOT / f".coverage.{target.replace('/', '-')}")
    environment = {**os.environ, **variables, "COVERAGE_FILE": data_file}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [variables.get("PYTHONPATH"), path]))
    result = subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=environment, check=False)
    return result.returncode == 0


def implementation(folder: Path | None, sanitize: bool) -> dict[str, str]:
    """Return the variables for the pure codec, or compile the other one into a folder and return those for it."""
    if folder is None:
        return {"TWOWAY_PURE": "1", "TWOWAY_TEST_IMPLEMENTATION": "pure"}
    import speedups

    speedups.compile_into(folder, speedups.SANITIZE if sanitize else [])
    variables = {"TWOWAY_PURE": "", "TWOWAY_TEST_IMPLEMENTATION": "compiled", "PYTHONPATH": str(folder)}
    return {**variables, **speedups.sanitizer_variables()} if sanitize else variables


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Run tests against the sources.")
    parser.add_argument("--cov", action="store_true", help="measure the coverage of each package by its own tests")
    parser.add_argument("--compiled", action="store_true", help="use the compiled codec")
    parser.add_argument("--sanitize", action="store_true", help="the same, with sanitizers")
    parser.add_argument("targets", nargs="*", help="names of packages, or folders with tests")
    own, extra = _split(sys.argv[1:])
    arguments = parser.parse_args(own)
    targets = arguments.targets or [package.name for package in portions()]
    with tempfile.TemporaryDirectory(prefix="twoway-speedups-") as folder:
        compiled = arguments.compiled or arguments.sanitize
        variables = implementation(Path(folder) if compiled else None, arguments.sanitize)
        failed = [target for target in targets if not run(target, arguments.cov, variables, extra)]
    print(f"targets: {len(targets) - len(failed)} passed, {len(failed)} failed {', '.join(failed)}".rstrip())
    return bool(failed)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return the arguments before and after ``--``."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


if __name__ == "__main__":
    sys.exit(main())
