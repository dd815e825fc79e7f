"""Which interpreters this machine has; nothing but the standard library, for tools/dev.py."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

# The minor versions of Python 3 that the packages name in their classifiers; the first is the floor.
MINORS = (11, 12, 13)


def pythons() -> dict[str, str]:
    """Return an interpreter for each supported version: "3.11" -> its path, the oldest first; this one always."""
    found = {f"3.{minor}": _find(minor) for minor in MINORS}
    found[f"3.{sys.version_info.minor}"] = sys.executable
    return {version: path for version, path in sorted(found.items(), key=_minor) if path}


def _minor(item: tuple[str, str]) -> int:
    return int(item[0].partition(".")[2])


def _find(minor: int) -> str:
    """Return an interpreter that pyenv keeps or that is on the path; an empty text where there is none."""
    # On the path pyenv has wrappers, which may refuse; what it keeps works.
    kept = [path for path in kept_by_pyenv() if path.name == f"python3.{minor}"]
    return str(kept[-1]) if kept else shutil.which(f"python3.{minor}") or ""


def kept_by_pyenv() -> list[Path]:
    """Return interpreters that pyenv keeps and that are not on the path."""
    return sorted((Path.home() / ".pyenv" / "versions").glob("3.*/bin/python3.1?"))
