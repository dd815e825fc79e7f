"""Environments that hold what one `pip install` brings, from a folder and without an index, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

# An environment inside an environment has the outer one's pip and caches, but none of its settings.
FOREIGN = ("PYTHON", "COVERAGE", "TWOWAY", "VIRTUAL_ENV", "PYTEST")


class InstallError(Exception):
    """A distribution does not install; the text is what pip says."""


def make(folder: Path, interpreter: str) -> Path:
    """Make an environment without even pip in it, and return its interpreter."""
    subprocess.run([interpreter, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(python: Path, dists: Path, requirements: list[str]) -> None:
    """
    Install into an environment what a folder made by tools/build.py has.

    Args:
        python: The interpreter of the environment.
        dists: The folder; what is from third parties is in ``third-party`` below.
        requirements: As after ``pip install``.

    Raises:
        InstallError: The folder lacks something, or pins contradict each other.
    """
    links = ["--find-links", str(dists), "--find-links", str(dists / "third-party")]
    options = ["--isolated", "--quiet", "--no-index", "--no-compile", "--only-binary", ":all:", *links]
    # pip stays outside, so that the environment holds nothing but what the distribution brings.
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", *options, *requirements]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise InstallError(f"pip install {' '.join(requirements)} fails:\n{result.stdout}{result.stderr}")


def run(
    python: Path, arguments: list[str], folder: Path, variables: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the interpreter of an environment in a folder, without anything of the environment around it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    command = [str(python), *arguments]
    environment = {**clean, **(variables or {})}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def installed(python: Path, folder: Path) -> dict[str, list[str]]:
    """Return the distributions in an environment, each with its ``Requires-Dist``."""
    program = (
        "import importlib.metadata as m, json\n"
        "print(json.dumps({each.metadata['Name']: each.requires or [] for each in m.distributions()}))"
    )
    result: dict[str, list[str]] = json.loads(run(python, ["-c", program], folder).stdout)
    return result
