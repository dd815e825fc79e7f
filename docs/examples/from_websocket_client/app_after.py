from __future__ import annotations

from twoway.threading import ConnectionClosed, connect


def main() -> None:
    for ws in connect("ws://127.0.0.1:8765/", ping_interval=20, ping_timeout=10):
        try:
            ws.send("what is new?")
            for message in ws:
                print(message)
                if message == "good night":
                    return
        except ConnectionClosed:
            continue  # connect() waits a little longer each time


main()
