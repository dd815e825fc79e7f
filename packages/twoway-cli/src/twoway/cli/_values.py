"""Arguments with a form of their own: durations, sizes, headers, passwords."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import click

FOREVER = math.inf

_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SCALES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_match_duration = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+) ?(ms|s|m|h|d|)", re.ASCII).fullmatch
_match_size = re.compile(r"([0-9]+) ?([kmg]?)(?:i?b)?", re.ASCII | re.IGNORECASE).fullmatch


class Duration(click.ParamType):  # type: ignore[type-arg]  # older versions of click have none
    """Read a time: ``5``, ``500ms``, ``2m``, ``1h``; ``forever`` gives infinity. The value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Give seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        if value.lower() in ("forever", "inf"):
            return FOREVER
        match = _match_duration(value)
        if match is None:
            self.fail(f"{value!r} is no time: 5, 500ms, 2m, 1h, forever", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


class Size(click.ParamType):  # type: ignore[type-arg]  # older versions of click have none
    """Read a size: ``1000``, ``64k``, ``1M``; units are those of 1024. The value is in bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give bytes."""
        if isinstance(value, int):
            return value
        match = _match_size(value)
        if match is None:
            self.fail(f"{value!r} is no size: 1000, 64k, 1M", param, ctx)
        return int(match[1]) * _SCALES[match[2].lower()]


class Divided(click.ParamType):  # type: ignore[type-arg]  # older versions of click have none
    """
    Read two parts with something between them, such as ``Name: value``.

    Args:
        name: What it is, for errors.
        separator: What is between the parts; blanks around it do not count.
        form: How it looks, for errors.
    """

    def __init__(self, name: str, separator: str, form: str) -> None:
        self.name = name
        self._separator = separator
        self._form = form

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Give the two parts."""
        if isinstance(value, tuple):
            return value
        first, found, second = value.partition(self._separator)
        if not found or not first.strip():
            self.fail(f"{value!r} is not of the form {self._form}", param, ctx)
        return first.strip(), second.strip()


class Secret(click.ParamType):  # type: ignore[type-arg]  # older versions of click have none
    """
    Read what should not be seen in a list of processes: itself, or ``@FILE`` for the first line of a file.

    Args:
        pair: Whether it is user name and password, with a colon between them; without, the password is asked for.
    """

    def __init__(self, pair: bool) -> None:
        self.name = "credentials" if pair else "token"
        self._pair = pair

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | tuple[str, str]:
        """Give a pair, or a text."""
        if isinstance(value, tuple):
            return value
        text = self._read(value[1:], param, ctx) if value.startswith("@") else value
        if not self._pair:
            return str(text)
        username, found, password = text.partition(":")
        if not found:
            password = click.prompt(
                f"Password of {username}", hide_input=True, err=True, default="", show_default=False
            )
        return username, password

    def _read(self, path: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            with Path(path).open(encoding="utf-8") as file:
                return file.readline().rstrip("\r\n")
        except (OSError, UnicodeError) as exc:
            self.fail(f"cannot read {path}: {exc}", param, ctx)


DURATION = Duration()
SIZE = Size()
HEADER = Divided("header", ":", "'Name: value'")
COOKIE = Divided("cookie", "=", "name=value")
CREDENTIALS = Secret(pair=True)
TOKEN = Secret(pair=False)
