from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from twoway.cli import _load
from twoway.cli._bench import show_time


def test_numbers_for_people(cli, serving):
    result = cli("bench", serving(), "--connections", "2", "--count", "50", "--size", "1k", "--in-flight", "4")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "load       2 connections, 4 in flight each, 1,024 bytes of text"
    assert lines[1].startswith("messages   100 in ")
    assert [line.split()[0] for line in lines[:5]] == ["load", "messages", "rate", "latency", "handshake"]
    assert "p99.9" in lines[3]


def test_numbers_for_programs(cli, serving):
    result = cli("bench", serving(), "--duration", "300ms", "--binary", "--json", "--connections", "3", "--size", "0")
    assert result.exit_code == 0
    numbers = json.loads(result.stdout)
    assert numbers["connections"] == 3
    assert numbers["messages"] > 0
    assert numbers["elapsed"] >= 0.3
    assert numbers["lost"] == 0
    assert (
        0
        < numbers["latency"]["min"]
        <= numbers["latency"]["p50"]
        <= numbers["latency"]["p99"]
        <= numbers["latency"]["max"]
    )


def test_no_echo(cli, serving):
    async def shout(connection):
        async for message in connection:
            await connection.send(message.upper())

    result = cli("bench", serving(shout), "--count", "5")
    assert result.exit_code == 20
    assert "The server does not send back what it gets: it sent “TWOWAY TWOWAY" in result.stderr


def test_no_answer(cli, serving, monkeypatch):
    async def listen(connection):
        async for _ in connection:
            pass

    monkeypatch.setattr(_load, "PATIENCE", 0.3)
    result = cli("bench", serving(listen), "--count", "5")
    assert result.exit_code == 20
    assert result.stderr.startswith("Nothing came back for 0 seconds.")


def test_connections_that_end(cli, serving):
    async def leave(connection):
        await connection.send(await connection.recv())
        await asyncio.sleep(0.05)

    result = cli("bench", serving(leave), "--connections", "2", "--count", "5")
    assert result.exit_code == 30
    assert "2 connections ended too early. The server closed the connection: 1000 (OK)." in result.stderr


def test_connections_that_are_refused(cli, serving):
    result = cli("bench", serving(max_connections=2), "--connections", "5", "--count", "1")
    assert result.exit_code == 25
    assert result.stderr.startswith("One of 5 connections failed. localhost:")
    assert "503 Service Unavailable" in result.stderr


def test_nobody_listens(cli):
    result = cli("bench", "ws://nowhere.invalid/")
    assert result.exit_code == 10


def test_the_time_is_over(cli, serving):
    result = cli("bench", serving(), "--duration", "forever", "--timeout", "700ms", "--connections", "1", "--json")
    assert result.exit_code == 40
    assert json.loads(result.stdout)["messages"] > 0
    assert result.stderr == "The time of --timeout is over.\n"


def test_times():
    assert [show_time(each) for each in (0, 1.5e-6, 0.0123, 2.5, float("inf"))] == [
        "0 µs",
        "1.5 µs",
        "12.3 ms",
        "2.50 s",
        "-",
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_shows_what_is_known(serving):
    begun = threading.Event()

    async def echo(connection):
        async for message in connection:
            await connection.send(message)
            begun.set()

    process = subprocess.Popen(
        [sys.executable, "-m", "twoway.cli", "bench", serving(echo), "--duration", "forever", "--json"],
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    with process:
        assert begun.wait(20)
        process.send_signal(signal.SIGINT)
        numbers = json.loads(process.stdout.read() or "{}")
    assert process.returncode == 130
    assert numbers.get("messages", 1) > 0
