"""
A Starlette application as there are many; it knows nothing of what speaks WebSocket below it.

uvicorn asgi_server:app --ws twoway.uvicorn:WebSocketProtocol
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect


class Shared(TypedDict):
    """What all connections share."""

    ends: list[tuple[int, str]]


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[Shared]:
    """Make it when the server starts."""
    yield {"ends": []}


async def home(request: Request) -> HTMLResponse:
    """Show a page that a browser may connect from."""
    return HTMLResponse("<!DOCTYPE html><title>Consumer</title>")


async def ends(request: Request) -> JSONResponse:
    """Tell how connections have ended."""
    return JSONResponse(request.state.ends)


async def echo(websocket: WebSocket) -> None:
    """Send back what comes."""
    await websocket.accept()
    try:
        while True:
            event = await websocket.receive()
            if event["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(event["code"], event["reason"])
            if event.get("text") is not None:
                await websocket.send_text(event["text"])
            else:
                await websocket.send_bytes(event["bytes"])
    except WebSocketDisconnect as exc:
        websocket.state.ends.append((exc.code, exc.reason))


async def room(websocket: WebSocket) -> None:
    """Choose a subprotocol, set a cookie, tell what is known of the client, and close."""
    await websocket.accept(subprotocol="v2", headers=[(b"set-cookie", b"seen=1; Path=/")])
    facts = {"room": websocket.path_params["name"], "query": dict(websocket.query_params)}
    await websocket.send_json({**facts, "origin": websocket.headers.get("origin")})
    await websocket.close(4001, "żegnaj")


async def denied(websocket: WebSocket) -> None:
    """Refuse with an answer of our own."""
    await websocket.send_denial_response(JSONResponse({"detail": "Who are you?"}, 401, {"www-authenticate": "Basic"}))


async def closed(websocket: WebSocket) -> None:
    """Refuse without one."""
    await websocket.close()


async def failing(websocket: WebSocket) -> None:
    """Fail, before or after the handshake."""
    if "late" in websocket.query_params:
        await websocket.accept()
    raise LookupError("this is meant to fail")


async def flood(websocket: WebSocket) -> None:
    """Send more than fits into any buffer."""
    await websocket.accept()
    for number in range(200):
        await websocket.send_bytes(number.to_bytes(2) * 50_000)
    await websocket.close()


app = Starlette(
    routes=[
        Route("/", home),
        Route("/ends", ends),
        WebSocketRoute("/echo", echo),
        WebSocketRoute("/denied", denied),
        WebSocketRoute("/closed", closed),
        WebSocketRoute("/failing", failing),
        WebSocketRoute("/flood", flood),
        Mount("/rooms", routes=[WebSocketRoute("/{name}", room)]),
    ],
    lifespan=lifespan,
)
