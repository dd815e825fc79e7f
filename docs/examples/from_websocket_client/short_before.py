from __future__ import annotations

import websocket

ws = websocket.create_connection(
    "ws://127.0.0.1:8765/",
    timeout=5,
    header=["X-Visitor: Ada"],
    subprotocols=["chat"],
)
print("subprotocol:", ws.getsubprotocol())
ws.send("hello")
print(ws.recv())
ws.send_binary(b"\x01\x02")
print(ws.recv())
ws.send("silence")
try:
    ws.settimeout(0.1)
    ws.recv()
except websocket.WebSocketTimeoutException:
    print("nothing yet")
ws.close()
