"""The example of the README is executed, and does what the README says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"

pytestmark = pytest.mark.skipif(not README.exists(), reason="NOT TESTED HERE: the tests were copied without the README")


@pytest.fixture
def blocks() -> dict[str, str]:
    return dict(re.findall(r"^```(\w+)\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))


def test_the_example_prints_what_the_readme_shows(blocks: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(blocks["python"], str(README), "exec"), {})
    assert capsys.readouterr().out == blocks["text"]


def test_the_example_is_short(blocks: dict[str, str]) -> None:
    assert len(blocks["python"].splitlines()) < 15
