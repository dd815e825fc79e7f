"""The extension of docs/howto/custom-extension.md, between a client and a server, with compression and without."""

from __future__ import annotations

import asyncio
import re
import runpy
from pathlib import Path

import pytest

from twoway.asyncio import ConnectionClosedError, connect, serve

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "custom_extension.py"
MESSAGES = ["", "text", "é" * 500, b"\x00\x01", b"y" * 100000]


@pytest.fixture(scope="module")
def example():
    return runpy.run_path(str(EXAMPLE))


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def exchange(factory, compression):
    async with serve(echo, "127.0.0.1", 0, extensions=[factory], compression=compression) as server:
        uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with connect(uri, extensions=[factory], compression=compression) as connection:
            for message in MESSAGES:
                await connection.send(message)
                assert await connection.recv() == message
            await connection.send(["in ", "three ", "frames"])
            assert await connection.recv() == "in three frames"
            return connection.response.headers["Sec-WebSocket-Extensions"]


@pytest.mark.feature("extensions of one's own", "asyncio")
@pytest.mark.parametrize("compression", ["deflate", None])
def test_it_works_between_client_and_server(example, compression):
    agreed = asyncio.run(exchange(example["ChecksumFactory"](), compression))
    assert agreed.startswith("x-checksum")
    assert ("permessage-deflate" in agreed) is (compression is not None)


@pytest.mark.feature("extensions of one's own", "asyncio")
def test_a_wrong_checksum_fails_the_connection(example):
    class Wrong(example["Checksum"]):
        def encode(self, frame, *, compress=None):
            return frame.replace(data=frame.data + b"sum?", rsv2=True)

    class WrongFactory(example["ChecksumFactory"]):
        def process_response_params(self, params, accepted_extensions):
            return Wrong()

    async def main():
        async with serve(echo, "127.0.0.1", 0, extensions=[example["ChecksumFactory"]()]) as server:
            uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with connect(uri, extensions=[WrongFactory()]) as connection:
                await connection.send("text")
                with pytest.raises(ConnectionClosedError) as info:
                    await connection.recv()
                return info.value.rcvd.code

    assert asyncio.run(main()) == 1007


def test_it_is_short(example):
    code = re.sub(
        r'^from [^(]*?\(.*?\)\n|^\s*""".*?"""\n|^(from|import) .*\n|^\s*\n',
        "",
        EXAMPLE.read_text(encoding="utf-8"),
        flags=re.M | re.S,
    )
    assert len(code.splitlines()) <= 40
