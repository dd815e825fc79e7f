"""What is done about a peer that reads more slowly than we send, or sends more than we read."""

from __future__ import annotations

from contextlib import suppress

import pytest

from twoway.threading import ConnectionClosedError, State, connect, serve

CHUNK = b"x" * 65536


def send_until_slow(server) -> None:
    """Send until a message is skipped, or the connection is failed."""
    while server.send(CHUNK, compress=False):
        pass


def test_waiting_is_the_default(connected, spawn):
    with connected(client={"max_queue": 1}) as (client, server):
        sending = [spawn(server.send, CHUNK * 16, compress=False) for _ in range(20)]
        received = [client.recv() for _ in sending]
        assert [task.result() for task in sending] == [True] * 20
        assert received == [CHUNK * 16] * 20


def test_skipping_tells_so_and_goes_on(connected):
    with connected(client={"max_queue": 1}, server={"slow_consumer": "skip"}) as (client, server):
        send_until_slow(server)
        assert server.send(["also", "skipped"]) is False
        while not server.send("sent"):
            with suppress(TimeoutError):  # all is received, and the server is about to notice
                assert client.recv(timeout=0.1) == CHUNK
        while (message := client.recv()) != "sent":
            assert message == CHUNK


def test_closing_fails_the_connection(connected):
    options = {"slow_consumer": "close", "close_timeout": 0.1}
    with connected(client={"max_queue": 1}, server=options) as (client, server):
        with pytest.raises(ConnectionClosedError, match="too slow"):
            send_until_slow(server)
        with pytest.raises(ConnectionClosedError):
            server.send("more")
        server.wait_closed()
        assert server.state is State.CLOSED
        assert server.close_sent.code == 1008
        with pytest.raises(ConnectionClosedError):
            while True:
                client.recv()


def test_a_queue_is_limited_in_bytes(connected, spawn, until):
    options = {"max_queue": None, "max_queue_bytes": 100_000, "compression": None}
    with connected(client=options) as (client, server):
        server.send([b"first"])
        assert client.recv() == b"first"
        sending = [spawn(server.send, CHUNK * 8) for _ in range(40)]
        until(lambda: server.buffered_amount > 1_000_000)  # 20 MB fit nowhere else but there
        assert [client.recv() for _ in range(40)] == [CHUNK * 8] * 40
        assert [task.result() for task in sending] == [True] * 40


@pytest.mark.parametrize("make", [lambda **kwargs: connect("ws://localhost/", **kwargs), lambda **k: serve(print, **k)])
@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"slow_consumer": "drop"}, ValueError, "slow_consumer must be one of 'wait', 'skip', 'close', not 'drop'"),
        ({"max_queue_bytes": -1}, ValueError, "max_queue_bytes must be >= 0"),
        ({"max_queue_bytes": "1"}, TypeError, "max_queue_bytes must be an int"),
    ],
)
def test_wrong_arguments(make, arguments, error, says):
    with pytest.raises(error, match=says):
        make(**arguments)
