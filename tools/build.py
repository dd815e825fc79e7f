"""
Build every distribution: the sdist from the tree, and the wheel from that sdist, as users of the sdist will.

    python tools/build.py [FOLDER]          (default: dist)

What the distributions need from third parties goes to FOLDER/third-party; they can then be installed without an index.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from _workspace import ROOT, Package, packages, third_party


def build(package: Package, folder: Path) -> None:
    """Build the sdist of one distribution and its wheel out of that sdist."""
    # Without an environment of its own for each: ten of them would take most of the time.
    options = ["--no-isolation", "--outdir", str(folder)]
    # From the package's folder: at the root, tools and caches would be on the import path.
    command = [sys.executable, "-m", "build", *options, "."]
    result = subprocess.run(command, cwd=package.folder, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{package.name} cannot be built:\n{result.stdout}{result.stderr}")
    print(f"built {package.name} {package.version}", flush=True)


def download_third_party(folder: Path) -> None:
    """Fetch wheels of everything that is not from this workspace and that an installation or an extra asks for."""
    wanted = third_party()
    folder.mkdir(exist_ok=True)
    if wanted:
        options = ["--quiet", "--only-binary", ":all:", "--dest", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", "download", *options, *wanted], check=True)
    print(f"third parties: {', '.join(wanted) or 'none asked for'}")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Build every sdist, and every wheel from its sdist.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    folder: Path = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("twoway*.whl"), *folder.glob("twoway*.tar.gz")]:
        old.unlink()
    for package in packages():
        build(package, folder)
    download_third_party(folder / "third-party")
    return 0


if __name__ == "__main__":
    sys.exit(main())
