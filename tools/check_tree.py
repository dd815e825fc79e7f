"""
Check what no linter sees in the source tree: the shape that a namespace package needs.

    python tools/check_tree.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from _workspace import META, ROOT, Package, packages

SOURCES = {".c", ".h", ".cpp", ".pyx"}


def problems() -> Iterator[str]:
    """Yield one sentence for each thing that is wrong."""
    for package in packages():
        if package.pyproject["project"]["name"] != package.name:
            yield f"{package.name}: the folder and the distribution have different names"
        if package.is_meta:
            yield from (f"{_show(path)}: the meta-package has no code" for path in package.folder.rglob("*.py"))
        else:
            yield from _piece(package)
        if not package.is_compiled:
            sources = [path for path in package.folder.rglob("*") if path.suffix in SOURCES]
            yield from (f"{_show(path)}: C sources without a hatch_build.py" for path in sources)


def _piece(package: Package) -> Iterator[str]:
    # One stray file here makes every other piece unimportable (PEP 420).
    strays = [path for path in (package.source / META).glob("*") if path.is_file()]
    yield from (f"{_show(path)}: no file may stand in the namespace itself" for path in strays)
    folders = {path.name for path in (package.source / META).glob("*/") if any(path.rglob("*.py"))}
    if folders != {package.portion}:
        yield f"{_show(package.source)}: holds {sorted(folders)} instead of just {package.portion!r}"
    if not (package.code / "py.typed").is_file():
        yield f"{_show(package.code)}: py.typed is missing"
    for path in (package.folder / "tests").rglob("__init__.py"):
        yield f"{_show(path)}: a tests folder is no package, it would shadow other modules"


def _show(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def main() -> int:
    """Print what is wrong; return the exit status."""
    found = list(problems())
    print("\n".join(found) or f"tree: {len(packages())} packages, all in shape")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
