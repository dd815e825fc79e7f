"""
Check the types of the Python code in the documentation: of the example files, strictly, and of blocks that are none.

    python tools/check_snippets.py

A block that is no file may leave out what a reader knows; `KNOWN` says what that is. It is checked as the body of a
coroutine function, since some wait.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from _workspace import ROOT, portions, python_path

EXAMPLES = ROOT / "docs" / "examples"
BLOCK = re.compile(r"^( *)```python *\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
#: What blocks use without saying where it comes from.
KNOWN = """
import asyncio
from typing import Any
from twoway.{driver} import *
handler: Any
sock: Any
server: Server
URL_MAP: Any
ChecksumFactory: Any
"""
#: Libraries of others may be missing, since examples say how it was before; and an example may print what comes.
OPTIONS = [
    "--disable-error-code=import-not-found",
    "--disable-error-code=import-untyped",
    "--disable-error-code=str-bytes-safe",
    "--no-warn-unused-ignores",
]
LENIENT = ["--no-strict-optional", "--allow-untyped-defs", "--allow-untyped-calls", "--check-untyped-defs"]


def snippets() -> Iterator[tuple[str, str]]:
    """Yield a name for a module, and its source, for each block without a title."""
    for page in sorted((ROOT / "docs").rglob("*.md")):
        driver = "threading" if page.stem == "threads" else "asyncio"
        text = page.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            lines = [line.removeprefix(match[1]) for line in match[2].splitlines()]
            number = text.count("\n", 0, match.start()) + 2
            name = re.sub(r"\W", "_", page.relative_to(ROOT / "docs").as_posix())
            source = f"{KNOWN.format(driver=driver)}async def snippet() -> None:\n{_indent(lines)}"
            yield f"{name}_line_{number}", source


def _indent(lines: list[str]) -> str:
    return "".join(f"    {line}\n" if line else "\n" for line in [*lines, "..."])


def mypy(folder: Path, files: list[Path], *options: str) -> bool:
    """Run mypy over some files of a folder, which may import each other; return whether it found nothing."""
    path = os.pathsep.join([str(folder), python_path(portions())])
    command = [sys.executable, "-m", "mypy", *OPTIONS, *options, *map(str, files)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "MYPYPATH": path}, check=False).returncode == 0


def main() -> int:
    """Print what is wrong; return the exit status."""
    passed = []
    for folder in sorted({file.parent for file in EXAMPLES.rglob("*.py")}):
        print(f"--- mypy {folder.relative_to(ROOT).as_posix()}", flush=True)
        passed.append(mypy(folder, sorted(folder.glob("*.py"))))
    with tempfile.TemporaryDirectory() as name:
        for module, source in snippets():
            Path(name, f"{module}.py").write_text(source, encoding="utf-8")
        files = sorted(Path(name).glob("*.py"))
        print(f"--- mypy, {len(files)} blocks that are no files", flush=True)
        passed.append(mypy(Path(name), files, *LENIENT))
    return not all(passed)


if __name__ == "__main__":
    sys.exit(main())
