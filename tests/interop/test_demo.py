"""The demo, as people use it: a browser, a Python client and a terminal in one conversation."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from twoway.asyncio import connect

CHAT = Path(__file__).parents[2] / "demo" / "chat.py"
SAID = "[...document.querySelectorAll('#log li:not(.notice)')].map((line) => line.querySelector('.words').textContent)"
STATUS = "document.getElementById('status').dataset.state"
PIPE = asyncio.subprocess.PIPE


@asynccontextmanager
async def chat(*arguments, **streams):
    """Run the demo's program; it has to end by itself when it is told to, without complaints."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(CHAT), *arguments, stdout=PIPE, env=environment, **streams
    )
    try:
        yield process
        if process.stdin is None:
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def serving(port=0):
    async with chat("--port", str(port)) as process:
        line = (await process.stdout.readline()).decode()
        yield int(re.search(r"http://127\.0\.0\.1:(\d+)/", line)[1])


@asynccontextmanager
async def joined(browser, port, name):
    """Open the page, type a name, and be in the room."""
    page = await browser.open(f"http://127.0.0.1:{port}/")
    await page.evaluate("document.getElementById('name').focus()")
    await page.type_line(name)
    await page.until(f"{STATUS} === 'online'")
    yield page
    await page.close()


async def receive(connection, kind):
    """Receive up to a message of that type."""
    async for text in connection:
        message = json.loads(text)
        if message["type"] == kind:
            return message
    pytest.fail(f"the connection ended before a message of type {kind!r} came")


async def test_a_browser_and_a_python_client_talk(browser):
    async with (
        serving() as port,
        joined(browser, port, "Ada") as page,
        connect(f"ws://127.0.0.1:{port}/ws") as client,
    ):
        await client.send(json.dumps({"type": "join", "name": "Grace"}))
        assert (await receive(client, "welcome"))["people"] == ["Ada", "Grace"]
        await page.until("document.querySelectorAll('#people li').length === 2")
        await page.type_line("Hello from the <b>browser</b>!")
        said = await receive(client, "said")
        assert (said["name"], said["text"]) == ("Ada", "Hello from the <b>browser</b>!")
        await client.send(json.dumps({"type": "say", "text": "Hello from Python, żółć!"}))
        await page.until(f"{SAID}.length === 2")
        assert await page.evaluate(SAID) == ["Hello from the <b>browser</b>!", "Hello from Python, żółć!"]
        await client.close()
        await page.until("document.querySelectorAll('#people li').length === 1")


async def test_two_browsers_and_a_terminal_talk(browser):
    async with serving() as port, joined(browser, port, "Ada") as ada, joined(browser, port, "Grace") as grace:
        arguments = ["client", "--name", "Terminal", "--uri", f"ws://127.0.0.1:{port}/ws"]
        async with chat(*arguments, stdin=PIPE) as terminal:
            await ada.until("document.querySelectorAll('#people li').length === 3")
            await ada.call("Page.bringToFront")
            await ada.type_line("first")
            await grace.until(f"{SAID}.length === 1")
            await grace.call("Page.bringToFront")
            await grace.type_line("second")
            await ada.until(f"{SAID}.length === 2")
            terminal.stdin.write(b"third\n")
            await grace.until(f"{SAID}.length === 3")
            lines = [await terminal.stdout.readline() for _ in range(4)]
            assert [line.decode().split(": ")[-1].strip() for line in lines[1:]] == ["first", "second", "third"]
        await ada.until("document.querySelectorAll('#people li').length === 2")


async def test_the_page_comes_back_when_the_server_does(browser):
    async with AsyncExitStack() as stack:
        async with serving() as port:
            page = await stack.enter_async_context(joined(browser, port, "Ada"))
        await page.until(f"{STATUS} === 'waiting'")
        async with serving(port), connect(f"ws://127.0.0.1:{port}/ws") as client:
            await page.until(f"{STATUS} === 'online'")
            await client.send(json.dumps({"type": "join", "name": "Grace"}))
            assert (await receive(client, "welcome"))["people"] == ["Ada", "Grace"]
            await page.type_line("back again")
            assert (await receive(client, "said"))["text"] == "back again"


async def test_a_page_of_another_origin_does_not_join(browser):
    async with serving() as port:
        page = await browser.open("about:blank")
        errors = asyncio.Queue()
        page.listen("Network.webSocketFrameError", errors.put_nowait)
        await page.call("Network.enable")
        await page.evaluate(f"void new WebSocket('ws://127.0.0.1:{port}/ws')")
        assert "403" in (await errors.get())["errorMessage"]
        await page.close()
