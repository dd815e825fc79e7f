from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time

import pytest


@pytest.fixture
def program(tmp_path, start):
    """Serve a program of Python; give its process and address."""

    def program(source, *options):
        file = tmp_path / "program.py"
        file.write_text(source, encoding="utf-8")
        command = f"{shlex.quote(sys.executable) if os.name != 'nt' else sys.executable} -u {file}"
        process, line = start("serve", "--port", "0", "--exec", command, *options)
        return process, re.search(r"wss?://localhost:\d+/", line)[0]

    return program


COPY = "import sys\nfor line in sys.stdin: print(line, end='')\n"


def test_lines_are_messages(program, run):
    process, uri = program(COPY)
    result = run("connect", uri, "--count", "2", input="hello\nwörld\n")
    assert (result.returncode, result.stdout) == (0, "hello\nwörld\n")
    assert process.stderr.readline().endswith("connected: /\n")
    assert process.stderr.readline().endswith("ended: the client left\n")


def test_the_program_ends(program, run):
    _, uri = program("print('bye')")
    result = run("connect", uri, "--wait", "forever")
    assert (result.returncode, result.stdout) == (0, "bye\n")


def test_the_program_fails(program, run):
    process, uri = program("raise SystemExit(3)")
    result = run("connect", uri, "--wait", "forever")
    assert result.returncode == 31
    assert "1011 (internal error) the program failed" in result.stderr
    assert process.stderr.readline()
    assert process.stderr.readline().endswith("ended: the program ended with status 3\n")


def test_each_connection_has_its_own(program, run):
    _, uri = program("import os; print(os.getpid())")
    assert run("connect", uri, "--wait", "forever").stdout != run("connect", uri, "--wait", "forever").stdout


def test_the_environment(program, run):
    names = (
        "REQUEST_URI",
        "PATH_INFO",
        "QUERY_STRING",
        "HTTP_ORIGIN",
        "REMOTE_ADDR",
        "REMOTE_USER",
        "WEBSOCKET_SUBPROTOCOL",
    )
    source = f"import os, json; print(json.dumps([os.environ[name] for name in {names}]))"
    _, uri = program(source, "--auth", "ada:secret", "--origin", "http://o.example", "--subprotocol", "chat")
    options = ["--auth", "ada:secret", "--origin", "http://o.example", "--subprotocol", "chat", "--wait", "forever"]
    result = run("connect", f"{uri}a%20b?c=d", *options)
    assert json.loads(result.stdout) == ["/a%20b?c=d", "/a%20b", "c=d", "http://o.example", "127.0.0.1", "ada", "chat"]


def test_pages_of_strangers_are_refused(program, run):
    _, uri = program(COPY)
    assert run("connect", uri, "--origin", "http://evil.example").returncode == 22
    _, uri = program(COPY, "--origin", "*")
    assert run("connect", uri, "--origin", "http://evil.example", "--count", "1", input="x\n").stdout == "x\n"


def test_line_breaks_are_refused(program, run):
    _, uri = program(COPY)
    result = run("connect", uri, "--json", "--wait", "forever", input='{"text": "a\\nb"}\n')
    assert json.loads(result.stdout) == {"close": 1003, "reason": "a message must be one line"}
    result = run("connect", uri, "--json", "--wait", "forever", input='{"binary": "AAAA"}\n')
    assert json.loads(result.stdout) == {"close": 1003, "reason": "text messages only"}


def test_objects_have_line_breaks_and_bytes(program, run):
    _, uri = program(COPY, "--json")
    lines = [{"text": "a\nb"}, {"binary": "AP8="}]
    result = run("connect", uri, "--json", "--count", "2", input="\n".join(map(json.dumps, lines)))
    assert [json.loads(line) for line in result.stdout.splitlines()] == [*lines, {"close": 1000, "reason": ""}]


def test_a_program_may_close_and_ping(program, run):
    source = """print('{"ping": ""}'); print('{"close": 4001, "reason": "enough"}'); input()"""
    _, uri = program(source, "--json")
    result = run("connect", uri, "--wait", "forever")
    assert result.returncode == 31
    assert "4001" in result.stderr


def test_a_line_that_is_no_object(program, run):
    _, uri = program("print('hello')", "--json")
    result = run("connect", uri, "--wait", "forever")
    assert "1011 (internal error) the program wrote a line that is no message" in result.stderr


def test_bytes_without_lines(program, run):
    source = "import os\nwhile data := os.read(0, 9): os.write(1, data.upper())\n"
    _, uri = program(source, "--binary")
    result = run("connect", uri, "--json", "--count", "1", input='{"binary": "YWI="}\n')
    assert json.loads(result.stdout.splitlines()[0]) == {"binary": "QUI="}


def test_a_line_that_is_too_long(program, run):
    _, uri = program("print('x' * 5000)", "--max-line", "1k")
    result = run("connect", uri, "--wait", "forever")
    assert result.returncode == 31
    assert "1011" in result.stderr


def test_a_program_that_writes_what_nobody_reads_sees_the_end_of_its_input(program, run, tmp_path):
    mark = tmp_path / "mark"
    source = f"import sys; print('x' * 3_000_000); sys.stdin.read(); open({str(mark)!r}, 'w')"
    process, uri = program(source, "--max-line", "1k", "--stop-after", "60s")
    assert run("connect", uri, "--wait", "forever").returncode == 31
    process.stderr.readline()
    assert process.stderr.readline().endswith("ended: closed: the program wrote a line that is no message\n")
    assert mark.exists()


def test_a_program_that_runs_too_long(program, run):
    _, uri = program("import time; time.sleep(100)", "--lifetime", "200ms", "--stop-after", "100ms")
    result = run("connect", uri, "--wait", "forever")
    assert result.returncode == 0  # 1001
    assert result.stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to ignore")
def test_a_program_that_ignores_everything_is_killed_with_its_children(program, run):
    source = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child: print(os.getpid(), child)
time.sleep(100)
"""
    process, uri = program(source, "--stop-after", "100ms")
    result = run("connect", uri, "--count", "1")
    process.stderr.readline()
    assert process.stderr.readline().endswith("ended: the client left\n")
    end = time.monotonic() + 10
    while any(map(is_running, map(int, result.stdout.split()))):
        assert time.monotonic() < end


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().split()[2] != "Z"
    except OSError:
        return False


def test_a_program_that_reads_nothing(program, run):
    _, uri = program("import os, time; os.close(0); time.sleep(0.2); print('done')")
    result = run("connect", uri, "--wait", "forever", input="x\n" * 1000)
    assert (result.returncode, result.stdout) == (0, "done\n")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "Missing option '--exec'"),
        (["--exec", ""], "--exec is empty"),
        (["--exec", "'"], "--exec cannot be read"),
        (["--exec", "no-such-program-anywhere -x"], "there is no program 'no-such-program-anywhere'"),
        (["--exec", "cat", "--json", "--binary"], "exclude each other"),
    ],
)
def test_wrong_arguments(cli, arguments, complaint):
    if os.name == "nt" and complaint.startswith("--exec cannot"):
        pytest.skip("quotes mean something else there")
    result = cli("serve", *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr
