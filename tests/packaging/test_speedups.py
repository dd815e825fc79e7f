"""The one compiled piece: its wheel, the empty shell where nothing can be compiled, and the checks of both."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = """
import twoway.frames, twoway.speedups
print(twoway.frames.IMPLEMENTATION, twoway.speedups.WHY_NOT)
"""
needs_unix = pytest.mark.skipif(sys.platform == "win32", reason="NOT TESTED HERE: CC is not looked at on Windows")

# A fixture that builds, or runs a tool of the copy.
Build = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def build(tree: Path) -> Build:
    """Build the wheel from the sources, with these variables; into the folder ``dist``."""

    def build_wheel(**variables: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TWOWAY")}
        return subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tree / "dist"), "."],
            cwd=tree / "packages/twoway-speedups",
            env={**clean, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    return build_wheel


def use(wheel: Path, tree: Path) -> str:
    """Import the piece from a wheel and the codec from the sources; give what they say."""
    place = tree / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    path = os.pathsep.join([str(place), str(tree / "packages/twoway-frames/src")])
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TWOWAY")}
    command = [sys.executable, "-W", "error", "-c", PROGRAM]
    return subprocess.run(
        command, cwd=tree, env={**clean, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_wheel_is_for_this_python_and_has_no_sources(tree: Path, build: Build) -> None:
    (tree / "packages/twoway-speedups/src/twoway/speedups/_frames.cpython-39-x86_64-linux-gnu.so").write_bytes(b"old")
    assert build(TWOWAY_REQUIRE_SPEEDUPS="1").returncode == 0
    (wheel,) = (tree / "dist").iterdir()
    version = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert f"-{version}-{version}{getattr(sys, 'abiflags', '')}-" in wheel.name
    suffixes = sorted(Path(name).suffix for name in zipfile.ZipFile(wheel).namelist() if name.startswith("twoway/"))
    assert suffixes in ([".py", ".pyi", ".so", ".typed"], [".py", ".pyd", ".pyi", ".typed"])
    assert use(wheel, tree) == "compiled None"


@needs_unix
def test_without_a_compiler_it_is_an_empty_shell_that_says_why(tree: Path, build: Build) -> None:
    result = build(CC="/nonexistent/cc")
    assert result.returncode == 0
    assert "twoway-speedups was not compiled for Python" in result.stdout
    (wheel,) = (tree / "dist").iterdir()
    assert wheel.name.endswith("-py3-none-any.whl")
    said = use(wheel, tree)
    assert said.startswith("pure twoway-speedups was not compiled for Python")
    assert "/nonexistent/cc" in said
    assert "pip install --no-cache-dir --force-reinstall twoway-speedups" in said


@needs_unix
def test_a_variable_makes_that_an_error(tree: Path, build: Build) -> None:
    result = build(CC="/nonexistent/cc", TWOWAY_REQUIRE_SPEEDUPS="1")
    assert result.returncode != 0
    assert "TWOWAY_REQUIRE_SPEEDUPS=1 makes that an error" in result.stdout
    assert not list((tree / "dist").glob("*.whl"))


def test_broken_sources_are_a_shell_too(tree: Path, build: Build) -> None:
    (tree / "packages/twoway-speedups/c/mask.c").write_text("#error broken\n", encoding="utf-8")
    assert build().returncode == 0
    assert [path.name.endswith("-py3-none-any.whl") for path in (tree / "dist").iterdir()] == [True]


def add(wheel: Path, name: str) -> None:
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(name, b"")


def retag(wheel: Path, tag: str) -> None:
    wheel.rename(wheel.with_name("-".join([*wheel.name.split("-")[:2], tag]) + ".whl"))


@pytest.mark.parametrize(
    ("portion", "spoil", "argument", "message"),
    [
        ("frames", add, "twoway/frames/_x.so", "holds compiled code without a build hook"),
        ("frames", retag, "cp311-cp311-linux_x86_64", "is not tagged py3-none-any"),
        ("speedups", add, "twoway/speedups/mask.c", "holds sources of compiled code"),
        ("speedups", retag, "py3-none-any", "is tagged py3-none-any"),
    ],
)
def test_spoilt_wheels_are_found(
    portion: str,
    spoil: Callable[[Path, str], None],
    argument: str,
    message: str,
    built: Path,
    tmp_path: Path,
    run: Build,
) -> None:
    dists = Path(shutil.copytree(built, tmp_path / "dist"))
    (wheel,) = dists.glob(f"twoway_{portion}-*.whl")
    spoil(wheel, argument)
    result = run("check_dists", str(dists))
    assert result.returncode == 1
    assert message in result.stdout


def test_sources_of_compiled_code_elsewhere_are_found(tree: Path, run: Build) -> None:
    (tree / "packages/twoway-http/src/twoway/http/fast.c").touch()
    result = run("check_style", "tree")
    assert result.returncode == 1
    assert "packages/twoway-http/src/twoway/http/fast.c: C sources without a hatch_build.py" in result.stdout


def test_the_version_that_the_codec_expects_is_checked_and_set(tree: Path, run: Build) -> None:
    native = tree / "packages/twoway-frames/src/twoway/frames/_native.py"
    text = native.read_text(encoding="utf-8")
    native.write_text(text.replace('VERSION = "', 'VERSION = "9.'), encoding="utf-8")
    result = run("check_style", "versions")
    assert result.returncode == 1
    assert "_native.py: VERSION is 9." in result.stdout
    assert run("versions", "set", "9.9.1").returncode == 0
    assert 'VERSION = "9.9.1"' in native.read_text(encoding="utf-8")
