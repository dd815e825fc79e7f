"""Processes on CPUs of their own."""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

START = 20  # within which a server must be ready; seconds
PATIENCE = 60  # for everything else; seconds


class FailedError(Exception):
    """Say why a measurement gave no figure: a process ended with an error, or did not end."""


def cpus() -> tuple[int, int]:
    """Return the CPU for what is measured, and that for the load; the same where there is one only."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def free_port() -> int:
    """Find a port."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def start(command: list[str], cpu: int, environment: dict[str, str] | None, stdin: int) -> subprocess.Popen[str]:
    """Start a process on one CPU, which it inherits."""
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        return subprocess.Popen(
            command, env=environment, text=True, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    finally:
        os.sched_setaffinity(0, usable)


@contextmanager
def running(command: list[str], cpu: int, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run a process that prints a line when it is ready, until the block ends; its standard input is open so long."""
    process = start(command, cpu, environment, subprocess.PIPE)
    try:
        assert process.stdout is not None
        if not _has_line(process.stdout):
            process.kill()
            raise FailedError(_last_line(process.communicate()[1]) or "is not ready in time")
        yield process
    finally:
        process.kill()
        process.communicate()


def _has_line(stream: IO[str]) -> bool:
    readable, _, _ = select.select([stream], [], [], START)
    return bool(readable) and bool(stream.readline())


def run(command: list[str], cpu: int, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run a process to its end, and return the JSON that it prints."""
    process = start(command, cpu, environment, subprocess.DEVNULL)
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise FailedError(f"took more than {PATIENCE} seconds") from None
    if process.returncode or not output:
        raise FailedError(_last_line(errors) or f"ended with {process.returncode}")
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def resident(pid: int) -> int:
    """Return the resident memory of a process; bytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    if found is None:
        raise FailedError("has ended")
    return int(found[1]) * 1024
