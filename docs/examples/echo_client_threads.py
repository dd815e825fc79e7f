from __future__ import annotations

from twoway.threading import connect

with connect("ws://127.0.0.1:8765/") as connection:
    connection.send("Hello")
    print(connection.recv(timeout=5))
    connection.send(b"\x00\x01")
    print(connection.recv(timeout=5))
