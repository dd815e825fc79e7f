"""
Build every distribution: the sdist from the tree, and the wheels from that sdist, as users of the sdist will.

    python tools/build.py [FOLDER] [--here] [--no-third-party]          (default: dist)

What is compiled gets a wheel for each Python of this machine, with ``--here`` just for the one that runs this. What the
distributions need from third parties goes to FOLDER/third-party; they can then be installed without an index.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _pythons import pythons
from _workspace import ROOT, Package, packages, third_party

# What tests, compilers and editable installations leave in the folder of a package.
LITTER = shutil.ignore_patterns("__pycache__", ".*", "*.so", "*.pyd", "dist", "build")


def build(package: Package, folder: Path, others: list[str]) -> str:
    """Build the sdist of one distribution, its wheel out of that sdist, and those for other interpreters."""
    with tempfile.TemporaryDirectory(prefix="twoway-build-") as temporary:
        # From a copy: in a checkout hatchling adds its .gitignore, and the same sources would not give the same bytes.
        copy = shutil.copytree(package.folder, Path(temporary) / package.name, ignore=LITTER)
        # Without an environment of its own for each: ten of them would take most of the time.
        options = ["--no-isolation", "--outdir", str(folder)]
        # From the package's folder: at the root, tools and caches would be on the import path.
        _run([sys.executable, "-m", "build", *options, "."], copy)
        for interpreter in others if package.is_compiled else []:
            sdist = folder / f"{package.name.replace('-', '_')}-{package.version}.tar.gz"
            options = ["--quiet", "--no-deps", "--no-cache-dir", "--wheel-dir", str(folder), str(sdist)]
            _run([sys.executable, "-m", "pip", "--python", interpreter, "wheel", *options], copy)
    return f"built {package.name} {package.version}"


def _run(command: list[str], folder: Path) -> None:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{folder.name} cannot be built:\n{result.stdout}{result.stderr}")


def build_all(folder: Path, interpreters: list[str]) -> None:
    """
    Build all distributions into a folder, several at a time; what it held of ours is removed.

    Args:
        folder: Made if it is missing; absolute.
        interpreters: For these compiled code gets wheels; the one that runs this is among them anyway.

    Raises:
        SystemExit: One cannot be built; the text says why.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("twoway*.whl"), *folder.glob("twoway*.tar.gz")]:
        old.unlink()
    others = [interpreter for interpreter in interpreters if interpreter != sys.executable]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for line in pool.map(lambda package: build(package, folder, others), packages()):
            print(line, flush=True)


def download_third_party(folder: Path, interpreters: list[str]) -> None:
    """Fetch wheels of everything that is not from this workspace and that an installation or an extra asks for."""
    wanted = third_party()
    folder.mkdir(exist_ok=True)
    for interpreter in interpreters if wanted else []:
        options = ["--quiet", "--only-binary", ":all:", "--dest", str(folder)]
        command = [sys.executable, "-m", "pip", "--python", interpreter, "download", *options, *wanted]
        subprocess.run(command, check=True)
    print(f"third parties: {', '.join(wanted) or 'none asked for'}")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Build every sdist, and every wheel from its sdist.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    parser.add_argument("--here", action="store_true", help="compile for this Python alone")
    parser.add_argument("--no-third-party", action="store_true", help="download nothing")
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    interpreters = [sys.executable] if arguments.here else list(pythons().values())
    build_all(folder, interpreters)
    if not arguments.no_third_party:
        download_third_party(folder / "third-party", interpreters)
    return 0


if __name__ == "__main__":
    sys.exit(main())
