"""The client of docs/howto/reconnection.md, run as it stands there, with a server that comes late and restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path

from twoway.asyncio import serve

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROGRAM = (DOCS / "examples" / "reconnecting.py").read_text(encoding="utf-8")


def test_it_reconnects_until_that_was_all(start, port):
    program = start(PROGRAM)
    headers = []

    async def handler(connection):
        headers.append(connection.request.headers["Authorization"])
        await connection.send(f"number {len(headers)}")
        if len(headers) == 1:
            connection.abort()
        elif len(headers) == 2:
            await connection.close(1012, "restart")
        else:
            await connection.send("that was all")
            await connection.wait_closed()

    def process_request(connection, request):
        return connection.respond(503, "") if next(refusals, False) else None

    async def main():
        for state in ("connecting", "disconnected"):  # the server is not there yet
            assert await asyncio.to_thread(program.stdout.readline) == f"{state}\n"
        async with serve(handler, "127.0.0.1", port, process_request=process_request):
            return await asyncio.to_thread(program.communicate)

    refusals = iter([True])
    output, errors = asyncio.run(main())
    assert program.returncode == 0
    assert headers == ["Bearer token of the moment"] * 3
    lines = output.splitlines()
    received = [line for line in lines if line.startswith("received")]
    assert received[-2:] == ["received number 3", "received that was all"]
    assert lines.count("connected") == 3
    assert "Traceback" not in errors
    assert "HTTP 503" in errors
    assert "restart" in errors


def test_the_page_shows_the_program():
    page = (DOCS / "howto" / "reconnection.md").read_text(encoding="utf-8")
    assert f'```python title="docs/examples/reconnecting.py"\n{PROGRAM}```' in page
