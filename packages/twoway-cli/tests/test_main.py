from __future__ import annotations

import subprocess
import sys

import pytest

from twoway.cli import main
from twoway.cli._main import _COMMANDS


def test_help_lists_the_commands(cli):
    result = cli("--help")
    assert result.exit_code == 0
    for name, (_, meaning) in _COMMANDS.items():
        assert f"  {name} " in result.output
        assert meaning in result.output


@pytest.mark.parametrize("name", _COMMANDS)
def test_each_command_teaches(cli, name):
    result = cli(name, "--help")
    assert result.exit_code == 0
    assert f"    $ twoway {name}" in result.output or f"twoway {name} " in result.output.partition("Examples:")[2]


def test_help_and_list_agree(cli):
    from twoway.cli._main import twoway

    for name, (_, meaning) in _COMMANDS.items():
        assert twoway.get_command(None, name).get_short_help_str(200) == meaning


def test_version(cli):
    result = cli("--version")
    assert result.output.startswith("twoway ")
    assert "Python 3." in result.output


def test_an_unknown_command(cli):
    result = cli("conect")
    assert result.exit_code == 2
    assert "No such command 'conect'" in result.stderr


def test_main_leaves_with_the_status():
    with pytest.raises(SystemExit) as caught:
        main(["connect"])
    assert caught.value.code == 2


def test_the_module_is_the_command():
    result = subprocess.run([sys.executable, "-m", "twoway.cli", "--help"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("Usage: twoway [OPTIONS] COMMAND")


def test_help_is_quick():
    program = (
        "import atexit, sys; from twoway.cli import main; atexit.register(lambda: print(*sys.modules)); main(['-h'])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    loaded = set(result.stdout.split())
    assert "click" in loaded
    assert not loaded & {"rich", "prompt_toolkit", "asyncio", "importlib.metadata", "twoway.asyncio"}
