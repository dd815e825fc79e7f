from __future__ import annotations

from twoway.threading import connect

with connect(
    "ws://127.0.0.1:8765/",
    open_timeout=5,
    additional_headers={"X-Visitor": "Ada"},
    subprotocols=["chat"],
) as ws:
    print("subprotocol:", ws.subprotocol)
    ws.send("hello")
    print(ws.recv(timeout=5))
    ws.send(b"\x01\x02")
    print(ws.recv(timeout=5))
    ws.send("silence")
    try:
        ws.recv(timeout=0.1)
    except TimeoutError:
        print("nothing yet")
