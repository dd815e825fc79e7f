"""The server of docs/howto/routing.md, run as it stands there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from twoway.asyncio import InvalidStatus, connect

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROGRAM = (DOCS / "examples" / "routing.py").read_text(encoding="utf-8")


@pytest.fixture
def address(serve, port):
    serve(PROGRAM)
    return f"ws://127.0.0.1:{port}"


async def first(uri, message=None, **options):
    async with connect(uri, **options) as connection:
        if message is not None:
            await connection.send(message)
        return await connection.recv()


async def location(uri):
    with pytest.raises(InvalidStatus) as info:
        await first(uri, redirects=False)
    assert info.value.response.status_code == 302
    return info.value.response.headers["Location"]


def test_each_path_has_its_handler(address):
    assert asyncio.run(first(f"{address}/clock/")).isdigit()
    assert asyncio.run(first(f"{address}/channel/7", "hello")) == "channel 7: hello"
    game = f"{address}/game/12345678-9abc-def0-1234-56789abcdef0"
    assert asyncio.run(first(f"{game}/black")) == "You play black in game 1234."
    for unknown in (f"{game}/red", f"{address}/channel/x", f"{address}/"):
        with pytest.raises(InvalidStatus, match="404"):
            asyncio.run(first(unknown))


def test_redirects(address):
    assert asyncio.run(location(f"{address}/clock")) == f"{address}/clock/"
    assert asyncio.run(location(f"{address}/room/7")) == f"{address}/channel/7"


def test_the_page_shows_the_program():
    page = (DOCS / "howto" / "routing.md").read_text(encoding="utf-8")
    assert f'```python title="docs/examples/routing.py"\n{PROGRAM}```' in page
