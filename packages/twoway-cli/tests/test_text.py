from __future__ import annotations

import pytest

from twoway.cli._text import escape, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("héllo, wörld ✓ 日本", "héllo, wörld ✓ 日本"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\u2028next", "\\u2028next"),
        ("\ud800", "\\ud800"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("\ue0b0 an icon", "\ue0b0 an icon"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text, shown):
    assert escape(text) == shown


def test_what_is_wanted_is_kept():
    assert escape("a\nb\x1b", keep="\n") == "a\nb\\x1b"


def test_shorten():
    assert shorten("  two\n lines ") == "two lines"
    assert shorten("x" * 300, 10) == "xxxxxxx..."
