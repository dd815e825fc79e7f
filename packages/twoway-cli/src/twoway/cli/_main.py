"""The command itself: which commands it has."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import click

# Name -> module, which has a command of that name, and what it does: help shows it without importing all of them.
_COMMANDS = {
    "connect": ("_connect", "Talk to a server: in a terminal, or in a pipe."),
    "probe": ("_probe", "Explain a connection step by step, and what is wrong with it."),
    "bench": ("_bench", "Measure rate and latency of an echo server."),
    "echo": ("_echo", "Run a server that sends every message back."),
    "serve": ("_serve", "Run a server that starts a program for each connection."),
    "completion": ("_completion", "Print what makes a shell complete commands and options."),
}

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Commands(click.Group):
    """Be a group that imports a command when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names, in the order of the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f".{_COMMANDS[cmd_name][0]}", __package__)
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, meaning) for name, (_, meaning) in _COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write where to begin."""
        with formatter.section("To begin"):
            formatter.write("  $ twoway echo                          a server to play with, in one terminal\n")
            formatter.write("  $ twoway connect ws://localhost:8765   talk to it, in another one\n")
            formatter.write("  $ twoway connect --help                each command has examples\n")


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    import platform
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("twoway-cli")
    except PackageNotFoundError:  # run from the sources, without an installation
        number = "(not installed)"
    click.echo(f"twoway {number} on {platform.python_implementation()} {platform.python_version()}")
    ctx.exit()


@click.group(cls=_Commands, context_settings=_SETTINGS)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def twoway() -> None:
    """
    WebSocket at the command line: talk to a server, run one, measure one, and find out what is wrong with one.

    Nothing needs a configuration file. The exit status tells how a connection ended: see twoway connect --help.
    """


def main(args: Sequence[str] | None = None) -> None:
    """
    Run the command ``twoway``, and leave the program with its exit status.

    Args:
        args: Arguments, without the name of the program; None takes those of this process.

    Raises:
        SystemExit: Always, at the end.
    """
    twoway.main(args, prog_name="twoway")
