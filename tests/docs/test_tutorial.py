"""Every program in docs/examples that the tutorial and the explanations show."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from twoway.asyncio import ConnectionClosedError, InvalidStatus, connect

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
PROGRAMS = ["echo_server.py", "echo_client.py", "patient_client.py", "careful_server.py", "in_memory.py"]
SHOWN = re.compile(r'```python title="(docs/examples/[^"]+)"\n(.*?)```', re.DOTALL)


def read(name):
    return (EXAMPLES / name).read_text(encoding="utf-8")


@pytest.fixture
def runner():
    with asyncio.Runner() as runner:
        yield runner.run


def test_echo(serve, run):
    serve(read("echo_server.py"))
    assert run(read("echo_client.py")) == "Hello\nb'\\x00\\x01'\n"


def test_patient_client_with_a_server(serve, run):
    serve(read("echo_server.py"))
    first, *others = run(read("patient_client.py")).splitlines()
    assert first.startswith("the server is 0.")
    assert others == ["Are you there?", "closed with 1000"]


def test_patient_client_without_a_server(run):
    assert run(read("patient_client.py")).startswith("No server there: ")


def test_careful_server_answers_plain_http(serve, port):
    serve(read("careful_server.py"))
    answers = {}
    for path in ("/health", "/nothing", "/double"):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", path)
        answers[path] = connection.getresponse().status
        connection.close()
    assert answers == {"/health": 200, "/nothing": 404, "/double": 426}


def test_careful_server_doubles_numbers_and_refuses_others(serve, port, runner):
    async def talk():
        async with connect(f"ws://127.0.0.1:{port}/double") as connection:
            await connection.send("21")
            assert json.loads(await connection.recv()) == {"double": 42}
            await connection.send("many")
            with pytest.raises(ConnectionClosedError) as info:
                await connection.recv()
            assert (info.value.code, info.value.reason) == (1003, "numbers only, please")

    serve(read("careful_server.py"))
    runner(talk())


@pytest.mark.parametrize(
    ("headers", "status"), [({"Origin": "https://evil.example"}, 403), ({"Host": "evil.example"}, 421)]
)
def test_careful_server_refuses_strangers(serve, port, runner, headers, status):
    async def knock():
        with pytest.raises(InvalidStatus) as info:
            await connect(f"ws://127.0.0.1:{port}/double", additional_headers=headers)
        assert info.value.response.status_code == status

    serve(read("careful_server.py"))
    runner(knock())


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM there")
def test_careful_server_waits_for_its_connections(serve, port, runner):
    async def stop(process):
        async with connect(f"ws://127.0.0.1:{port}/double") as connection:
            process.send_signal(signal.SIGTERM)
            assert [message async for message in connection] == []
            assert connection.close_code == 1001

    process = serve(read("careful_server.py"))
    runner(stop(process))
    output, _ = process.communicate()
    assert (process.returncode, output) == (0, "Everybody is gone.\n")


def test_connection_in_memory():
    command = [sys.executable, EXAMPLES / "in_memory.py"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert output.splitlines() == [
        "request for /chat",
        "client is OPEN",
        "['Hello']",
        "at 20.2 s the client sends 10 bytes: a ping",
    ]


def test_pages_show_the_programs_as_they_are():
    root = EXAMPLES.parents[1]
    shown = {}
    for page in root.glob("docs/**/*.md"):
        shown.update(SHOWN.findall(page.read_text(encoding="utf-8")))
    programs = {f"docs/examples/{name}" for name in PROGRAMS}
    assert programs <= set(shown)
    assert [name for name, text in shown.items() if text != (root / name).read_text(encoding="utf-8")] == []
