"""The programs of the pages on migrating: those for websockets run with twoway, too, and pairs do the same."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from twoway.asyncio import ConnectionClosed, InvalidStatus, ServerConnection, connect, serve

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
PROGRAMS = EXAMPLES / "migrated"
IMPORT = re.compile(r"^from twoway\.(asyncio|threading) import (.*)$", re.MULTILINE)
PORT = "8765"  # as the programs have it
# Name -> where websockets has it, {} being asyncio or sync.
HOMES = {
    "connect": "websockets.{}.client",
    "ServerConnection": "websockets.{}.server",
    "basic_auth": "websockets.{}.server",
    "broadcast": "websockets.{}.server",
    "serve": "websockets.{}.server",
    "route": "websockets.{}.router",
    "ConnectionClosed": "websockets.exceptions",
    "Request": "websockets.http11",
    "Response": "websockets.http11",
}
ADA = {"Authorization": "Basic " + base64.b64encode(b"ada:correct horse").decode()}


def with_websockets(source: str) -> str:
    def imports(match: re.Match[str]) -> str:
        style = {"asyncio": "asyncio", "threading": "sync"}[match[1]]
        return "\n".join(f"from {HOMES[name].format(style)} import {name}" for name in match[2].split(", "))

    changed = IMPORT.sub(imports, source)
    assert "twoway" not in changed
    return changed


@pytest.fixture(params=["websockets", "twoway"])
def read(request: pytest.FixtureRequest) -> Callable[[str], str]:
    def read(name: str) -> str:
        source = (PROGRAMS / name).read_text(encoding="utf-8")
        return with_websockets(source) if request.param == "websockets" else source

    return read


@asynccontextmanager
async def running(source: str, port: int, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program with the port replaced; it is killed at the end, if it still runs."""
    assert PORT in source
    file = folder / "program.py"
    file.write_text(source.replace(PORT, str(port)), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        file,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def server(source: str, folder: Path) -> AsyncIterator[str]:
    """Run a server, and give its address when it listens."""
    port = await free_port()
    async with running(source, port, folder) as process:
        while process.returncode is None:  # the deadline of the test bounds this
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            break
        else:
            pytest.fail((await process.stderr.read()).decode())  # type: ignore[union-attr]
        yield f"ws://127.0.0.1:{port}"


async def free_port() -> int:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as probe:
        return int(probe.sockets[0].getsockname()[1])


async def finish(process: asyncio.subprocess.Process) -> str:
    output, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    return output.decode()


def test_only_the_imports_change() -> None:
    names = sorted(path.name for path in PROGRAMS.glob("*.py"))
    assert len(names) == 7
    for name in names:
        source = (PROGRAMS / name).read_text(encoding="utf-8")
        imported = sum(len(match[2].split(", ")) for match in IMPORT.finditer(source))
        before, after = source.splitlines(), with_websockets(source).splitlines()
        assert [line for line in before if "twoway" not in line] == [line for line in after if "websockets" not in line]
        assert imported == len([line for line in after if "websockets" in line])


async def test_chat(read: Callable[[str], str], tmp_path: Path) -> None:
    async with server(read("chat.py"), tmp_path) as address, connect(f"{address}/tea") as ada:
        await ada.send("Ada")
        assert await ada.recv() == "Ada has come"
        async with connect(f"{address}/tea") as grace, connect(f"{address}/coffee") as alan:
            await grace.send("Grace")
            await alan.send("Alan")
            assert await alan.recv() == "Alan has come"
            for guest in (ada, grace):
                assert await guest.recv() == "Grace has come"
            await grace.send("milk?")
            for guest in (ada, grace):
                assert await guest.recv() == "Grace: milk?"
        assert await ada.recv() == "Grace has gone"


async def test_counter(read: Callable[[str], str], tmp_path: Path) -> None:
    def value(number: int) -> dict[str, object]:
        return {"type": "value", "value": number}

    async with server(read("counter.py"), tmp_path) as address, connect(address) as first:
        assert json.loads(await first.recv()) == {"type": "users", "count": 1}
        assert json.loads(await first.recv()) == value(0)
        await first.send('{"action": "plus"}')
        assert json.loads(await first.recv()) == value(1)
        async with connect(address) as second:
            for client in (first, second):
                assert json.loads(await client.recv()) == {"type": "users", "count": 2}
            assert json.loads(await second.recv()) == value(1)
            await second.send('{"action": "minus"}')
            for client in (first, second):
                assert json.loads(await client.recv()) == value(0)
            await second.send('{"action": "reset"}')
            with pytest.raises(ConnectionClosed) as info:
                await second.recv()
            assert info.value.rcvd is not None
            assert (info.value.rcvd.code, info.value.rcvd.reason) == (1008, "plus or minus")
        assert json.loads(await first.recv()) == {"type": "users", "count": 1}


async def test_reconnecting(read: Callable[[str], str], tmp_path: Path) -> None:
    visits = 0

    async def news(connection: ServerConnection) -> None:
        nonlocal visits
        visits += 1
        assert await connection.recv() == "what is new?"
        if visits == 1:
            await connection.send("rain")
            await connection.close(1012)
        else:
            await connection.send("sun")
            await connection.send("good night")
            await connection.wait_closed()

    async with serve(news, "127.0.0.1", 0) as there:
        port = there.sockets[0].getsockname()[1]
        async with running(read("reconnecting.py"), port, tmp_path) as client:
            assert await finish(client) == "rain\nsun\ngood night\n"
    assert visits == 2


async def test_sync_client(read: Callable[[str], str], tmp_path: Path) -> None:
    async def echo(connection: ServerConnection) -> None:
        assert connection.request is not None and connection.request.headers["X-Visitor"] == "Ada"
        assert "Sec-WebSocket-Extensions" not in connection.request.headers
        async for message in connection:
            if message == "bye":
                await connection.close(1000, "see you")
            else:
                await connection.send(message)

    async with serve(echo, "127.0.0.1", 0) as there:
        port = there.sockets[0].getsockname()[1]
        async with running(read("sync_client.py"), port, tmp_path) as client:
            assert (await finish(client)).splitlines() == [
                "first",
                r"b'\x01\x02'",
                "a message in two fragments",
                "nothing for a while",
                "closed with 1000 see you",
            ]


async def test_sync_server(read: Callable[[str], str], tmp_path: Path) -> None:
    def ask(url: str) -> bytes:
        with urlopen(url) as answer:
            return bytes(answer.read())

    async with server(read("sync_server.py"), tmp_path) as address:
        url = address.replace("ws:", "http:")
        assert await asyncio.to_thread(ask, f"{url}/health") == b"I am well.\n"
        async with connect(address, additional_headers={"X-Visitor": "Ada"}) as client:
            await client.send("one")
            await client.send("bye")
            assert [await client.recv(), await client.recv()] == ["hello, Ada", "one"]
            await client.wait_closed()
            assert (client.close_code, client.close_reason) == (1000, "see you")


async def test_passwords(read: Callable[[str], str], tmp_path: Path) -> None:
    async with server(read("passwords.py"), tmp_path) as address:
        async with connect(
            address, additional_headers=ADA, origin="https://club.example", subprotocols=["club.v1", "club.v2"]
        ) as client:
            assert await client.recv() == f"welcome, ada, by {client.subprotocol}"
            assert client.subprotocol in {"club.v1", "club.v2"}
        for status, options in [
            (401, {"subprotocols": ["club.v2"]}),
            (403, {"additional_headers": ADA, "origin": "https://other.example"}),
        ]:
            with pytest.raises(InvalidStatus) as info:
                await connect(address, **options)  # type: ignore[arg-type]
            assert info.value.response.status_code == status


async def test_routing(read: Callable[[str], str], tmp_path: Path) -> None:
    async with server(read("routing.py"), tmp_path) as address:
        async with connect(f"{address}/echo") as client:
            await client.send("hello")
            assert await client.recv() == "hello"
        for path, answer in [("/table/7", "table 7, white"), ("/table/7/black", "table 7, black")]:
            async with connect(f"{address}{path}") as client:
                assert await client.recv() == answer
        with pytest.raises(InvalidStatus, match="404"):
            await connect(f"{address}/table/x")


# Pairs: before and after


@pytest.fixture(params=["before", "after"])
def half(request: pytest.FixtureRequest) -> Callable[[str], str]:
    return lambda name: (EXAMPLES / f"{name}_{request.param}.py").read_text(encoding="utf-8")


async def test_a_short_client(half: Callable[[str], str], tmp_path: Path) -> None:
    async def echo(connection: ServerConnection) -> None:
        assert connection.request is not None and connection.request.headers["X-Visitor"] == "Ada"
        async for message in connection:
            if message != "silence":
                await connection.send(message)
        ends.append(connection.close_code)

    ends: list[int | None] = []
    async with serve(echo, "127.0.0.1", 0, subprotocols=["chat"]) as there:
        port = there.sockets[0].getsockname()[1]
        async with running(half("from_websocket_client/short"), port, tmp_path) as client:
            assert (await finish(client)).splitlines() == ["subprotocol: chat", "hello", r"b'\x01\x02'", "nothing yet"]
    assert ends == [1000]


async def test_a_client_that_comes_back(half: Callable[[str], str], tmp_path: Path) -> None:
    visits = 0

    async def news(connection: ServerConnection) -> None:
        nonlocal visits
        visits += 1
        assert await connection.recv() == "what is new?"
        await connection.send("rain" if visits == 1 else "sun")
        if visits == 1:
            connection.abort()
        else:
            await connection.send("good night")
            await connection.wait_closed()

    async with serve(news, "127.0.0.1", 0) as there:
        port = there.sockets[0].getsockname()[1]
        async with running(half("from_websocket_client/app"), port, tmp_path) as client:
            output, _ = await client.communicate()  # websocket-client logs to stderr that the server was away
    assert output.decode() == "rain\nsun\ngood night\n"
    assert visits == 2


async def test_a_server_from_aiohttp(half: Callable[[str], str], tmp_path: Path) -> None:
    def ask(url: str) -> bytes:
        with urlopen(url) as answer:
            return bytes(answer.read())

    async with server(half("from_aiohttp/server"), tmp_path) as address:
        url = address.replace("ws:", "http:")
        assert await asyncio.to_thread(ask, f"{url}/health") == b"I am well.\n"
        with pytest.raises(InvalidStatus, match="404"):
            await connect(f"{address}/other")
        async with connect(f"{address}/echo", additional_headers={"X-Visitor": "Ada"}) as client:
            assert await client.recv() == "hello, Ada"
            for message in ("text", b"binary"):
                await client.send(message)
                assert await client.recv() == message
            await client.send("x" * 100_000)
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert client.close_code == 1009


async def test_a_client_from_aiohttp(half: Callable[[str], str], tmp_path: Path) -> None:
    async def echo(connection: ServerConnection) -> None:
        assert connection.request is not None
        await connection.send(f"hello, {connection.request.headers['X-Visitor']}")
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0) as there:
        port = there.sockets[0].getsockname()[1]
        async with running(half("from_aiohttp/client"), port, tmp_path) as client:
            expected = ["hello, Ada", "{'number': 7}", r"b'\x01\x02'", "nothing yet"]
            assert (await finish(client)).splitlines() == expected
