"""The command in pipes of the system."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "twoway.cli"]


def test_much(run, serving):
    lines = "".join(f"{number}\n" for number in range(20000))
    result = run("connect", serving(), "--count", "20000", input=lines)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == lines


def test_a_long_line_without_end(run, serving):
    line = "x" * 500_000
    result = run("connect", serving(), "--count", "1", input=line)
    assert result.stdout == f"{line}\n"


def test_lines_of_windows(run, serving):
    assert run("connect", serving(), "--count", "2", input="a\r\nb\r\n").stdout == "a\nb\n"


def test_a_reader_that_has_had_enough(serving):
    async def flood(connection):
        while True:
            await connection.send("x" * 1000)

    process = subprocess.Popen(
        [*COMMAND, "connect", serving(flood), "--wait", "forever"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        process.stdout.read(5000)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_standard_input_may_be_closed(serving):
    async def greet(connection):
        await connection.send("hello")

    command = f'exec "$0" -m twoway.cli connect {serving(greet)} --wait forever <&-'
    if os.name == "nt":
        pytest.skip("no such shell")
    result = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "hello\n", "")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c(serving):
    async def greet(connection):
        await connection.send("hello")
        await connection.wait_closed()

    process = subprocess.Popen(
        [*COMMAND, "connect", serving(greet)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    with process:
        assert process.stdout.readline() == b"hello\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b""
    assert process.returncode == 130


@pytest.mark.skipif(not hasattr(__import__("socket"), "AF_UNIX"), reason="no Unix sockets")
def test_a_unix_socket(run, start, tmp_path):
    path = str(tmp_path / "s")
    _, line = start("echo", "--unix", path)
    assert line == f"Echo server at {path}: twoway connect --unix {path}  (Ctrl-C stops it)\n"
    assert run("connect", "--unix", path, "--count", "1", input="x").stdout == "x\n"
    result = run("connect", "--unix", str(tmp_path / "none"), input="x")
    assert result.returncode == 11
    assert result.stderr.startswith(f"No connection to {tmp_path / 'none'}: No such file or directory.")
