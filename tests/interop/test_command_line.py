"""The command ``twoway`` with every peer: its client with their servers, its servers with their clients."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from contextlib import asynccontextmanager

import pytest
from interop_peers.base import Settings

COMMAND = (sys.executable, "-m", "twoway.cli")
PIPES = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}


async def run(*arguments, input=""):
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, **PIPES)
    output, errors = await process.communicate(input.encode())
    return process.returncode, output.decode(), errors.decode()


@asynccontextmanager
async def running(*arguments):
    """Start a server of ours; give its address."""
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, "--port", "0", "--origin", "*", **PIPES)
    line = (await process.stderr.readline()).decode()
    try:
        yield re.search(r"ws://localhost:\d+/", line)[0].replace("localhost", "127.0.0.1")
    finally:
        process.terminate()
        await process.communicate()


async def answer(listener, count=1):
    """Send back what comes on so many connections, and wait for their ends."""
    ends = [await listener.accept() for _ in range(count)]

    async def echo(end):
        try:
            while True:
                await end.send(await end.recv())
        except ConnectionError:
            return await end.closed

    return await asyncio.gather(*map(echo, ends))


@pytest.mark.only("server")
async def test_connect(link):
    lines = [{"text": "a\nb"}, {"binary": "AP8="}, {"text": "żółć"}]
    async with link.peer.serve(Settings(deflate={})) as listener:
        talk = run(
            "connect",
            f"ws://127.0.0.1:{listener.port}/",
            "--json",
            "--count",
            "3",
            input="\n".join(map(json.dumps, lines)),
        )
        (status, output, errors), [(code, _)] = await asyncio.gather(talk, answer(listener))
    assert (status, errors, code) == (0, "", 1000)
    assert [json.loads(line) for line in output.splitlines()] == [*lines, {"close": 1000, "reason": ""}]


@pytest.mark.only("server")
async def test_a_server_that_closes(link):
    async with link.peer.serve(Settings()) as listener:
        talk = asyncio.ensure_future(run("connect", f"ws://127.0.0.1:{listener.port}/", "--wait", "forever"))
        end = await listener.accept()
        await end.close(4001, "enough")
        status, _, errors = await talk
    assert status == 31
    assert "The server closed the connection: 4001 (private use) enough." in errors


@pytest.mark.only("server")
async def test_bench(link):
    async with link.peer.serve(Settings()) as listener:
        measure = run("bench", f"ws://127.0.0.1:{listener.port}/", "--json", "--count", "20", "--connections", "2")
        (status, output, errors), _ = await asyncio.gather(measure, answer(listener, 2))
    assert (status, errors) == (0, "")
    assert json.loads(output)["messages"] == 40


@pytest.mark.only("server")
async def test_probe(link):
    async with link.peer.serve(Settings()) as listener:
        report = asyncio.ensure_future(run("probe", f"ws://127.0.0.1:{listener.port}/", "--json"))
        await answer(listener)
        status, output, errors = await report
    assert (status, errors) == (0, "")
    verdicts = {step["name"]: step["verdict"] for step in json.loads(output)["steps"]}
    assert (verdicts["handshake"], verdicts["keepalive"], verdicts["close"]) == ("ok", "ok", "ok")


@pytest.mark.only("client")
async def test_echo(link):
    async with running("echo") as uri:
        end = await link.peer.connect(uri, Settings())
        for message in ("hello", b"\x00\xff"):
            await end.send(message)
            assert await end.recv() == message
        await end.close(1000)
        await end.closed


@pytest.mark.only("client")
@pytest.mark.skipif(os.name == "nt", reason="there is no cat")
async def test_serve(link):
    async with running("serve", "--exec", "cat") as uri:
        end = await link.peer.connect(uri, Settings())
        await end.send("hello")
        assert await end.recv() == "hello"
        await end.send("a\nb")
        assert await end.closed == (1003, "a message must be one line")
