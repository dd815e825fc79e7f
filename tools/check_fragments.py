"""
Check the names of the changelog fragments; towncrier would leave out, without a word, what it cannot place.

    python tools/check_fragments.py
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator

from _workspace import ROOT

NAME = re.compile(r"(\d+|\+[\w-]+)\.(\w+)(\.\d+)?\.md")
KEPT = {".gitkeep"}


def problems() -> Iterator[str]:
    """Yield one sentence for each fragment with a wrong name or without text."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
    kinds = {kind["directory"] for kind in settings["type"]}
    for path in sorted((ROOT / settings["directory"]).iterdir()):
        match = NAME.fullmatch(path.name)
        shown = path.relative_to(ROOT).as_posix()
        if path.name in KEPT:
            continue
        if match is None or match[2] not in kinds:
            yield f"{shown}: the name is not NUMBER.KIND.md or +NAME.KIND.md, where KIND is one of {sorted(kinds)}"
        elif not path.read_text(encoding="utf-8").strip():
            yield f"{shown}: is empty"


def main() -> int:
    """Print what is wrong; return the exit status."""
    found = list(problems())
    print("\n".join(found) or "changelog fragments: all in order")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
