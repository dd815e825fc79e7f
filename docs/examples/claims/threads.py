"""Clients with threads: how many threads are there? And can one thread end what another one waits for?"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from contextlib import ExitStack
from typing import Any

from libraries import accept, library

listener = socket.create_server(("127.0.0.1", 0), backlog=200)
uri = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
accepted: list[socket.socket] = []


def accept_all() -> None:
    """Be a server that accepts everybody, and reads nothing more."""
    while True:
        connection, _ = listener.accept()
        connection.sendall(accept(connection.recv(65536)))
        accepted.append(connection)


def count_threads(api: Any) -> None:
    before = threading.active_count()
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(api.connect(uri)).send("hello")
        print(f"threads of 100 clients: {threading.active_count() - before}", flush=True)
        for connection in accepted:
            connection.close()


def end_a_send(api: Any) -> None:
    ended: list[str] = []

    def send() -> None:
        try:
            connection.send(bytes(50_000_000))
        except api.ConnectionClosed:
            ended.append("send()")

    def close() -> None:
        connection.close()
        ended.append("close()")

    with api.connect(uri, compression=None, close_timeout=1, ping_interval=None) as connection:
        for target in (send, close):
            threading.Thread(target=target, daemon=True).start()
            time.sleep(0.2)
        time.sleep(3)
        print(f"3 s later have ended: {' and '.join(sorted(ended)) or 'neither send() nor close()'}", flush=True)
        os._exit(0)  # some would wait for ever


threading.Thread(target=accept_all, daemon=True).start()
api = library(sys.argv, threads=True)
count_threads(api)
end_a_send(api)
