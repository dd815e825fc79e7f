"""The page on states shows what the programs print, and the diagrams show what the table and the metadata say."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

from twoway.protocol import TRANSITIONS, Cause, State

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "connection-states.md"


@pytest.fixture
def diagrams(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    return importlib.import_module("diagrams")


@pytest.mark.parametrize("program", ["states.py", "endings.py"])
def test_programs_print_what_the_page_says(program):
    source = ROOT / "docs" / "examples" / program
    output = subprocess.run([sys.executable, source], capture_output=True, encoding="utf-8", check=True).stdout
    text = PAGE.read_text(encoding="utf-8")
    assert f'```python title="docs/examples/{program}"\n{source.read_text(encoding="utf-8")}```' in text
    assert f"```text\n{output}```" in text


def test_the_page_explains_every_state_and_cause():
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in (*State.__members__, *Cause.__members__) if not re.search(rf"\b{name}\b", text)] == []


def test_the_diagrams_are_those_of_the_moment(diagrams):
    for name, draw in diagrams.DIAGRAMS.items():
        for theme, colours in diagrams.THEMES.items():
            file = diagrams.FOLDER / f"{name}-{theme}.svg"
            assert file.read_text(encoding="utf-8") == draw(colours), "run tools/diagrams.py --write"


def test_the_diagram_of_states_has_each_of_them_and_each_trigger(diagrams):
    svg = xml.etree.ElementTree.fromstring(diagrams.draw_states(diagrams.THEMES["light"]))
    written = " ".join(text for text in svg.itertext() if text.strip())
    triggers = {trigger for table in TRANSITIONS.values() for trigger in table}
    assert all(state.name in written for state in State)
    assert all(word in written for trigger in triggers for word in trigger.value.split())
    described = svg[0].text
    assert "CONNECTING to CLOSING: opening handshake failed" in described


def test_a_table_that_leads_back_is_not_drawn(diagrams, monkeypatch):
    import twoway.protocol

    back = {**TRANSITIONS, State.CLOSED: {next(iter(TRANSITIONS[State.OPEN])): State.OPEN}}
    monkeypatch.setattr(twoway.protocol, "TRANSITIONS", back)
    with pytest.raises(SystemExit, match="CLOSED leads back to OPEN"):
        diagrams.draw_states(diagrams.THEMES["light"])


def test_the_diagram_of_packages_has_each_of_them(diagrams):
    svg = xml.etree.ElementTree.fromstring(diagrams.draw_packages(diagrams.THEMES["dark"]))
    written = {text for text in svg.itertext() if text.strip()}
    assert {package.name for package in diagrams.portions()} <= written
