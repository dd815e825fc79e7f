"""The programs of the pages on authentication, redirects and proxies, run as they stand there."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path

import pytest

from twoway.asyncio import serve

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHOWN = re.compile(r'```python title="docs/examples/([^"]+)"\n(.*?)```', re.DOTALL)


def read(name):
    return (DOCS / "examples" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["authentication.md", "redirects.md", "proxies.md"])
def test_pages_show_the_programs_as_they_are(page):
    shown = SHOWN.findall((DOCS / "howto" / page).read_text(encoding="utf-8"))
    assert shown
    assert all(program == read(name) for name, program in shown)


def output_on(page):
    return re.findall(r"```text\n(.*?)```", (DOCS / "howto" / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("client", ["passwords_client.py", "passwords_client_threads.py"])
def test_passwords(serve, run, client):
    serve(read("passwords_server.py"))
    assert run(read(client)) in output_on("authentication.md")


def test_redirects(start, port):
    async def handler(connection):
        await connection.send(f"welcome to {connection.request.path}")

    def process_request(connection, request):
        if request.path != "/old":
            return None
        response = connection.respond(301, "It is there now.\n")
        response.headers["Location"] = "/new"
        response.headers["Set-Cookie"] = "visited=yes"
        return response

    async def main():
        async with serve(handler, "127.0.0.1", port, process_request=process_request):
            return await asyncio.to_thread(start(read("following_redirects.py")).communicate)

    output, errors = asyncio.run(main())
    assert errors == ""
    assert output in output_on("redirects.md")


def test_a_proxy(start, port):
    async def handler(connection):
        await connection.send(f"welcome to {connection.request.headers['Host']}")

    async def pump(reader, writer):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def proxy(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert "\r\nProxy-Authorization: Basic YWRhOmNvcnJlY3QgaG9yc2U=\r\n" in head
        if head.startswith("CONNECT forbidden.example:80 "):
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        assert head.startswith("CONNECT chat.example:80 HTTP/1.1\r\n")
        assert "\r\nX-Team: blue\r\n" in head
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        there, target = await asyncio.open_connection(*address)
        with suppress(ConnectionError):
            await asyncio.gather(pump(reader, target), pump(there, writer))

    async def main():
        nonlocal address
        async with serve(handler, "127.0.0.1", 0) as server, await asyncio.start_server(proxy, "127.0.0.1", port):
            address = server.sockets[0].getsockname()
            return await asyncio.to_thread(start(read("through_a_proxy.py")).communicate)

    address = None
    output, errors = asyncio.run(main())
    shown = output_on("proxies.md")
    assert output.replace(str(port), "8765") in shown
    assert errors.replace(str(port), "8765") in shown
