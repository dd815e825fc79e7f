"""The page about security says what the tests show and what the code has for defaults."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

import twoway.asyncio
import twoway.threading
from twoway.auth import Redirects
from twoway.http import HTTPLimits

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"
FIXED = ("max_headers", "max_fragments", "max_queue", "limit")


@pytest.fixture
def threats(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module("threats")


def rows() -> dict[str, str]:
    """Give the table of limits: setting -> default."""
    text = PAGE.read_text(encoding="utf-8").split("## Limits")[1].split("##")[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|", text, re.MULTILINE))


def show(name: str, value: float | None) -> str:
    if value is None:
        return "none"
    if name.rpartition(".")[2] in FIXED:
        return str(value)
    if "timeout" in name or name in ("ping_interval", "idle_release"):
        return f"{value} s"
    return f"{value >> 20} MiB" if value >= 1 << 20 else f"{value >> 10} KiB"


def defaults(call) -> dict[str, object]:
    return {name: parameter.default for name, parameter in inspect.signature(call).parameters.items()}


@pytest.mark.parametrize("module", [twoway.asyncio, twoway.threading])
@pytest.mark.parametrize("call", ["serve", "connect"])
def test_the_limits_are_those_of_the_code(module, call):
    found = defaults(getattr(module, call))
    table = {name: value for name, value in rows().items() if "." not in name and name in found}
    assert table == {name: show(name, found[name]) for name in table}
    assert len(table) >= 10
    # Nothing that is a limit is left out.
    limits = {name for name in found if name.startswith("max_") or name.endswith(("_timeout", "_limit", "_interval"))}
    assert limits - {"max_attempts", "max_threads"} <= set(table)


def test_the_other_limits_are_those_of_the_code_too():
    table = {name: value for name, value in rows().items() if "." in name}
    classes = {"HTTPLimits": HTTPLimits, "Redirects": Redirects}
    for name, value in table.items():
        kind, _, attribute = name.partition(".")
        assert value == show(name, defaults(classes[kind])[attribute])
    assert {name.partition(".")[2] for name in table} == {*defaults(HTTPLimits), "limit"}


def test_every_threat_has_a_test_and_every_test_its_threat(threats):
    tests = threats.collect(ROOT)
    assert list(threats.problems(ROOT, tests)) == []
    page = PAGE.read_text(encoding="utf-8")
    assert page == threats.render(page, tests)
    assert "| **masking** | Frames of a client without a mask" in page


def test_what_is_missing_is_told(threats):
    told = list(threats.problems(ROOT, {"masking": ["path::test_a"], "nonsense": ["path::test_b"]}))
    assert "'lengths' is claimed, but no test proves it" in told
    assert "'masking' is claimed, but no test proves it" not in told
    assert "path::test_b: there is no threat 'nonsense'" in told
    assert "tests/adversary/test_frames.py::test_a_length_is_what_it_must_be names no threat" in told
