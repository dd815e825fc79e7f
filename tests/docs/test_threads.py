"""The programs of docs/howto/threads.md, run as they stand there, and with those for asyncio as peers."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from twoway.threading import connect
from twoway.threading import serve as serve_here

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHOWN = re.compile(r'```python title="docs/examples/([^"]+)"\n(.*?)```', re.DOTALL)


def read(name):
    return (DOCS / "examples" / name).read_text(encoding="utf-8")


def test_the_page_shows_the_programs_as_they_are():
    shown = SHOWN.findall((DOCS / "howto" / "threads.md").read_text(encoding="utf-8"))
    assert len(shown) == 4
    assert all(program == read(name) for name, program in shown)


@pytest.mark.parametrize("server", ["echo_server_threads.py", "echo_server.py"])
@pytest.mark.parametrize("client", ["echo_client_threads.py", "echo_client.py"])
def test_echo(serve, run, server, client):
    serve(read(server))
    assert run(read(client)) == "Hello\nb'\\x00\\x01'\n"


def test_reconnection(start, port):
    """The server comes late, hangs up once, and then says what ends the program."""
    client = start(read("reconnecting_threads.py"))
    rounds = []

    def handler(connection):
        rounds.append(connection)
        connection.send(f"round {len(rounds)}")
        if len(rounds) == 2:
            connection.send("that was all")
            connection.wait_closed()

    while "next attempt" not in client.stderr.readline():
        assert client.poll() is None
    with serve_here(handler, "127.0.0.1", port):
        output, errors = client.communicate(timeout=50)
    assert (client.returncode, output) == (0, "received round 1\nreceived round 2\nreceived that was all\n")
    assert "Traceback" not in errors


@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
def test_graceful_shutdown(serve, port):
    process = serve(read("graceful_shutdown_threads.py"))
    clients = [connect(f"ws://127.0.0.1:{port}/").connect() for _ in range(3)]
    for client in clients:
        client.send("hello")
        assert client.recv(timeout=20) == "hello"
    clients[0].send("never mind")
    process.send_signal(signal.SIGTERM)
    for client in clients:
        client.wait_closed(timeout=20)
        assert (client.close_code, client.close_reason) == (1012, "back in a minute")
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (0, "3 closed, 0 aborted, 1 handlers left behind\n")
    assert "Traceback" not in errors


@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
def test_ctrl_c_ends_the_server(serve, port):
    process = serve(read("echo_server_threads.py"))
    with connect(f"ws://127.0.0.1:{port}/") as client:
        client.ping().wait(20)
        process.send_signal(signal.SIGINT)
        client.wait_closed(timeout=20)
        assert client.close_code == 1001
    _, errors = process.communicate(timeout=20)
    assert errors.endswith("KeyboardInterrupt\n")
