"""The page of features says what the marks of the tests say, and its tool notices what is wrong."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def matrix(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module("feature_matrix")


@pytest.fixture
def collected(matrix, tmp_path):
    """Collect the marks of one test file."""

    def collected(source, path="packages/twoway-asyncio/tests/test_x.py"):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
        return matrix.collect(tmp_path)

    return collected


def test_the_page_is_what_the_marks_say(matrix):
    marks = matrix.collect(ROOT)
    assert list(matrix.problems(marks)) == []
    assert (ROOT / matrix.PAGE).read_text(encoding="utf-8") == matrix.render(marks)
    readme = (ROOT / matrix.README).read_text(encoding="utf-8")
    assert readme == matrix.render_readme(readme, marks)
    assert "| send pings | ✓ | ✓ | ✓ |" in readme


def test_the_readme_keeps_what_stands_around_the_table(matrix):
    text = f"before\n{matrix.BEGIN}\nold\n{matrix.END}\nafter\n"
    new = matrix.render_readme(text, [])
    assert new.startswith(f"before\n{matrix.BEGIN}\n| feature |")
    assert new.endswith(f"|\n{matrix.END}\nafter\n")
    assert matrix.render_readme(new, []) == new


@pytest.mark.parametrize(
    ("path", "column"),
    [
        ("packages/twoway-asyncio/tests/test_x.py", "asyncio"),
        ("packages/twoway-threading/tests/test_x.py", "threading"),
        ("packages/twoway-protocol/tests/test_x.py", "Sans-I/O"),
        ("packages/twoway-deflate/tests/deep/test_x.py", "Sans-I/O"),
        ("tests/integration/test_x.py", ""),
    ],
)
def test_the_column_is_that_of_the_package(collected, path, column):
    marks = collected('@pytest.mark.feature("send pings")\nasync def test_a():\n    pass\n', path)
    assert [(mark.row, mark.column, mark.path, mark.test) for mark in marks] == [("send pings", column, path, "test_a")]


def test_a_mark_may_name_columns_and_a_test_have_several_marks(collected):
    marks = ['@pytest.mark.feature("broadcast")', '@pytest.mark.feature("logging", "asyncio", "Sans-I/O")']
    marks = [(mark.row, mark.column) for mark in collected("\n".join([*marks, "def test_a(): pass"]))]
    assert marks == [("broadcast", "asyncio"), ("logging", "Sans-I/O"), ("logging", "asyncio")]


def test_what_is_no_test_proves_nothing(collected):
    assert (
        collected('@pytest.mark.feature("logging")\ndef helper(): pass\n\n\n@pytest.mark.slow\ndef test_a(): pass\n')
        == []
    )


@pytest.mark.parametrize(
    ("mark", "says"),
    [
        ('"no such thing"', "there is no feature 'no such thing'"),
        ('"logging", "gevent"', "needs one of the columns asyncio, Sans-I/O, threading, not 'gevent'"),
        ('"SOCKS proxies", "Sans-I/O"', "'SOCKS proxies' is '–' for Sans-I/O; claim it, or mark no test"),
        ('"graceful shutdown", "Sans-I/O"', "'graceful shutdown' is '–' for Sans-I/O; claim it, or mark no test"),
    ],
)
def test_wrong_marks_are_told(matrix, collected, mark, says):
    marks = collected(f"@pytest.mark.feature({mark})\ndef test_a(): pass\n")
    told = [problem for problem in matrix.problems(marks) if "::test_a" in problem]
    assert len(told) == 1
    assert told[0].endswith(says)


def test_a_claim_without_a_test_is_told(matrix):
    assert "'send pings' is claimed for Sans-I/O, but no test proves it" in matrix.problems([])
    marks = [matrix.Mark("send pings", "Sans-I/O", "path", "test_a")]
    assert "'send pings' is claimed for Sans-I/O, but no test proves it" not in matrix.problems(marks)


def test_a_row_counts_its_tests_and_names_them(matrix):
    marks = [matrix.Mark("send pings", "Sans-I/O", "path", f"test_{name}") for name in "ab"]
    page = matrix.render(marks)
    assert "\n| send pings | no test | 2 | no test |\n" in page
    assert "\n<dd>Sans-I/O: <code>path</code> b</dd>\n" in page
    assert "\n| SOCKS proxies | no test | – | no test |\n" in page
