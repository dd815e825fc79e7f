"""The check of the built distributions fails for each thing that must not be published."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

Files = dict[str, bytes]


@pytest.fixture
def dists(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "dist"))


def rewrite(folder: Path, name: str, change: Callable[[Files], None]) -> None:
    """Change the files of one wheel; its RECORD is not looked at here."""
    path = next(folder.glob(f"{name}-*.whl"))
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in files.items():
            archive.writestr(each, data)


def ending(files: Files, end: str) -> str:
    return next(name for name in files if name.endswith(end))


def add_namespace_init(files: Files) -> None:
    files["twoway/__init__.py"] = b""


def add_other_portion(files: Files) -> None:
    files["twoway/frames/_extra.py"] = b""


def drop_py_typed(files: Files) -> None:
    del files[ending(files, "py.typed")]


def drop_licence(files: Files) -> None:
    del files[ending(files, "LICENSE")]


def change_licence(files: Files) -> None:
    files[ending(files, "LICENSE")] += b"!"


def loosen_pin(files: Files) -> None:
    name = ending(files, "METADATA")
    files[name] = files[name].replace(b"twoway-frames==", b"twoway-frames>=")


def drop_requirement(files: Files) -> None:
    name = ending(files, "METADATA")
    lines = files[name].splitlines(keepends=True)
    files[name] = b"".join(line for line in lines if b"twoway-frames" not in line)


def add_requirement(files: Files) -> None:
    name = ending(files, "METADATA")
    files[name] = files[name].replace(b"Requires-Dist: ", b"Requires-Dist: twoway-auth\nRequires-Dist: ", 1)


def change_python(files: Files) -> None:
    name = ending(files, "METADATA")
    files[name] = files[name].replace(b"Requires-Python: >=3.11", b"Requires-Python: >=3.8")


def test_sound_distributions_pass(dists, run):
    result = run("check_dists", str(dists))
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (add_namespace_init, "twoway/__init__.py"),
        (add_other_portion, "twoway/frames/_extra.py"),
        (drop_py_typed, "py.typed"),
        (drop_licence, "has no LICENSE"),
        (change_licence, "one that differs"),
        (loosen_pin, "does not pin its siblings exactly"),
        (drop_requirement, "its pyproject.toml says otherwise"),
        (add_requirement, "its pyproject.toml says otherwise"),
        (change_python, "Requires-Python is '>=3.8'"),
    ],
)
def test_spoilt_wheel(dists, run, change, message):
    rewrite(dists, "twoway_protocol", change)
    result = run("check_dists", str(dists))
    assert result.returncode == 1
    assert "twoway_protocol-" in result.stdout
    assert message in result.stdout


def test_missing_wheel(dists, run):
    next(dists.glob("twoway_http-*.whl")).unlink()
    result = run("check_dists", str(dists))
    assert result.returncode == 1
    assert "twoway-http" in result.stdout


def test_sdist_without_tests(dists, run, tmp_path):
    path = next(dists.glob("twoway_frames-*.tar.gz"))
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path, filter="data")
    root = tmp_path / path.name.removesuffix(".tar.gz")
    shutil.rmtree(root / "tests")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(root, root.name)
    result = run("check_dists", str(dists))
    assert result.returncode == 1
    assert "holds no tests" in result.stdout


def test_sdist_with_litter(dists, run, tmp_path):
    path = next(dists.glob("twoway_frames-*.tar.gz"))
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path, filter="data")
    root = tmp_path / path.name.removesuffix(".tar.gz")
    (root / ".gitignore").touch()
    with tarfile.open(path, "w:gz") as archive:
        archive.add(root, root.name)
    result = run("check_dists", str(dists))
    assert result.returncode == 1
    assert "holds what a checkout or a test run left there: ['.gitignore']" in result.stdout
