"""Run programs of the documentation as a reader would: a process each, the server on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

PORT = "8765"  # as the documentation has it


def _hear_ctrl_c():
    """Have Ctrl-C mean what it means in a terminal, even where the tests run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


hear_ctrl_c = None if os.name == "nt" else _hear_ctrl_c


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def start(port, tmp_path):
    """Start a program, with the port replaced; what still runs at the end of the test is killed."""
    running = []

    def start(source):
        assert PORT in source
        file = tmp_path / f"program{len(running)}.py"
        file.write_text(source.replace(PORT, str(port)), encoding="utf-8")
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, file],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            env=environment,
            preexec_fn=hear_ctrl_c,  # noqa: PLW1509  # it only sets a signal
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def serve(start, port):
    """Start a server, and wait until it listens."""

    def serve(source):
        process = start(source)
        while process.poll() is None:  # pytest-timeout bounds this
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return process
            except ConnectionRefusedError:
                time.sleep(0.02)
        pytest.fail(process.stderr.read())

    return serve


@pytest.fixture
def run(start):
    """Run a program to its end; give what it printed."""

    def run(source):
        process = start(source)
        output, errors = process.communicate()
        assert (process.returncode, errors) == (0, "")
        return output

    return run
