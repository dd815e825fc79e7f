"""aiohttp."""

from __future__ import annotations

from typing import Any

from _peer import BATCH, END, HOST, TEXT, Measurement, Options, hold, read_options, run
from aiohttp import ClientSession, web


async def echo(socket: Any) -> None:
    """Answer each message with itself."""
    async for message in socket:
        await socket.send_str(message.data)


async def receive(socket: Any) -> None:
    """Take what is pushed, and say how much it was."""
    number = 0
    async for message in socket:
        if message.data == END:
            await socket.send_str(str(number))
        number += 1


everybody: set[Any] = set()


async def spread(socket: Any) -> None:
    """Send each message to all who are there; there is no function for that."""
    everybody.add(socket)
    try:
        async for message in socket:
            for other in everybody:
                await other.send_str(message.data)
    finally:
        everybody.discard(socket)


async def serve_role(options: Options) -> None:
    """Be a server."""
    handler = {"echo": echo, "receive": receive, "broadcast": spread}[options.role]

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=0, compress=options.compressed)
        await socket.prepare(request)
        await handler(socket)
        return socket

    application = web.Application()
    application.router.add_get("/", handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, options.port, ssl_context=options.context, backlog=1000).start()
    await hold()


async def request(socket: Any, options: Options) -> None:
    """Send a message and wait for the answer, again and again."""

    async def exchange() -> None:
        for _ in range(BATCH):
            await socket.send_str(TEXT)
            await socket.receive()

    await exchange()
    measurement, number = Measurement(), 0
    while measurement.goes_on(options.seconds):
        await exchange()
        number += BATCH
    measurement.finish(number)


async def consume(socket: Any, options: Options) -> None:
    """Take all that a server pushes."""
    measurement, number = Measurement(), 0
    async for _ in socket:
        number += 1
    measurement.finish(number)


async def connect_role(options: Options) -> None:
    """Be a client."""
    async with ClientSession() as session, session.ws_connect(options.uri, max_msg_size=0) as socket:
        await {"request": request, "consume": consume}[options.role](socket, options)


options = read_options()
run(connect_role(options) if options.role in ("request", "consume") else serve_role(options), options.loop)
