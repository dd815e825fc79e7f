"""Text of strangers, made harmless for a terminal."""

from __future__ import annotations

import unicodedata

# Control and format characters move the cursor, hide text or turn it around; surrogates cannot be written; the
# separators would be lines that nobody sent. Private-use characters stay: they are icons in many fonts.
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Without the joiners, emoji and some scripts fall apart; with them nothing else changes.
_HARMLESS = frozenset("\u200c\u200d")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape(text: str, keep: str = "") -> str:
    r"""
    Replace what a terminal would obey instead of show.

    Args:
        text: Any text.
        keep: Characters that stay as they are.

    Returns:
        The text, with ``\x1b`` for an escape character, and so on.

    Cost:
        Nothing but a look for printable text.
    """
    if text.isprintable():
        return text
    return "".join(each if each in keep or not _is_harmful(each) else _escape(each) for each in text)


def shorten(text: str, limit: int = 200) -> str:
    """
    Bring a text of somebody else on one line.

    Args:
        text: Any text.
        limit: Largest length, in characters.

    Returns:
        Its beginning, escaped.
    """
    line = escape(" ".join(text.split()))
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def _is_harmful(character: str) -> bool:
    return unicodedata.category(character) in _HARMFUL and character not in _HARMLESS


def _escape(character: str) -> str:
    return _SHORT.get(character) or character.encode("unicode_escape").decode("ascii")
