from __future__ import annotations

from typing import Any

import uvicorn

from twoway.uvicorn import WebSocketProtocol


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    assert scope["type"] == "websocket"
    await receive()  # websocket.connect
    if scope["path"] != "/echo":
        await send({"type": "websocket.http.response.start", "status": 404})
        await send({"type": "websocket.http.response.body", "body": b"Only /echo is here.\n"})
        return
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        if event.get("text") == "bye":
            await send({"type": "websocket.close", "code": 1000, "reason": "bye"})
        else:
            await send({**event, "type": "websocket.send"})


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=8765, ws=WebSocketProtocol, lifespan="off")
