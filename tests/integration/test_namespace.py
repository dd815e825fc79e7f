"""What the pieces look like from outside, in fresh interpreters: light, public, and without what they must not use."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(ROOT.glob("packages/twoway-*/pyproject.toml"))
PYPROJECTS = {path.parent.name: tomllib.loads(path.read_text(encoding="utf-8")) for path in FILES}
PORTIONS = {name: f"twoway.{name.removeprefix('twoway-')}" for name in PYPROJECTS}
DRIVERS = {name for name, each in PYPROJECTS.items() if each.get("tool", {}).get("twoway", {}).get("performs-io")}
IO_MODULES = {"asyncio", "selectors", "socket", "ssl", "subprocess", "threading"}


def interpreter(program: str, *arguments: str):
    command = [sys.executable, "-W", "error", "-c", program, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_no_namespace_file():
    assert interpreter("import json, twoway; print(json.dumps(getattr(twoway, '__file__', None)))") is None


@pytest.mark.parametrize("name", sorted(PORTIONS.keys() - DRIVERS))
def test_importing_brings_no_io_module(name):
    program = """
import json, sys
before = set(sys.modules)
__import__(sys.argv[1])
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    assert not IO_MODULES & set(interpreter(program, PORTIONS[name]))


@pytest.mark.parametrize("name", PORTIONS)
def test_public_names(name):
    program = """
import importlib, json, sys
package = importlib.import_module(sys.argv[1])
found = {name: getattr(package, name) for name in package.__all__}
public = {name: each.__module__ for name, each in found.items() if isinstance(each, type)}
print(json.dumps({"all": package.__all__, "modules": public}))
"""
    report = interpreter(program, PORTIONS[name])
    assert len(set(report["all"])) == len(report["all"]), "a name is in __all__ twice"
    # A private module in a traceback or in a pickle would be a promise to keep it.
    private = {each: module for each, module in report["modules"].items() if "._" in str(module)}
    assert not private
