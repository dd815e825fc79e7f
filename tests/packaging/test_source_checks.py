"""Each check of the sources fails when it should, and says where."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHECKS = ["imports", "tree", "sync", "versions", "install-table", "fragments"]


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


@pytest.mark.parametrize("check", CHECKS)
def test_sound_tree_passes(run, check):
    result = run("check_style", check)
    assert result.returncode == 0, result.stdout


def test_stray_namespace_init(tree, run):
    (tree / "packages/twoway-frames/src/twoway/__init__.py").touch()
    result = run("check_style", "tree")
    assert result.returncode == 1
    assert "packages/twoway-frames/src/twoway/__init__.py" in result.stdout


def test_missing_py_typed(tree, run):
    (tree / "packages/twoway-http/src/twoway/http/py.typed").unlink()
    result = run("check_style", "tree")
    assert result.returncode == 1
    assert "packages/twoway-http/src/twoway/http: py.typed is missing" in result.stdout


def test_second_portion_in_one_package(tree, run):
    other = tree / "packages/twoway-http/src/twoway/frames"
    other.mkdir()
    (other / "__init__.py").touch()
    assert run("check_style", "tree").returncode == 1


def test_tests_folder_that_is_a_package(tree, run):
    (tree / "packages/twoway-frames/tests/__init__.py").touch()
    assert run("check_style", "tree").returncode == 1


@pytest.mark.parametrize("pin", ['"twoway-frames==0.0.9"', '"twoway-frames>=0.1.0"', '"twoway-frames"'])
def test_wrong_pin(tree, run, pin):
    path = tree / "packages/twoway-protocol/pyproject.toml"
    start = path.read_text(encoding="utf-8").index('"twoway-frames==')
    exact = path.read_text(encoding="utf-8")[start:].split(",")[0]
    replace(path, exact, pin)
    result = run("check_style", "versions")
    assert result.returncode == 1
    assert "twoway-protocol: twoway-frames" in result.stdout


def test_wrong_version(tree, run):
    path = tree / "packages/twoway-http/pyproject.toml"
    line = next(line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("version = "))
    replace(path, line, 'version = "9.9"')
    result = run("check_style", "versions")
    assert result.returncode == 1
    assert "twoway-http: version is 9.9" in result.stdout


def test_set_version_rewrites_all(tree, run):
    assert run("versions", "set", "9.9.1").returncode == 0
    result = run("check_style", "versions", "sync")
    assert result.returncode == 0, result.stdout
    assert '"twoway-protocol==9.9.1"' in (tree / "packages/twoway-asyncio/pyproject.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("package", "line", "message"),
    [
        ("frames", "import twoway.http", "Illegal imports of protected package twoway.http"),
        ("http", "from twoway.frames import Frame", "Illegal imports of protected package twoway.frames"),
        ("protocol", "import twoway.frames._mask", "Illegal imports of protected package twoway.frames._mask"),
        ("protocol", "import twoway.asyncio", "Illegal imports of protected package twoway.asyncio"),
        ("protocol", "import time", "twoway.protocol is not allowed to import time"),
        ("frames", "def late():\n    import socket", "twoway.frames is not allowed to import socket"),
    ],
)
def test_undeclared_import(tree, run, package, line, message):
    append(tree / f"packages/twoway-{package}/src/twoway/{package}/__init__.py", f"\n{line}\n")
    result = run("check_style", "imports")
    assert result.returncode == 1
    assert message in result.stdout


def test_removed_dependency(tree, run):
    path = tree / "packages/twoway-deflate/pyproject.toml"
    text, count = re.subn(r'"twoway-frames==[^"]*",?', "", path.read_text(encoding="utf-8"))
    assert count == 1
    path.write_text(text, encoding="utf-8")
    assert "differs: pyproject.toml" in run("check_style", "sync").stdout
    # Whoever writes the contracts anew learns which import is no longer declared.
    run("sync")
    result = run("check_style", "imports")
    assert result.returncode == 1
    assert "Illegal imports of protected package twoway.frames" in result.stdout


def test_changed_licence(tree, run):
    append(tree / "packages/twoway-frames/LICENSE", "\nAnd one more condition.\n")
    result = run("check_style", "sync")
    assert result.returncode == 1
    assert "differs: packages/twoway-frames/LICENSE" in result.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('requires-python = ">=3.11"', 'requires-python = ">=3.8"'),
        ('license = "MIT"', 'license = "BSD-3-Clause"'),
        ('core-metadata-version = "2.4"', 'core-metadata-version = "2.3"'),
    ],
)
def test_changed_common_field(tree, run, old, new):
    replace(tree / "packages/twoway-http/pyproject.toml", old, new)
    result = run("check_style", "sync")
    assert result.returncode == 1
    assert "differs: packages/twoway-http/pyproject.toml" in result.stdout


def test_hand_made_exception_in_a_contract(tree, run):
    replace(tree / "pyproject.toml", "forbidden_modules = [", 'ignore_imports = ["a -> b"]\nforbidden_modules = [')
    result = run("check_style", "sync")
    assert result.returncode == 1
    assert "differs: pyproject.toml" in result.stdout


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("| `twoway-http` |", "| `twoway-html` |", "has no row for pip install twoway-http"),
        ("| `twoway-deflate` | frames |", "| `twoway-deflate` | nothing |", "brings ['frames']"),
        ("| `twoway-deflate` | frames |", "| `twoway-deflate` | frames, http |", "brings ['http'], which it does not"),
        ("| markupsafe, werkzeug |", "| nothing |", "brings ['werkzeug']"),
    ],
)
def test_table_of_installations_that_says_something_else(tree, run, old, new, message):
    replace(tree / "docs/install.md", old, new)
    result = run("check_style", "install-table")
    assert result.returncode == 1
    assert message in result.stdout


@pytest.mark.parametrize("name", ["12.feature.md", "threads.added.md", "12.added.rst", "added.md"])
def test_changelog_fragment_that_towncrier_would_leave_out(tree, run, name):
    (tree / "changes" / name).write_text("Something new.\n", encoding="utf-8")
    result = run("check_style", "fragments")
    assert result.returncode == 1
    assert f"changes/{name}: the name is not" in result.stdout


def test_empty_changelog_fragment(tree, run):
    (tree / "changes/12.added.md").touch()
    result = run("check_style", "fragments")
    assert result.returncode == 1
    assert "changes/12.added.md: is empty" in result.stdout


def test_new_package_needs_one_command(tree, run):
    new = tree / "packages/twoway-novel"
    code = new / "src/twoway/novel"
    code.mkdir(parents=True)
    (code / "py.typed").touch()
    (code / "__init__.py").write_text('"""A piece."""\n\nimport twoway.frames\n', encoding="utf-8")
    text = (tree / "packages/twoway-frames/pyproject.toml").read_text(encoding="utf-8")
    version = next(line for line in text.splitlines() if line.startswith("version = ")).split('"')[1]
    text = text.replace('name = "twoway-frames"', 'name = "twoway-novel"')
    (new / "pyproject.toml").write_text(
        text.replace("dependencies = []", f'dependencies = ["twoway-frames=={version}"]'), encoding="utf-8"
    )
    assert run("check_style", "sync").returncode == 1
    assert run("sync").returncode == 0
    result = run("check_style", *CHECKS)
    # Nothing is left but to measure it.
    assert "has no row for pip install twoway-novel" in result.stdout
    assert "1 failed install-table" in result.stdout
    assert (new / "LICENSE").read_bytes() == (tree / "LICENSE").read_bytes()
    assert (tree / "docs/reference/novel.md").is_file()
    assert f'"twoway-novel=={version}"' in (tree / "packages/twoway/pyproject.toml").read_text(encoding="utf-8")
