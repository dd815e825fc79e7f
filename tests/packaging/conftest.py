"""A copy of the repository that a test may spoil."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ["packages", "tools", "docs/reference", "docs/install.md", "pyproject.toml", "mkdocs.yml", "LICENSE", "changes"]
CACHES = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis", "*.egg-info")

Run = Callable[..., subprocess.CompletedProcess[str]]


def copy_tree(target: Path) -> Path:
    for part in PARTS:
        source, copy = ROOT / part, target / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=CACHES)
        else:
            shutil.copy(source, copy)
    return target


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A sound copy of what the checks look at."""
    return copy_tree(tmp_path / "tree")


@pytest.fixture
def run(tree: Path) -> Run:
    """Run a tool of the copy; the result has the exit status and all output in ``stdout``."""

    def run_tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, f"tools/{name}.py", *arguments]
        return subprocess.run(
            command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )

    return run_tool


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every distribution, built once; not to be changed."""
    tree = copy_tree(tmp_path_factory.mktemp("build") / "tree")
    subprocess.run([sys.executable, "tools/build.py", "dist", "--here"], cwd=tree, check=True)
    return tree / "dist"
