from __future__ import annotations

import logging

from twoway.threading import ConnectionClosed, backoff, connect

logging.basicConfig(level=logging.INFO)  # a line for each attempt that fails
for websocket in connect("ws://127.0.0.1:8765/", reconnect_delays=lambda: backoff(initial_delay=0.5, max_delay=30)):
    try:
        for message in websocket:
            print("received", message)
            if message == "that was all":
                raise SystemExit
    except ConnectionClosed:
        continue
