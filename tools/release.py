"""
Rehearse a release: everything but the upload, whose commands are printed.

    python tools/release.py [FOLDER]          (default: dist; what it holds of ours is replaced)

It builds all distributions and looks at what is in them, builds them again elsewhere and compares, asks twine and
towncrier, makes an index of files, and does as a reader of README.md: each `pip install` in an environment of its own,
each import, and the examples. It needs the dependency groups `build` and `release`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import _environments
import _index
from _contracts import layers
from _proof import test_tools
from _pythons import MINORS
from _workspace import META, ROOT, packages, portions

README = ROOT / "README.md"
INSTALL = re.compile(r"pip install ([^`\n]+)")
EXAMPLES = ("tests/docs/conftest.py", "tests/docs/test_readme.py")


def tool(*arguments: str) -> Callable[[Path], str]:
    """Return a step that runs Python with these arguments; FOLDER and FILES stand for the distributions."""

    def step(folder: Path) -> str:
        files = [str(path) for path in sorted([*folder.glob("*.whl"), *folder.glob("*.tar.gz")])]
        command: list[str] = []
        for argument in arguments:
            command += files if argument == "FILES" else [str(folder) if argument == "FOLDER" else argument]
        result = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
        return f"{result.stdout}{result.stderr}" if result.returncode else ""

    return step


def install_as_the_readme_says(folder: Path) -> str:
    """Do what README.md says in each `pip install`; return what went wrong."""
    wanted = list(dict.fromkeys(INSTALL.findall(README.read_text(encoding="utf-8"))))
    with tempfile.TemporaryDirectory(prefix="twoway-index-") as temporary:
        address = _index.make(folder, Path(temporary) / "simple")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return "\n".join(filter(None, pool.map(lambda what: install(what, address), wanted)))


def install(what: str, index: str) -> str:
    """Install something from an index into an environment of its own, import it, and run the examples if it has all."""
    with tempfile.TemporaryDirectory(prefix="twoway-readme-") as temporary:
        folder = Path(temporary)
        python = _environments.make(folder / "venv", sys.executable)
        options = ["--isolated", "--quiet", *where(what, index)]
        command = [sys.executable, "-m", "pip", "--python", str(python), "install", *options, *words(what)]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if result.returncode:
            return f"pip install {what}:\n{result.stderr}"
        name = what.strip('"').partition("[")[0]
        all_in = [each for each in portions() if each.settings.get("in-meta", True)] if name == META else []
        pieces = [each for each in portions() if each.name == name] or all_in
        problems = list(use(python, [f"{META}.{each.portion}" for each in pieces], folder))
        return "".join(f"after pip install {what}: {problem}\n" for problem in problems)


def where(what: str, index: str) -> list[str]:
    """Return where pip looks: in our index alone; folders are built with tools that are not in it."""
    return ["--index-url", index] if what.strip('"').startswith(META) else []


def words(what: str) -> list[str]:
    """Split the arguments of `pip install` as a shell does, patterns included."""
    found: list[str] = []
    for word in what.replace('"', "").split():
        found += [str(path) for path in sorted(ROOT.glob(word))] if "*" in word else [word]
    return found


def use(python: Path, modules: list[str], folder: Path) -> Iterator[str]:
    """Import modules, and run the examples of the README where the driver is that they are written for."""
    result = _environments.run(python, ["-W", "error", "-c", "".join(f"import {each}\n" for each in modules)], folder)
    if result.returncode:
        yield result.stderr
    elif f"{META}.asyncio" in modules:
        for name in ("README.md", *EXAMPLES):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        # Children of the tests, the examples, see what pytest needs, and what was installed: nothing of the tree.
        variables = {"PYTHONPATH": test_tools(sys.executable)}
        command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "tests/docs"]
        result = _environments.run(python, command, folder, variables)
        if result.returncode:
            yield f"its examples fail:\n{result.stdout}{result.stderr}"


def read_cibuildwheel_settings(_: Path) -> str:
    """Let cibuildwheel say what it would build; return the Pythons that it leaves out."""
    problems = []
    for package in filter(lambda package: package.is_compiled, packages()):
        command = [sys.executable, "-m", "cibuildwheel", str(package.folder), "--print-build-identifiers"]
        result = subprocess.run([*command, "--platform", "linux"], capture_output=True, text=True, check=False)
        missing = [f"3.{minor}" for minor in MINORS if f"cp3{minor}-manylinux_x86_64" not in result.stdout.split()]
        problems += [f"{package.name}: no wheels for {missing}\n{result.stderr}"] if missing else []
    return "\n".join(problems)


STEPS: dict[str, Callable[[Path], str]] = {
    "versions and pins": tool("tools/versions.py", "check"),
    "what is generated": tool("tools/sync.py", "--check"),
    "build": tool("tools/build.py", "FOLDER"),
    "contents": tool("tools/check_dists.py", "FOLDER"),
    "twine check": tool("-m", "twine", "check", "--strict", "FILES"),
    "the same bytes again": tool("tools/reproduce.py", "FOLDER"),
    "changelog": tool("-m", "towncrier", "build", "--draft", "--version", packages()[-1].version),
    "cibuildwheel": read_cibuildwheel_settings,
    "README: each pip install, each import, the examples": install_as_the_readme_says,
}


def upload_order() -> list[list[str]]:
    """Return names in groups, leaves first: who installs while the upload goes on finds all that is needed."""
    by_portion = {piece.portion: piece.name for piece in portions()}
    groups = [[by_portion[portion] for portion in layer.split(" | ")] for layer in reversed(layers(portions()))]
    return [*groups, [META]]


def print_upload(folder: Path) -> None:
    """Print the commands that publish what is in a folder."""
    print("\nTo publish, in this order; wheels of what is compiled come from cibuildwheel and replace those made here:")
    for group in upload_order():
        patterns = [f"{folder.name}/{name.replace('-', '_')}-{packages()[-1].version}*" for name in group]
        print(f"  twine upload {' '.join(patterns)}")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Rehearse a release.")
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "dist")
    folder = parser.parse_args().folder.resolve()
    os.environ.setdefault("TWOWAY_REQUIRE_SPEEDUPS", "1")
    os.environ.setdefault("SOURCE_DATE_EPOCH", commit_time())
    failed = []
    for name, step in STEPS.items():
        started = time.monotonic()
        complaint = step(folder)
        print(f"{'FAIL' if complaint else 'ok'}  {name} ({time.monotonic() - started:.0f} s)", flush=True)
        if complaint:
            failed.append(name)
            print(complaint)
    print_upload(folder)
    print(f"\nrelease: {len(STEPS) - len(failed)} steps passed, {len(failed)} failed {', '.join(failed)}".rstrip())
    return bool(failed)


def commit_time() -> str:
    """Return when the last commit was made, in seconds since 1970, which dates the files in the distributions."""
    command = ["git", "log", "-1", "--format=%ct"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "1577836800"


if __name__ == "__main__":
    sys.exit(main())
