from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_example_does_what_it_says(start, run):
    server, client = re.findall(
        r"```console\n\$ (twoway echo.*?|echo .*?)```", README.read_text(encoding="utf-8"), re.DOTALL
    )
    command, said = server.splitlines()
    _, line = start(*command.split()[1:], "--port", "0")
    port = re.search(r":(\d+)/", line)[1]
    assert line.rstrip("\n").replace(port, "8765") == said
    command, answer = client.splitlines()
    text, arguments = re.match(r"echo (.*) \| twoway (.*)", command).groups()
    result = run(*arguments.replace("8765", port).split(), input=f"{text}\n")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{answer}\n", "")


def test_each_command_is_listed():
    from twoway.cli._main import _COMMANDS

    assert set(_COMMANDS) == set(re.findall(r"^\| `twoway ([a-z]+)", README.read_text(encoding="utf-8"), re.MULTILINE))
