"""Which implementation is used, and that nobody gets the slow one by accident."""

from __future__ import annotations

import os
import sys
from types import ModuleType

import pytest

import twoway
from twoway.http import _grammar, _head, _native

COMPILED = "twoway.speedups._frames"


class Compiled(ModuleType):
    """Stand for the compiled module; no test here needs a compiler."""

    VERSION = _native.VERSION

    def __init__(self) -> None:
        super().__init__(COMPILED)
        self.bound: dict[str, object] = {}

    def bind_http(self, **names: object) -> None:
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


def test_what_is_used_is_what_this_run_of_the_tests_is_for() -> None:
    twins = [getattr(_native, name) for name in _native.__all__]
    pure = [hasattr(twin, "__code__") for twin in twins]
    assert len(set(pure)) == 1
    expected = os.environ.get("TWOWAY_TEST_IMPLEMENTATION")
    assert expected in (None, "pure" if pure[0] else "compiled")


def test_compiled_twins_are_used_where_there_are_some(compiled: Compiled) -> None:
    assert _native.load() is compiled
    assert set(compiled.bound) == {"KNOWN", "check_request", "split_host"}
    assert compiled.bound["KNOWN"] is _head.KNOWN
    assert compiled.bound["split_host"] is _grammar.split_host


@pytest.mark.parametrize(("value", "used"), [("1", False), ("0", True), ("", True)])
def test_a_variable_forces_the_pure_ones(
    value: str, used: bool, compiled: Compiled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOWAY_PURE", value)
    assert (_native.load() is compiled) is used


def test_twins_take_the_place_of_the_references(compiled: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _native.__all__:
        monkeypatch.setattr(compiled, name, name, raising=False)
    assert _native.find_twins(compiled) == {name: name for name in _native.__all__}
    assert _native.find_twins(None) == {}


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
