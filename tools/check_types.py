"""
Check the types from inside and from outside.

    python tools/check_types.py

mypy reads the sources in strict mode, and then what the documentation shows (tools/check_snippets.py); pyright looks at
each piece as users do and wants every public name typed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

import check_snippets
from _workspace import META, ROOT, Package, portions, python_path


def mypy() -> bool:
    """Run mypy over all sources; return whether it succeeded."""
    print("--- mypy --strict", flush=True)
    return subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, check=False).returncode == 0


def verify(package: Package) -> bool:
    """Run pyright's report of the public types of one piece; return whether it is complete."""
    environment = {**os.environ, "PYTHONPATH": python_path(portions())}
    command = ["-m", "basedpyright", "--verifytypes", f"{META}.{package.portion}", "--ignoreexternal", "--outputjson"]
    # Outside the repository, so that pyright finds the piece on the import path and none of our settings.
    with tempfile.TemporaryDirectory() as elsewhere:
        result = subprocess.run(
            [sys.executable, *command], cwd=elsewhere, env=environment, capture_output=True, text=True, check=False
        )
    report = json.loads(result.stdout or "{}").get("typeCompleteness")
    if report is None:
        print(f"pyright gave no report for {META}.{package.portion}:\n{result.stdout}{result.stderr}")
        return False
    return _summary(package, report)


def _summary(package: Package, report: dict[str, object]) -> bool:
    counts = report["exportedSymbolCounts"]
    assert isinstance(counts, dict)
    total = sum(counts.values())
    print(f"{META}.{package.portion}: {counts['withKnownType']} of {total} public names are typed")
    symbols = report.get("symbols")
    for symbol in symbols if isinstance(symbols, list) else []:
        # A class is incomplete because of its members, which then say why; other pieces have their own report.
        foreign = not symbol["name"].startswith(f"{META}.{package.portion}.")
        for diagnostic in [] if symbol["isTypeKnown"] or foreign else symbol["diagnostics"]:
            print(f"  {symbol['name']}: {' '.join(diagnostic['message'].split())}")
    return bool(total) and counts["withKnownType"] == total


def main() -> int:
    """Print what is wrong; return the exit status."""
    passed = [mypy(), not check_snippets.main()]
    print("--- pyright --verifytypes", flush=True)
    return not all([*passed, *map(verify, portions())])


if __name__ == "__main__":
    sys.exit(main())
