"""`connect` without a context: the object itself is used like the connection, and connects when it is needed."""

from __future__ import annotations

import threading

import pytest

from twoway.threading import ConnectionClosedOK, InvalidStatus, State, connect


@pytest.fixture
def seen(serving):
    """Serve; give the address, and the connections that were accepted."""

    class Seen:
        def __init__(self):
            self.connections = []

        def handler(self, connection):
            self.connections.append(connection)
            for message in connection:
                connection.send(message)

        def serve(self, **options):
            return serving(self.handler, **options)

    return Seen()


@pytest.mark.feature("connect over TCP")
def test_it_can_be_used_directly(seen):
    with seen.serve() as (_, uri):
        websocket = connect(uri)
        websocket.send("x")
        assert websocket.recv() == "x"
        websocket.close()
        assert websocket.state is State.CLOSED
        assert websocket.close_code == 1000


def test_nothing_happens_before_the_first_use(seen):
    with seen.serve() as (_, uri):
        websocket = connect(uri)
        assert seen.connections == []
        websocket.send("x")
        assert websocket.recv() == "x"
        assert len(seen.connections) == 1
        websocket.close()


@pytest.mark.parametrize(
    "use",
    [
        lambda websocket: websocket.ping().wait(),
        lambda websocket: websocket.pong(),
        lambda websocket: websocket.send("x"),
        lambda websocket: websocket.remote_address,
        lambda websocket: websocket.response.status_code,
    ],
    ids=["ping", "pong", "send", "remote_address", "response"],
)
def test_any_use_connects_once(seen, until, use):
    with seen.serve() as (_, uri):
        websocket = connect(uri)
        use(websocket)
        use(websocket)
        until(lambda: len(seen.connections) == 1)
        websocket.close()
    assert len(seen.connections) == 1


def test_several_threads_that_use_it_first_share_one_connection(seen, spawn):
    ready = threading.Barrier(8)

    def use():
        ready.wait(20)
        websocket.send("x")

    with seen.serve() as (_, uri):
        websocket = connect(uri)
        for task in [spawn(use) for _ in range(8)]:
            task.result()
        assert [websocket.recv() for _ in range(8)] == ["x"] * 8
        websocket.close()
    assert len(seen.connections) == 1


def test_messages_can_be_received_in_all_ways(seen):
    with seen.serve() as (_, uri):
        websocket = connect(uri)
        for message in ("a", "b", "c"):
            websocket.send(message)
        assert websocket.recv(timeout=20) == "a"
        received = websocket.recv_batch(timeout=20)
        while len(received) < 2:
            received += websocket.recv_batch(timeout=20)
        assert received == ["b", "c"]
        assert websocket.close_code is None
        websocket.close(4000, "enough")
        assert (websocket.close_code, websocket.close_reason) == (4000, "enough")
        with pytest.raises(Exception, match="4000"):
            websocket.recv()


def test_after_the_end_it_does_not_connect_again(seen):
    with seen.serve() as (_, uri):
        websocket = connect(uri)
        websocket.send("x")
        assert websocket.recv() == "x"
        websocket.close()
        with pytest.raises(ConnectionClosedOK):
            websocket.send("y")
        with pytest.raises(ConnectionClosedOK):
            websocket.recv()
        websocket.close()
    assert len(seen.connections) == 1


def test_a_failure_is_raised_by_the_first_use(serving):
    with serving(process_request=lambda connection, request: connection.respond(403, "")) as (_, uri):
        websocket = connect(uri)
        with pytest.raises(InvalidStatus, match="403"):
            websocket.send("x")


def test_a_name_that_does_not_exist_does_not_connect():
    with pytest.raises(AttributeError, match="sent"):
        connect("ws://localhost:1/").sent("x")
