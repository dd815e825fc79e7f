from __future__ import annotations

import pytest

from twoway.cli._screen import Screen, describe_bytes


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"", "(0 bytes)"),
        (b"\x00", "(1 byte) 00"),
        (b"\x1b[", "(2 bytes) 1b 5b"),
        (b"a" * 65, f"(65 bytes) {'61 ' * 64}..."),
    ],
)
def test_bytes(data, shown):
    assert describe_bytes(data) == shown


@pytest.mark.parametrize("message", ["[bold]x[/bold]", "[red", ":smile:", "http://x.example", '{"a": [1, null]}'])
def test_messages_are_shown_as_they_are(capsys, message):
    Screen().show(message)
    assert capsys.readouterr().out == f"< {message}\n"


def test_lines_of_a_message_are_no_messages(capsys):
    Screen().show("a\n< b\tc\r")
    assert capsys.readouterr().out.split("\n") == ["< a", "  < b   c\\r", ""]


def test_long_messages_are_cut(capsys):
    Screen(marks=False).show("x" * 1_000_000)
    assert capsys.readouterr().out == "x" * 10_000 + " ... (1,000,000 characters in all)\n"
