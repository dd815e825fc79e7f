"""Compiled twins of what every message and every handshake goes through; those who use them find them themselves."""

from __future__ import annotations

import os

__all__ = ["WHY_NOT"]

_note = os.path.join(os.path.dirname(__file__), "why_not.txt")


def _read_note() -> str | None:
    if not os.path.exists(_note):
        return None
    with open(_note, encoding="utf-8") as file:
        return file.read()


#: What kept the build from compiling anything; None where it compiled.
WHY_NOT: str | None = _read_note()
