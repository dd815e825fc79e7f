"""The demo as people run it: a process of its own, on a free port."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys

import pytest

READY = re.compile(r"Open http://127\.0\.0\.1:([0-9]+)/ to chat, or join from a terminal: (.+) \(Ctrl-C stops\)\n")
PYTHON = [sys.executable, "-X", "utf8"]


@pytest.fixture
def command(demo_folder):
    return [*PYTHON, str(demo_folder / "chat.py")]


def _hear_ctrl_c():
    """Have Ctrl-C mean what it means in a terminal, even where the tests run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def server(command):
    """Run the server; give the process and its port."""
    with subprocess.Popen(
        [*command, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=None if os.name == "nt" else _hear_ctrl_c,  # noqa: PLW1509  # it only sets a signal
    ) as run:
        try:
            yield run, int(READY.fullmatch(run.stdout.readline())[1])
        finally:
            run.kill()


def execute(command):
    """Run a command to its end, without input."""
    return subprocess.run(
        command, capture_output=True, encoding="utf-8", timeout=50, stdin=subprocess.DEVNULL, check=False
    )


def test_check_passes_and_prints_a_line_for_each_step(command):
    run = execute([*command, "--check"])
    first, *steps, last = run.stdout.splitlines()
    assert run.returncode == 0, run.stdout + run.stderr
    assert first.startswith("A chat on http://127.0.0.1:")
    assert [step for step in steps if not step.startswith("ok ")] == []
    assert last == f"{len(steps)} steps ok, 0 FAILED"
    assert run.stderr == ""


def test_check_fails_when_a_step_fails(demo_folder):
    # The page is gone, so that its steps fail; the conversation goes on without it.
    script = (
        f"import sys; sys.path.insert(0, {str(demo_folder)!r}); sys.argv = ['chat.py', '--check']\n"
        "import server; server.PAGE.clear()\n"
        "import chat; sys.exit(chat.main())"
    )
    run = execute([*PYTHON, "-c", script])
    assert run.returncode == 1
    assert re.search(r"^FAILED  GET / brings the page.*expected.*404", run.stdout, re.MULTILINE)
    assert re.search(r"^[0-9]+ steps ok, 3 FAILED$", run.stdout, re.MULTILINE)


@pytest.mark.skipif(os.name == "nt", reason="signals are different there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_server_stops_in_good_order(server, number):
    run, port = server
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()
    run.send_signal(number)
    output, errors = run.communicate(timeout=30)
    assert (run.returncode, output, errors) == (0, "Stopped.\n", "")


def test_port_in_use_is_one_line(server, command):
    _, port = server
    run = execute([*command, "--port", str(port)])
    assert run.returncode == 1
    assert run.stderr.startswith("That did not work: ")
    assert run.stderr.count("\n") == 1


def test_client_tells_why_it_cannot_join(server, command):
    _, port = server
    run = execute([*command, "client", "--uri", f"ws://127.0.0.1:{port}/ws", "--name", "x" * 30])
    assert (run.returncode, run.stderr) == (1, "A name has 1 to 20 characters.\n")


@pytest.mark.parametrize("uri", ["http://127.0.0.1/", "ws://127.0.0.1:1/ws"])
def test_client_without_a_server_is_one_line(command, uri):
    run = execute([*command, "client", "--name", "Ada", "--uri", uri])
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
