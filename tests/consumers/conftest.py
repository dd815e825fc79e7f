"""
Small projects of others, installed as others do: from wheels, each into an environment of its own.

All wheels are built once: ours from their sdists, those of the projects, and, from the index, what third parties have.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "interop"))

from packaging.requirements import Requirement

import _environments
import _workspace

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROJECTS = sorted(path.parent for path in HERE.glob("*/pyproject.toml"))


@pytest.fixture(scope="session")
def dists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every wheel that is needed."""
    folder = tmp_path_factory.mktemp("dists")
    run(str(ROOT / "tools" / "build.py"), str(folder), "--here")
    for project in PROJECTS:
        run("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(project))
    wanted = [str(each) for project in PROJECTS for each in requirements(project) if not _workspace.is_sibling(each)]
    options = ["--quiet", "--only-binary", ":all:", "--dest", str(folder / "third-party")]
    run("-m", "pip", "download", *options, *wanted)
    return folder


def run(*arguments: str) -> None:
    # From elsewhere: at the root, tools and caches would be on the import path.
    result = subprocess.run([sys.executable, *arguments], cwd=HERE, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def requirements(project: Path) -> list[Requirement]:
    table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [Requirement(text) for text in table["dependencies"]]


Environment = Callable[..., Path]


@pytest.fixture(scope="session")
def environment(dists: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Install a project into a new environment; give its folder of programs."""

    @cache
    def environment(requirement: str) -> Path:
        folder = tmp_path_factory.mktemp(re.sub(r"\W+", "-", requirement))
        python = _environments.make(folder / "venv", sys.executable)
        _environments.install(python, dists, [requirement])
        return python.parent

    return environment


Program = Callable[..., str]


@pytest.fixture
def program(environment: Environment, tmp_path: Path) -> Program:
    """Install a project and run its program, far from the sources, as if nothing else were there; give its output."""

    def program(requirement: str, *arguments: str, stdin: str = "") -> str:
        programs = environment(requirement)
        command = [str(programs / requirement.partition("[")[0]), *arguments]
        options = {"cwd": tmp_path, "env": clean(), "input": stdin, "encoding": "utf-8", "timeout": 50}
        result = subprocess.run(command, capture_output=True, check=False, **options)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout

    return program


def clean() -> dict[str, str]:
    """Give the variables of this process without those that lead to what is around it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_environments.FOREIGN)}


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session")
def browser_program() -> str:
    """The browser that the interoperability tests install."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "tests" / "interop" / "install.py")
    assert spec is not None and spec.loader is not None
    install = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(install)
    program: str | None = install.program("a browser")
    if program is None:
        pytest.fail("a browser is not installed; run: python tests/interop/install.py")
    return program


class Served:
    """A server that runs; ``stop`` ends it, and gives what it has logged."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        assert process.stderr is not None
        for line in process.stderr:
            self.lines.append(line)
            if match := re.search(r"running on http://(\S+)", line):
                self.address = match[1]
                return
        raise AssertionError("".join(self.lines))

    def stop(self) -> str:
        if self.process.poll() is None:
            self.process.terminate()
            self.lines.append(self.process.communicate(timeout=20)[1])
        return "".join(self.lines)


@pytest.fixture(scope="session")
def served(environment: Environment) -> Iterator[Served]:
    """The Starlette application, served by uvicorn with its command line."""
    programs = environment("asgi-server")
    command = [str(programs / "uvicorn"), "asgi_server:app", "--port", "0", "--http", "httptools", "--loop", "uvloop"]
    command += ["--ws", "twoway.uvicorn:WebSocketProtocol"]
    process = subprocess.Popen(
        command, env=clean(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8"
    )
    try:
        served = Served(process)
        yield served
        log = served.stop()
        # What is meant to fail is all that fails.
        assert log.count("Traceback") == log.count("LookupError: this is meant to fail")
    finally:
        process.kill()
        process.communicate()
