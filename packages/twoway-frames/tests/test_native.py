"""Which implementation is used, and that nobody gets the slow one by accident."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import twoway
from twoway import frames
from twoway.frames import IMPLEMENTATION, _native

COMPILED = "twoway.speedups._frames"


class Compiled(ModuleType):
    """Stand for the compiled module; no test here needs a compiler."""

    VERSION = _native.VERSION

    def __init__(self) -> None:
        super().__init__(COMPILED)
        self.bound: dict[str, object] = {}

    def bind(self, **names: object) -> None:
        self.bound = names


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Compiled:
    """Put it where Python looks for it."""
    module, parent = Compiled(), ModuleType("twoway.speedups")
    parent.__path__ = []
    monkeypatch.setattr(parent, "_frames", module, raising=False)
    monkeypatch.setattr(twoway, "speedups", parent, raising=False)
    monkeypatch.setitem(sys.modules, "twoway.speedups", parent)
    monkeypatch.setitem(sys.modules, COMPILED, module)
    monkeypatch.delenv("TWOWAY_PURE", raising=False)
    return module


def test_it_tells_which_one_is_used() -> None:
    expected = os.environ.get("TWOWAY_TEST_IMPLEMENTATION", IMPLEMENTATION)  # what this run of the tests is for
    assert expected == IMPLEMENTATION
    twins: list[Any] = [getattr(frames, name) for name in _native.TWINS]
    pure = [hasattr(twin, "__code__") or hasattr(getattr(twin, "__init__", None), "__code__") for twin in twins]
    assert pure == [IMPLEMENTATION == "pure"] * len(twins)


def test_compiled_twins_are_used_where_there_are_some(compiled: Compiled) -> None:
    assert _native.load() is compiled
    assert compiled.bound == _native.BOUND


@pytest.mark.parametrize(("value", "used"), [("1", False), ("0", True), ("", True)])
def test_a_variable_forces_the_pure_ones(
    value: str, used: bool, compiled: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOWAY_PURE", value)
    assert (_native.load() is compiled) is used


@pytest.mark.parametrize("missing", ["twoway.speedups", COMPILED])
def test_nothing_compiled_is_no_error(missing: str, compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither where it is not installed, nor where it was installed without a compiler."""

    class Absent:
        def find_spec(self, name: str, *_: object) -> None:
            if name == missing:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    for name in {COMPILED, missing}:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    assert _native.load() is None


@pytest.mark.parametrize(
    "error",
    [
        ImportError("undefined symbol: PyUnicode_New", name="_frames"),
        ModuleNotFoundError("No module named 'os.path'", name="os.path"),
    ],
)
def test_a_broken_module_is_loud(error: ImportError, compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == COMPILED:
                raise error

    monkeypatch.delitem(sys.modules, COMPILED)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(ImportError, match=r"^twoway\.speedups is installed but cannot be used .*TWOWAY_PURE=1") as info:
        _native.load()
    assert info.value.__cause__ is error


def test_a_module_of_another_version_is_loud(compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "VERSION", "0.0.9", raising=False)
    with pytest.raises(
        ImportError, match=rf"^twoway\.speedups is of version 0\.0\.9, not {_native.VERSION}: reinstall"
    ):
        _native.load()
    assert not compiled.bound


def test_the_variable_works_from_the_start() -> None:
    source = str(Path(frames.__file__).parents[2])
    environment = {**os.environ, "TWOWAY_PURE": "1", "PYTHONPATH": os.pathsep.join([source, *sys.path])}
    program = "import twoway.frames; print(twoway.frames.IMPLEMENTATION)"
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "pure"


def test_twins_for_other_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reference:
        """Say what it is."""

        __slots__ = ()

        def usual(self) -> str:
            return "the reference's"

        def unusual(self) -> str:
            return f"not {self.usual()}"

        @property
        def fact(self) -> int:
            return 1

    class Compiled:
        __slots__ = ()

        def usual(self) -> str:
            return "the twin's"

    bound: dict[str, object] = {}
    monkeypatch.setattr(_native, "_module", None)
    assert _native.get_twins("portion", Reference=Reference, helper=len) == {}
    monkeypatch.setattr(_native, "_module", SimpleNamespace(bind_portion=bound.update, Reference=Compiled, helper=1))
    twins: Any = _native.get_twins("portion", Reference=Reference, helper=len, Unknown=int)
    assert bound == {"Reference": Reference, "helper": len, "Unknown": int}
    assert set(twins) == {"Reference"}
    twin = twins["Reference"]()
    assert isinstance(twin, Compiled)
    assert (twin.usual(), twin.unusual(), twin.fact) == ("the twin's", "not the twin's", 1)
    assert (twins["Reference"].__name__, twins["Reference"].__doc__) == ("Reference", "Say what it is.")
