"""The server of the page on slow consumers, run as it stands there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from twoway.asyncio import connect

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROGRAM = (DOCS / "examples" / "broadcast.py").read_text(encoding="utf-8")


def test_the_page_shows_the_program_as_it_is():
    page = (DOCS / "howto" / "slow-consumers.md").read_text(encoding="utf-8")
    assert f'```python title="docs/examples/broadcast.py"\n{PROGRAM}```' in page


def test_everybody_gets_every_tick(serve, port):
    serve(PROGRAM)

    async def listen():
        async with connect(f"ws://127.0.0.1:{port}/") as connection:
            return [await connection.recv() for _ in range(3)]

    async def main():
        return await asyncio.gather(*(listen() for _ in range(3)))

    for ticks in asyncio.run(main()):
        first = int(ticks[0].removeprefix("tick "))
        assert ticks == [f"tick {number}" for number in range(first, first + 3)]
