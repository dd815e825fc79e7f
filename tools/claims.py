"""
Run the programs of docs/explanation/what-is-new.md, and compare what they print with what the page says, or write it.

    python tools/claims.py [--write] [LIBRARY ...]

Without a name it runs them with twoway; the names of other libraries are those that the page gives to its programs, and
each must be installed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor

from _workspace import ROOT, portions, python_path

PAGE = ROOT / "docs" / "explanation" / "what-is-new.md"
OURS = "twoway"
#: Prints what it prints after half a minute: not for tests.
SLOW = {"docs/examples/claims/slow_request.py aiohttp"}
_RUN = re.compile(r"^\$ python (docs/examples/claims/\w+\.py(?: [\w-]+)?)\n((?:(?!\$ |```).*\n)*)", re.MULTILINE)
#: Programs that run at a time, and seconds for each. Most of them wait.
_JOBS, _DEADLINE = 3, 60


def claims() -> Iterator[tuple[str, str, str]]:
    """Yield library, command and what the page says that it prints."""
    for command, output in _RUN.findall(PAGE.read_text(encoding="utf-8")):
        yield (command.split()[1] if " " in command else OURS), command, output


def run(command: str) -> str:
    """Run a program as the page has it; return what it prints, errors included."""
    result = subprocess.run(
        [sys.executable, *command.split()],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": python_path(portions())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=_DEADLINE,
        check=False,
    )
    return result.stdout


def differences(libraries: Collection[str], slow: bool = False) -> dict[str, tuple[str, str]]:
    """Run the programs of some libraries; return command -> what the page says, and what was printed instead."""
    chosen = [
        (command, said) for library, command, said in claims() if library in libraries and (slow or command not in SLOW)
    ]
    with ThreadPoolExecutor(_JOBS) as pool:
        printed = pool.map(run, (command for command, _ in chosen))
        return {command: (said, seen) for (command, said), seen in zip(chosen, printed, strict=True) if seen != said}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Compare the claims of the documentation with what programs print.")
    parser.add_argument("--write", action="store_true", help="write what was printed into the page")
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help="default: twoway")
    arguments = parser.parse_args()
    found = differences(arguments.libraries or [OURS], slow=True)
    for command, (said, seen) in found.items():
        print(f"$ python {command}\n--- the page says\n{said}--- it prints\n{seen}")
        if arguments.write:
            text = PAGE.read_text(encoding="utf-8")
            PAGE.write_text(
                text.replace(f"$ python {command}\n{said}", f"$ python {command}\n{seen}"), encoding="utf-8"
            )
    print(f"claims: {len(found)} of the page differ")
    return bool(found) and not arguments.write


if __name__ == "__main__":
    sys.exit(main())
