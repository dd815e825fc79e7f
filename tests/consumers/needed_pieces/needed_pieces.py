"""
Ask a service for sums, line by line: no event loop, and nothing installed that only others need.

    needed-pieces              answers the lines of the standard input
"""

from __future__ import annotations

import importlib.util
import sys
import threading

from twoway.threading import ServerConnection, connect, serve

NOT_NEEDED = ["twoway.asyncio", "twoway.cli", "twoway.speedups", "twoway.uvicorn"]


def add(connection: ServerConnection) -> None:
    """Be the service."""
    for message in connection:
        assert isinstance(message, str)
        connection.send(str(sum(map(int, message.split()))))


def main() -> None:
    """Run the service and its client."""
    assert [name for name in NOT_NEEDED if importlib.util.find_spec(name)] == []
    with serve(add, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever).start()
        port = server.sockets[0].getsockname()[1]
        with connect(f"ws://127.0.0.1:{port}/") as connection:
            for line in sys.stdin:
                connection.send(line)
                print(connection.recv(timeout=10))
        server.shutdown()
    # The event loop of the standard library was not even imported.
    assert "asyncio" not in sys.modules
