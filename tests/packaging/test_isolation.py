"""Installing a piece alone, building it again and reading the README find what is wrong with the distributions."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

VERSION = f"3.{sys.version_info.minor}"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def dists(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "dist"))


def change(dists: Path, name: str, end: str, old: bytes, new: bytes) -> Path:
    """Replace something in one file of a wheel; nobody compares that with the wheel's own list."""
    (path,) = dists.glob(f"{name}-*.whl")
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    (target,) = (each for each in files if each.endswith(end))
    assert old in files[target]
    files[target] = files[target].replace(old, new)
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in files.items():
            archive.writestr(each, data)
    return path


@pytest.mark.parametrize(
    ("end", "old", "new", "message"),
    [
        ("METADATA", b"Requires-Dist: twoway-frames==", b"X-Nothing: ", "twoway.deflate needs twoway.frames"),
        (
            "METADATA",
            b"Requires-Dist: twoway-frames==",
            b"Requires-Dist: twoway-frames==9.",
            "No matching distribution",
        ),
        (
            "/_params.py",
            b"import annotations",
            b"import annotations\nimport twoway.http",
            "twoway.deflate needs twoway.http",
        ),
        ("/_params.py", b"import annotations", b"import annotations\nimport werkzeug", "twoway.deflate needs werkzeug"),
    ],
    ids=["dropped requirement", "wrong pin", "undeclared piece", "undeclared third party"],
)
def test_a_spoilt_wheel_does_not_stand_alone(
    dists: Path, run: Run, end: str, old: bytes, new: bytes, message: str
) -> None:
    change(dists, "twoway_deflate", end, old, new)
    result = run("isolate", str(dists), "--only", "twoway-deflate", "--python", VERSION)
    assert result.returncode == 1
    assert message in result.stdout


def test_a_distribution_that_is_not_made_of_these_sources(dists: Path, run: Run) -> None:
    path = change(dists, "twoway_http", "/_errors.py", b"import annotations", b"import annotations\n# And more.")
    result = run("reproduce", str(dists))
    assert result.returncode == 1
    lines = [line for line in result.stdout.splitlines() if "not the same" in line]
    assert len(lines) == 1
    assert lines[0].startswith(path.name)


def call(tree: Path, program: str) -> str:
    """Run a program next to the tools of the copy; give what it prints."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=tree / "tools", capture_output=True, text=True, check=True).stdout


def test_a_command_of_the_readme_that_does_not_work(tree: Path, dists: Path) -> None:
    (tree / "README.md").write_text("`pip install twoway-http`\n`pip install twoway-nothing`\n", encoding="utf-8")
    said = call(
        tree, f"import pathlib, release; print(release.install_as_the_readme_says(pathlib.Path({str(dists)!r})))"
    )
    assert "pip install twoway-nothing:" in said
    assert "twoway-http" not in said


def test_a_module_that_does_not_import_after_a_command_of_the_readme(tree: Path, dists: Path) -> None:
    (tree / "README.md").write_text("`pip install twoway-http`\n", encoding="utf-8")
    change(dists, "twoway_http", "/_errors.py", b"import annotations", b"import annotations\nimport nothing")
    said = call(
        tree, f"import pathlib, release; print(release.install_as_the_readme_says(pathlib.Path({str(dists)!r})))"
    )
    assert "after pip install twoway-http: " in said
    assert "No module named 'nothing'" in said


def test_leaves_are_uploaded_first(tree: Path) -> None:
    program = """
import release
from _workspace import packages
done = set()
for group in release.upload_order():
    for package in packages():
        if package.name in group:
            assert package.siblings() <= done, package.name
    done |= set(group)
assert done == {package.name for package in packages()}
"""
    call(tree, program)


def test_a_test_that_no_row_runs_is_found(tree: Path) -> None:
    program = """
from _proof import Outcome
from isolate import never_run
bare = Outcome(passed={"a", "a::1"}, skipped={"a::2": "routing needs Werkzeug", "b": "could not import 'python_socks'"})
windows = Outcome(skipped={"c::1": "NOT TESTED HERE: no Unix sockets"})
routing = Outcome(passed={"a", "a::1", "a::2"})
print(list(never_run([bare, windows, routing])))
"""
    assert call(tree, program).strip() == "['b']"
