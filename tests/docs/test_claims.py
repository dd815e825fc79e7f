"""The page on what is new says what its programs print, and its tests exist."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def claims(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module("claims")


@pytest.mark.timeout(180)  # they wait, most of them, and beside other tests for their turn
@pytest.mark.skipif(sys.platform != "linux", reason="one of them looks at memory as Linux shows it")
def test_the_page_says_what_the_programs_print(claims):
    assert claims.differences(["twoway"]) == {}


def test_every_program_is_on_the_page_and_run_with_twoway(claims):
    shown = {command for library, command, _ in claims.claims() if library == "twoway"}
    programs = {path.name for path in (ROOT / "docs" / "examples" / "claims").glob("*.py")} - {"libraries.py"}
    assert shown == {f"docs/examples/claims/{name}" for name in programs}


def test_a_difference_is_noticed(claims, monkeypatch):
    monkeypatch.setattr(claims, "claims", lambda: iter([("twoway", "docs/examples/claims/a_day.py", "a week\n")]))
    ((command, (said, seen)),) = claims.differences(["twoway"]).items()
    assert (command, said) == ("docs/examples/claims/a_day.py", "a week\n")
    assert seen.startswith("after a day: OPEN")


def test_the_tests_that_the_page_names_exist(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    find_test = importlib.import_module("rfc_map").find_test
    page = (ROOT / "docs" / "explanation" / "what-is-new.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py::\w+)`", page)
    assert len(named) > 4
    assert [name for name in named if not find_test(ROOT, name)] == []
