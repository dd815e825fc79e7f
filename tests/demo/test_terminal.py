"""What the terminal client prints."""

from __future__ import annotations

import pytest


@pytest.fixture
def terminal(load):
    return load("terminal")


@pytest.mark.parametrize(
    ("message", "lines"),
    [
        ({"type": "joined", "name": "Bob", "people": ["Bob"]}, ["* Bob joined."]),
        ({"type": "left", "name": "Bob", "people": []}, ["* Bob left."]),
        ({"type": "error", "text": "Not so fast."}, ["* Not so fast."]),
    ],
)
def test_notices(terminal, message, lines):
    assert terminal.describe(message) == lines


def test_welcome_shows_history_and_people(terminal):
    line = {"name": "Ada", "text": "Hello", "at": 0}
    first, second = terminal.describe({"type": "welcome", "name": "Bob", "people": ["Ada", "Bob"], "history": [line]})
    assert first.endswith(" Ada: Hello")
    assert second.startswith("* You are Bob. Here: Ada, Bob.")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\r\nlines", r"two\r\nlines"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eright to left", r"\u202eright to left"),
        ("\ud800", r"\ud800"),
    ],
)
def test_nothing_controls_the_terminal(terminal, text, shown):
    assert terminal.escape(text) == shown
