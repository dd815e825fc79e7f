from __future__ import annotations

from aiohttp import WSMsgType, web


async def echo(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(heartbeat=20, max_msg_size=65536)
    await ws.prepare(request)
    await ws.send_str(f"hello, {request.headers.get('X-Visitor', 'nobody')}")
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await ws.send_bytes(message.data)
        elif message.type is WSMsgType.ERROR:
            print("failed:", ws.exception())
    return ws


async def health(request: web.Request) -> web.Response:
    return web.Response(text="I am well.\n")


app = web.Application()
app.add_routes([web.get("/echo", echo), web.get("/health", health)])
web.run_app(app, host="127.0.0.1", port=8765, print=None)
