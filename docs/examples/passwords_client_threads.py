from __future__ import annotations

from twoway.threading import InvalidStatus, connect

URI = "ws://127.0.0.1:8765/"

with connect(URI, auth=("ada", "correct horse")) as connection:
    print(connection.recv())
try:
    connect(URI, auth=("ada", "wrong")).connect()
except InvalidStatus as exc:
    print(exc)
