"""The servers of the pages on shutdown, limits, plain HTTP and several processes, run as they stand there."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from twoway.asyncio import InvalidStatus, connect

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHOWN = re.compile(r'```python title="docs/examples/([^"]+)"\n(.*?)```', re.DOTALL)
PAGES = ["graceful-shutdown.md", "limits.md", "plain-http.md", "several-processes.md"]

posix_only = pytest.mark.skipif(os.name == "nt", reason="no SIGTERM there")


def read(name):
    return (DOCS / "examples" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_the_programs_as_they_are(page):
    shown = SHOWN.findall((DOCS / "howto" / page).read_text(encoding="utf-8"))
    assert shown
    assert all(program == read(name) for name, program in shown)


@posix_only
def test_graceful_shutdown(serve, port):
    process = serve(read("graceful_shutdown.py"))

    async def talk():
        async with AsyncExitStack() as stack:
            uri = f"ws://127.0.0.1:{port}/"
            clients = [await stack.enter_async_context(connect(uri)) for _ in range(3)]
            for client in clients:
                await client.send("hello")
                assert await client.recv() == "hello"
            await clients[0].send("never mind")
            process.send_signal(signal.SIGTERM)
            for client in clients:
                await client.wait_closed()
                assert (client.close_code, client.close_reason) == (1012, "back in a minute")

    asyncio.run(talk())
    output, errors = process.communicate()
    assert (process.returncode, output) == (0, "3 closed, 0 aborted, 1 handlers cancelled\n")
    assert "Traceback" not in errors


def test_limits(serve, port):
    serve(read("limits.py"))

    async def crowd():
        uri = f"ws://127.0.0.1:{port}/"
        while True:
            try:
                async with connect(uri), connect(uri):
                    with pytest.raises(InvalidStatus, match="503") as info:
                        await connect(uri)
                    assert info.value.response.headers["Retry-After"] == "1"
                return
            except InvalidStatus:  # the look whether the server listens may count still
                await asyncio.sleep(0.02)

    asyncio.run(crowd())


def test_plain_http(serve, port):
    serve(read("plain_http.py"))

    def ask(method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request(method, path, body)
        response = connection.getresponse()
        answer = response.status, response.read().decode()
        connection.close()
        return answer

    async def listen():
        async with connect(f"ws://127.0.0.1:{port}/") as client:
            assert await asyncio.to_thread(ask, "POST", "/announce", "Lunch!") == (200, "Told 1.\n")
            assert await asyncio.to_thread(ask, "POST", "/announce", b"\xff") == (400, "That is not UTF-8.\n")
            assert await client.recv() == "Lunch!"

    assert ask("GET", "/health") == (200, "I am well.\n")
    assert ask("HEAD", "/health") == (200, "")
    assert ask("GET", "/announce") == (405, "POST what is to be announced.\n")
    assert ask("POST", "/announce", "x" * 1001)[0] == 413
    assert ask("GET", "/")[0] == 426
    asyncio.run(listen())


@posix_only
def test_several_processes(serve, port):
    parent = serve(read("several_processes.py"))

    async def meet():
        uri, met = f"ws://127.0.0.1:{port}/", set()
        while len(met) < 2:  # which one it is, the kernel says
            async with connect(uri) as client:
                met.add(int(await client.recv()))
        return met

    assert parent.pid not in asyncio.run(meet())
    parent.send_signal(signal.SIGTERM)
    output, _ = parent.communicate()
    assert (parent.returncode, output) == (0, "All workers have ended.\n")
