"""What stands on the page about the command line is what the command says, and the reference is its help."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from twoway.cli._exits import show_exits

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "howto/command-line.md").read_text(encoding="utf-8")
REFERENCE = (DOCS / "reference/cli.md").read_text(encoding="utf-8")
COMMANDS = ("connect", "probe", "bench", "echo", "serve", "completion")
DEADLINE = 30

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the page is written for a Unix shell")


def blocks(page, kind="console"):
    return re.findall(rf"```{kind}\n(.*?)```", page, re.DOTALL)


def steps(block):
    """Give pairs of command and output."""
    command, *rest = re.split(r"^\$ ", block, flags=re.MULTILINE)
    assert command == ""
    return [each.partition("\n")[::2] for each in rest]


def fits(shown, said):
    """Tell whether output is as shown, where ``...`` stands for anything."""
    pattern = ".*?".join(map(re.escape, re.split(r"\.\.\.", shown)))
    return re.fullmatch(pattern, said, re.DOTALL) is not None


@pytest.fixture
def shell(tmp_path, port, monkeypatch):
    """Have ``twoway`` and ``python`` on the path, and the port replaced in commands and output."""
    for name, program in (("twoway", f"{sys.executable} -m twoway.cli"), ("python", sys.executable)):
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n', encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "guess.py").write_text((DOCS / "examples/guess.py").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    running = []

    def serve(command, shown):
        for process in running:  # one has the port at a time
            process.terminate()
            process.communicate()
        running[:] = [
            subprocess.Popen(
                [*shlex.split(command), "--port", str(port)], stderr=subprocess.PIPE, encoding="utf-8", cwd=tmp_path
            )
        ]
        assert running[0].stderr.readline().replace(str(port), "8765") == shown

    def run(command):
        result = subprocess.run(
            ["sh", "-c", command.replace("8765", str(port))],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            cwd=tmp_path,
            check=False,
        )
        return result.stdout.replace(str(port), "8765")

    run.serve = serve
    run.folder = tmp_path
    yield run
    for process in running:
        process.terminate()
        process.communicate()


def test_the_page(shell):
    done = 0
    for block in blocks(PAGE):
        for command, shown in steps(block):
            if command.startswith(("twoway echo", "twoway serve")):
                shell.serve(command, shown)
            else:
                said = shell(command)
                assert fits(shown, said), f"$ {command}\n{said}"
            done += 1
    assert done == 10


def test_the_conversation_in_a_terminal(shell, port):
    pty = pytest.importorskip("pty")
    (talk,) = [block for block in blocks(PAGE, "text") if block.startswith("Connected to")]
    shell.serve("twoway echo", "Echo server at ws://localhost:8765/  (Ctrl-C stops it)\n")
    own, other = pty.openpty()
    command = ["twoway", "connect", f"ws://localhost:{port}/"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=environment)
    os.close(other)
    text, end = "", time.monotonic() + DEADLINE
    try:
        for line in talk.splitlines():
            if line.startswith("> "):
                os.write(own, f"{line[2:]}\r".encode())
                continue
            before = line.partition("...")[0].replace("8765", str(port))
            while before not in text:
                assert time.monotonic() < end, text
                data = os.read(own, 65536).decode()
                if "\x1b[6n" in data:  # where is the cursor?
                    os.write(own, b"\x1b[1;1R")
                text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", text + data)
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(own)


def test_the_exit_statuses():
    rows = re.findall(r"^\| ([0-9]+) \| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == show_exits()


def test_the_program_is_shown_as_it_is():
    (shown,) = re.findall(r'```python title="docs/examples/guess.py"\n(.*?)```', PAGE, re.DOTALL)
    assert shown == (DOCS / "examples/guess.py").read_text(encoding="utf-8")


def test_the_reference_is_the_help(shell):
    shown = {command: output for block in blocks(REFERENCE) for command, output in steps(block)}
    assert set(shown) == {"twoway --help", *(f"twoway {name} --help" for name in COMMANDS)}
    for command, output in shown.items():
        # Where lines break is up to click.
        assert "".join(shell(command).split()) == "".join(output.split()), command
