"""``twoway completion``: what makes a shell complete commands and options."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from ._command import Command

_SHELLS = ("bash", "zsh", "fish")

_EXAMPLES = (
    ('eval "$(twoway completion bash)"', "Now, in this shell; put the line into ~/.bashrc for all:"),
    ("twoway completion fish > ~/.config/fish/completions/twoway.fish", "For fish:"),
)


@click.command(cls=Command, short_help="Print what makes a shell complete commands and options.", examples=_EXAMPLES)
@click.argument("shell", type=click.Choice(_SHELLS), required=False)
def completion(shell: str | None) -> None:
    """
    Print a script that makes the Tab key complete commands, options and files.

    SHELL is bash, zsh or fish; without it, the shell that you use. bash has to be 4.4 or newer.
    """
    from ._main import twoway

    shell = shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(shell) if shell in _SHELLS else None
    if kind is None:
        raise click.UsageError(f"Which shell? Give one of {', '.join(_SHELLS)}.")
    click.echo(kind(twoway, {}, "twoway", "_TWOWAY_COMPLETE").source())
