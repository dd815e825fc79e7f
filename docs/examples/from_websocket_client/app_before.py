from __future__ import annotations

import websocket


def on_open(app: websocket.WebSocketApp) -> None:
    app.send("what is new?")


def on_message(app: websocket.WebSocketApp, message: str) -> None:
    print(message)
    if message == "good night":
        app.close()


app = websocket.WebSocketApp(
    "ws://127.0.0.1:8765/",
    on_open=on_open,
    on_message=on_message,
)
app.run_forever(reconnect=1, ping_interval=20, ping_timeout=10)
