"""Servers end in every way that a process can end; clients under load say why, and come back to the next one."""

from __future__ import annotations

import signal
import socket

import pytest

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGSTOP"), reason="NOT TESTED HERE: signals end processes on POSIX"
)

DRIVERS = ("asyncio", "threading")
NAMES = ("a", "b", "c")
# How a server ends -> what clients may say of it: exception, close code, cause. The kernel of a server that is killed
# ends the stream, or resets the connection if something was not read yet.
ENDS = {
    "SIGTERM": {("ConnectionClosedOK", 1001, "REMOTE_CLOSE")},
    "SIGKILL": {("ConnectionClosedError", 1006, "VANISHED"), ("ConnectionClosedError", 1006, "OS_ERROR")},
    "SIGSTOP": {("ConnectionClosedError", 1006, "HEARTBEAT")},
}


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


@pytest.fixture
def serve(start_peer, port):
    """Start a server, and wait until it serves."""

    def serve(driver):
        server = start_peer(driver, "echo", "127.0.0.1", str(port))
        assert server.hear("ports") == [port]
        return server

    return serve


def hear_all(clients, word):
    return [client.hear(word) for client in clients for _ in NAMES]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("driver", DRIVERS)
def test_clients_say_why_and_come_back(start_peer, serve, port, driver, end):
    server = serve(driver)
    clients = [start_peer(name, "load", f"ws://127.0.0.1:{port}/", *NAMES) for name in DRIVERS]
    hear_all(clients, "loaded")
    server.process.send_signal(getattr(signal, end))
    lost = hear_all(clients, "lost")
    assert {(each["kind"], each["code"], each["cause"]) for each in lost} <= ENDS[end]
    # What came before the end came in order.
    assert {each["problem"] for each in lost} == {""}
    if end == "SIGTERM":
        everybody = len(clients) * len(NAMES)
        assert server.hear("shutdown") == [dict.fromkeys(server_counts(), 0) | {"closed": everybody}]
        server.finish()
    else:
        server.kill()
    serve(driver)
    hear_all(clients, "loaded")
    assert [client.errors() for client in clients] == ["", ""]


def server_counts():
    return ("closed", "aborted", "refused", "cancelled", "abandoned")
