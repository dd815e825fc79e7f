from __future__ import annotations

from twoway.threading import ServerConnection, serve


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


with serve(echo, "127.0.0.1", 8765) as server:
    server.serve_forever()
