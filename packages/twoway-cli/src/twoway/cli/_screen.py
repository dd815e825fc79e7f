"""What people see: messages and notices, in colours, with nothing in them that a terminal would obey."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ._text import escape

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

# Bytes of a binary message that are shown, and characters of a text: nobody reads more of it in a terminal.
_SHOWN = 64
_MOST = 10_000


class Screen:
    """
    Write for people.

    Args:
        marks: Whether messages have a mark in front, because other lines stand between them.
        terminal: True to write colours without asking what standard output is.
    """

    def __init__(self, marks: bool = True, terminal: bool | None = None) -> None:
        from rich.console import Console

        self._marks = marks
        self._console = Console(file=sys.stdout, highlight=False, force_terminal=terminal, soft_wrap=True)

    def show(self, message: str | bytes) -> None:
        """
        Show a message that came.

        Args:
            message: Text or bytes of the peer.
        """
        from rich.text import Text

        line = Text()
        if self._marks:
            line.append("< ", style="bold green")
        line.append_text(self._paint(message))
        self._console.print(line)

    def _paint(self, message: str | bytes) -> Text:
        from rich.highlighter import JSONHighlighter
        from rich.text import Text

        if isinstance(message, bytes):
            return Text(describe_bytes(message), style="magenta")
        # Lines of a message are indented, so that none looks like a message of its own.
        shown = escape(message[:_MOST], keep="\n\t")
        text = Text(shown.replace("\n", "\n  ") if self._marks else shown)
        if message[:1] in ("{", "["):
            JSONHighlighter().highlight(text)
        if len(message) > _MOST:
            text.append(f" ... ({len(message):,} characters in all)", style="dim")
        return text

    def note(self, text: str, style: str = "dim") -> None:
        """
        Show something that no peer said.

        Args:
            text: What to show; of our own making, or escaped.
            style: As rich has them.
        """
        from rich.text import Text

        self._console.print(Text(text, style=style))


def describe_bytes(data: bytes) -> str:
    """
    Show bytes on a line.

    Args:
        data: Any bytes.

    Returns:
        Their number, and the first ones in hexadecimal digits.
    """
    more = " ..." if len(data) > _SHOWN else ""
    unit = "byte" if len(data) == 1 else "bytes"
    return f"({len(data)} {unit}) {data[:_SHOWN].hex(' ')}{more}".rstrip()


def errors() -> Console:
    """
    Make a console on standard error.

    Returns:
        A console of rich; it knows by itself whether to use colours.
    """
    from rich.console import Console

    return Console(file=sys.stderr, highlight=False, soft_wrap=True)
