"""How help looks: options in sections, examples and exit statuses below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

_LAST = "Help"
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Option(click.Option):
    """
    Be an option that stands in a section of the help.

    Args:
        section: Heading of the section.
        **kwargs: As for ``click.Option``.
    """

    def __init__(self, *args: Any, section: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


class Command(click.Command):
    """
    Be a command whose help teaches.

    Args:
        examples: Pairs of a command line and what it does.
        tables: Further headings, and pairs for each.
        **kwargs: As for ``click.Command``.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[tuple[str, str]] = (),
        tables: Sequence[tuple[str, Sequence[tuple[str, str]]]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._examples = examples
        self._tables = tables

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, those of each section together, in the order in which the sections first come."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", _LAST), []).append(record)
        sections[_LAST] = sections.pop(_LAST)  # that of --help
        for heading, records in sections.items():
            _write_table(formatter, heading, records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples and tables."""
        if self._examples:
            with formatter.section("Examples"):
                for line, meaning in self._examples:
                    formatter.write(f"  {meaning}\n    $ {line}\n")
        for heading, rows in self._tables:
            _write_table(formatter, heading, rows)


def _write_table(formatter: click.HelpFormatter, heading: str, rows: Sequence[tuple[str, str]]) -> None:
    with formatter.section(heading):
        formatter.write_dl(list(rows), col_max=26)


def option(*names: str, **kwargs: Any) -> Callable[[_Function], _Function]:
    """
    Add an `Option` to a command.

    Args:
        *names: As for ``click.option``.
        **kwargs: The same, and ``section``.

    Returns:
        A decorator.
    """
    return click.option(*names, cls=Option, **kwargs)


def together(*decorators: Callable[[_Function], _Function]) -> Callable[[_Function], _Function]:
    """
    Make one decorator of several.

    Args:
        *decorators: In the order in which help shows their options.

    Returns:
        A decorator.
    """

    def decorate(function: _Function) -> _Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate
