"""The program of the page on performance, run as it stands there."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from twoway.asyncio import connect

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROGRAM = (DOCS / "examples" / "faster_transports.py").read_text(encoding="utf-8")


def test_the_page_shows_the_program_as_it_is():
    page = (DOCS / "performance.md").read_text(encoding="utf-8")
    assert f'```python title="docs/examples/faster_transports.py"\n{PROGRAM}```' in page


@pytest.mark.skipif(importlib.util.find_spec("aiofastnet") is None, reason="aiofastnet is not installed")
def test_a_server_with_other_transports(serve, port):
    serve(PROGRAM)

    async def exchange():
        async with connect(f"ws://127.0.0.1:{port}/") as connection:
            await connection.send("x" * 100_000)
            return await connection.recv()

    assert asyncio.run(exchange()) == "x" * 100_000
