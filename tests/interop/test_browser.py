"""What only a browser does: pages with an origin, tabs that close; and our client as what drives the browser."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from twoway.asyncio import Response, serve

PAGE = "<!DOCTYPE html><title>Test</title><p>A page of the tests.</p>"
# In the page: connect, and give what came of it.
OPEN = """
(uri, subprotocols) => new Promise((resolve) => {
  window.socket = new WebSocket(uri, subprotocols);
  socket.onopen = () => resolve({ open: true, subprotocol: socket.protocol });
  socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
})
"""
ECHO = """
(text) => new Promise((resolve) => { socket.onmessage = ({ data }) => resolve(data); socket.send(text); })
"""


def answer_http(connection, request):
    """Serve the page by plain HTTP, on the port of the WebSocket server."""
    return None if request.path == "/ws" else Response.text(200, PAGE, {"Content-Type": "text/html"})


@pytest.fixture
def site(browser):
    """Return what serves a page and opens it: gives the page, the URI of a server, and the connections made to it."""

    @asynccontextmanager
    async def open_site(origins):
        accepted = asyncio.Queue()

        async def handler(connection):
            accepted.put_nowait(connection)
            async for message in connection:
                await connection.send(message)

        async with serve(handler, "127.0.0.1", 0, process_request=answer_http) as server:
            port = server.sockets[0].getsockname()[1]
            async with serve(handler, "127.0.0.1", 0, origins=origins(port)) as other:
                page = await browser.open(f"http://127.0.0.1:{port}/")
                try:
                    yield page, f"ws://127.0.0.1:{other.sockets[0].getsockname()[1]}/ws", accepted
                finally:
                    await page.close()

    return open_site


async def test_an_origin_that_is_welcome(site):
    async with site(lambda port: [f"http://127.0.0.1:{port}"]) as (page, uri, accepted):
        assert (await page.run(OPEN, uri, []))["open"]
        connection = await accepted.get()
        assert connection.request.headers["Origin"] == await page.evaluate("location.origin")
        assert await page.run(ECHO, "żółć") == "żółć"


async def test_an_origin_that_is_not_welcome(site):
    async with site(lambda port: [f"http://127.0.0.1:{port + 1}", "http://127.0.0.1"]) as (page, uri, accepted):
        errors = asyncio.Queue()
        page.listen("Network.webSocketFrameError", errors.put_nowait)
        await page.call("Network.enable")
        assert await page.run(OPEN, uri, []) == {"code": 1006, "reason": "", "wasClean": False}
        assert "403" in (await errors.get())["errorMessage"]
        assert accepted.empty()


async def test_a_page_that_is_closed_is_going_away(site):
    async with site(lambda port: None) as (page, uri, accepted):
        await page.run(OPEN, uri, [])
        connection = await accepted.get()
        await page.close()
        await connection.wait_closed()
        assert connection.close_code == 1001


async def test_a_close_is_clean_on_both_sides(site):
    async with site(lambda port: None) as (page, uri, accepted):
        await page.run(OPEN, uri, [])
        connection = await accepted.get()
        closing = "new Promise(done => socket.onclose = ({code, reason, wasClean}) => done([code, reason, wasClean]))"
        async with asyncio.TaskGroup() as tasks:
            seen = tasks.create_task(page.evaluate(closing))
            await page.evaluate("1")  # the line above is in the page now
            await connection.close(4001, "żegnaj")
        assert seen.result() == [4001, "żegnaj", True]


async def test_the_browser_refuses_a_server_that_chooses_no_subprotocol(site):
    async with site(lambda port: None) as (page, uri, accepted):
        # RFC 6455 §4.1 lets the client go on; the standard of browsers does not.
        assert (await page.run(OPEN, uri, ["chat"]))["code"] == 1006
        connection = await accepted.get()
        await connection.wait_closed()
        assert connection.subprotocol is None


async def test_many_connections_of_one_page(site):
    async with site(lambda port: None) as (page, uri, accepted):
        script = """
        (uri, count) => Promise.all(Array.from({ length: count }, (_, number) => new Promise((resolve) => {
          const socket = new WebSocket(uri);
          socket.onopen = () => socket.send(`number ${number}`);
          socket.onmessage = ({ data }) => { socket.close(); resolve(data); };
        })))
        """
        assert await page.run(script, uri, 10) == [f"number {number}" for number in range(10)]
        for _ in range(10):
            connection = await accepted.get()
            await connection.wait_closed()
            assert connection.close_code == 1005


async def test_our_client_drives_the_browser(browser):
    version = await browser.devtools.call("Browser.getVersion")
    assert "Chrome" in version["product"]
    assert "Origin" not in browser.devtools.websocket.request.headers


async def test_large_answers_of_the_browser(browser):
    page = await browser.open()
    text = json.dumps(list(range(100_000)))
    assert await page.run("(text) => text + text", text) == text * 2
    await page.close()
