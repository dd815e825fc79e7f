"""The programs of the pages on broadcast, Unix sockets, reverse proxies, tests, loops of one's own: run as shown."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from twoway.asyncio import ConnectionClosed, InvalidStatus, connect

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHOWN = re.compile(r'```\w+ title="docs/examples/([^"]+)"\n(.*?)```', re.DOTALL)
PAGES = ["broadcast.md", "unix-sockets.md", "reverse-proxies.md", "testing.md", "own-loop.md"]


def read(name):
    return (DOCS / "examples" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_the_programs_as_they_are(page):
    shown = SHOWN.findall((DOCS / "howto" / page).read_text(encoding="utf-8"))
    assert shown
    assert all(program == read(name) for name, program in shown)


def test_topics(serve, port):
    serve(read("topics.py"))

    async def ask(client, **request):
        await client.send(json.dumps(request))
        return json.loads(await client.recv())

    async def main():
        uri = f"ws://127.0.0.1:{port}/"
        async with connect(uri) as ada, connect(uri) as grace:
            assert await ask(ada, topic="rain") == {"subscribed": "rain"}
            assert await ask(grace, topic="rain", text="at six") == {"published": "rain", "late": 0}
            assert json.loads(await ada.recv()) == {"topic": "rain", "text": "at six"}
            assert await ask(grace, topic="rain") == {"topic": "rain", "text": "at six"}
            # Who publishes is not told.
            assert await ask(grace, topic="rain", text="at seven") == {"published": "rain", "late": 0}
            assert json.loads(await ada.recv()) == {"topic": "rain", "text": "at seven"}

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets there")
def test_unix_sockets():
    command = [sys.executable, DOCS / "examples" / "unix_sockets.py"]
    output = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    assert output == "localhost wants /\nchat.example wants /tea\n"
    assert f"```text\n{output}```" in (DOCS / "howto" / "unix-sockets.md").read_text(encoding="utf-8")


def test_behind_a_proxy(serve, port):
    serve(read("behind_a_proxy.py"))
    uri = f"ws://127.0.0.1:{port}/"

    async def address(*forwarded):
        headers = [("Host", "chat.example"), *(("X-Forwarded-For", value) for value in forwarded)]
        async with connect(uri, additional_headers=headers) as client:
            return await client.recv()

    assert asyncio.run(address()) == "You are 127.0.0.1"
    assert asyncio.run(address("198.51.100.7")) == "You are 198.51.100.7"
    assert asyncio.run(address("10.0.0.1, 10.0.0.2", "198.51.100.7")) == "You are 198.51.100.7"
    with pytest.raises(InvalidStatus, match="421"):
        asyncio.run(connect_to(uri))
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/health", headers={"Host": "chat.example"})
    assert connection.getresponse().status == 200
    connection.close()


async def connect_to(uri):
    await connect(uri)


def test_tests(tmp_path):
    """The tests of the page pass, and notice what is wrong."""

    def run():
        # Without -B the second run could take the compiled code of the first: same size, same second.
        command = [
            sys.executable,
            "-B",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-c",
            os.devnull,
            str(tmp_path),
        ]
        return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, cwd=tmp_path)

    for name in ("calculator.py", "test_calculator.py"):
        (tmp_path / name).write_text(read(f"testing/{name}"), encoding="utf-8")
    result = run()
    assert (result.returncode, "7 passed" in result.stdout) == (0, True), result.stdout
    (tmp_path / "calculator.py").write_text(read("testing/calculator.py").replace("sum(", "max("), encoding="utf-8")
    assert "2 failed, 5 passed" in run().stdout


def test_a_loop_of_ones_own(serve, port):
    process = serve(read("own_loop.py"))
    uri = f"ws://127.0.0.1:{port}/"

    async def main():
        async with connect(uri) as first, connect(uri) as second:
            for message in ("hello", b"\x00\xff", "x" * 500_000):
                for client in (first, second):
                    await client.send(message)
                assert [await first.recv(), await second.recv()] == [message, message]
            second.abort()
            await second.wait_closed()
            await first.send("still there?")
            assert await first.recv() == "still there?"
            await first.close(1000, "thanks")
            assert (first.close_code, first.close_reason) == (1000, "thanks")
        async with connect(uri) as client:
            await client.send("y" * (2**20 + 1))  # more than the server takes
            with pytest.raises(ConnectionClosed) as info:
                await client.recv()
            assert info.value.rcvd.code == 1009

    asyncio.run(main())
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.communicate()[1] == ""
