"""The program of the page on ASGI, run as it stands there."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from twoway.asyncio import ConnectionClosedOK, InvalidStatus, connect

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROGRAM = (DOCS / "examples" / "asgi.py").read_text(encoding="utf-8")


def test_the_page_shows_the_program_as_it_is():
    page = (DOCS / "howto" / "asgi.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r'```python title="docs/examples/asgi.py"\n(.*?)```', page, re.DOTALL)
    assert shown == PROGRAM


def test_the_program(serve, port):
    serve(PROGRAM)

    async def talk():
        async with connect(f"ws://127.0.0.1:{port}/echo") as connection:
            assert connection.response.headers["Server"] == "uvicorn"
            for message in ("żółć", b"bytes"):
                await connection.send(message)
                assert await connection.recv() == message
            await connection.send("bye")
            with pytest.raises(ConnectionClosedOK, match="bye"):
                await connection.recv()
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{port}/")
        assert (refused.value.response.status_code, refused.value.response.body) == (404, b"Only /echo is here.\n")

    asyncio.run(talk())


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="the load generator cannot be built")
def test_the_benchmark_that_the_page_names_gives_figures(tmp_path):
    program = DOCS.parent / "tools" / "bench" / "asgi.py"
    options = ["--rounds", "1", "--seconds", "0.05", "--folder", str(tmp_path)]
    result = subprocess.run([sys.executable, program, *options], capture_output=True, encoding="utf-8", check=False)
    assert result.returncode == 0, result.stderr
    (figures,) = re.findall(r"(?m)^twoway.uvicorn:WebSocketProtocol +(.*)$", result.stdout)
    assert all(float(figure) > 0 for figure in figures.split())
