"""
Run every check that needs nothing but the sources, all of them, and say at the end which failed.

    python tools/check_style.py [--fix] [CHECK ...]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from _workspace import ROOT, portions, python_path

CHECKS = {
    "ruff-check": ["-m", "ruff", "check", "--quiet"],
    "ruff-format": ["-m", "ruff", "format", "--quiet", "--check"],
    "imports": ["-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-logo"],
    "tree": ["tools/check_tree.py"],
    "sync": ["tools/sync.py", "--check"],
    "versions": ["tools/versions.py", "check"],
    "install-table": ["tools/install_table.py", "--check"],
    "fragments": ["tools/check_fragments.py"],
}
FIXES = {
    "ruff-check": ["-m", "ruff", "check", "--fix"],
    "ruff-format": ["-m", "ruff", "format"],
    "sync": ["tools/sync.py"],
}


def run(arguments: list[str]) -> bool:
    """Run Python with these arguments at the root, all pieces importable; return whether it succeeded."""
    environment = {**os.environ, "PYTHONPATH": python_path(portions())}
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Run the checks that need nothing but the sources.")
    parser.add_argument("--fix", action="store_true", help="mend first what can be mended")
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=f"default: all of {', '.join(CHECKS)}")
    options = parser.parse_args()
    if options.fix:
        for arguments in FIXES.values():
            run(arguments)
    results = {}
    for name in options.checks or CHECKS:
        print(f"--- {name}", flush=True)
        results[name] = run(CHECKS[name])
    failed = [name for name, passed in results.items() if not passed]
    print(f"style: {len(results) - len(failed)} checks passed, {len(failed)} failed {', '.join(failed)}".rstrip())
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
