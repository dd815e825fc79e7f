"""A server without asyncio: one thread for each client, calls that block."""

from __future__ import annotations

from twoway.threading import Request, Response, ServerConnection, serve


def health(connection: ServerConnection, request: Request) -> Response | None:
    return connection.respond(200, "I am well.\n") if request.path == "/health" else None


def handler(connection: ServerConnection) -> None:
    assert connection.request is not None
    connection.send(f"hello, {connection.request.headers.get('X-Visitor', 'nobody')}")
    for message in connection:
        if message == "bye":
            connection.close(1000, "see you")
        else:
            connection.send(message)


def main() -> None:
    with serve(handler, "127.0.0.1", 8765, process_request=health) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
