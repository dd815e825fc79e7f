"""
Build every distribution once more, from a copy of the tree at another place, and compare byte by byte.

    python tools/reproduce.py [FOLDER]          (default: dist, made by tools/build.py)

Who has the sources can so prove that what was published is made of them, if the tools have the same versions and
SOURCE_DATE_EPOCH has the same value. What is compiled is compared for the Python that runs this.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from _workspace import META, ROOT
from build import LITTER


def build_again(folder: Path) -> Path:
    """Copy what the distributions are made of into a folder, build them there, and return where they are."""
    for part in ("packages", "tools"):
        shutil.copytree(ROOT / part, folder / "tree" / part, ignore=LITTER)
    command = [sys.executable, "tools/build.py", str(folder / "dist"), "--here", "--no-third-party"]
    subprocess.run(command, cwd=folder / "tree", check=True, stdout=subprocess.DEVNULL)
    return folder / "dist"


def differences(first: Path, second: Path) -> Iterator[str]:
    """Yield one sentence for each distribution of the second folder that the first one has not, or has otherwise."""
    for path in sorted([*second.glob(f"{META}*.whl"), *second.glob(f"{META}*.tar.gz")]):
        other = first / path.name
        if not other.is_file():
            yield f"{path.name} is not in {first}"
        elif (have := _digest(other)) != (again := _digest(path)):
            yield f"{path.name} is not the same again: {have} and {again}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Print what differs; return the exit status."""
    parser = argparse.ArgumentParser(description="Build every distribution once more and compare.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    folder = parser.parse_args().folder.resolve()
    with tempfile.TemporaryDirectory(prefix="twoway-again-") as temporary:
        again = build_again(Path(temporary))
        found = list(differences(folder, again))
        count = len(list(again.iterdir()))
    print("\n".join(found) or f"reproducible: {count} distributions, built at two places, are the same bytes")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
