"""The page about conformance says what is committed, and what is committed is what the page promises."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def summary(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests" / "conformance")
    return importlib.import_module("summary")


@pytest.fixture
def expected(summary):
    return json.loads(summary.EXPECTED.read_text(encoding="utf-8"))


def test_the_page_shows_the_result(summary, expected):
    page = summary.PAGE.read_text(encoding="utf-8")
    assert summary.rewrite(page, expected) == page
    assert "| all | | 517 | 514 OK, 3 INFORMATIONAL | 514 OK, 3 INFORMATIONAL |" in page


def test_every_case_is_there_for_both_sides_and_good(summary, expected):
    assert expected.keys() == {"server", "client"}
    assert expected["server"].keys() == expected["client"].keys()
    assert {int(case.split(".")[0]) for case in expected["server"]} == set(summary.SECTIONS)
    assert {verdict for side in expected.values() for verdict in side.values()} == {"OK", "INFORMATIONAL"}


def test_a_verdict_that_is_not_good_would_show(summary):
    results = {"1.1": "OK", "1.2": "FAILED", "9.1": "OK, close WRONG CODE"}
    table = summary.render({"server": results, "client": {"1.1": "OK"}})
    assert "| 1 | messages of every length | 2 | 1 OK, 1 FAILED | 1 OK |" in table
    assert "| 9 | large messages, many frames | 1 | 1 OK, close WRONG CODE |  |" in table
