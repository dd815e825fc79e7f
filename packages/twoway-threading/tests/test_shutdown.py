"""`Server.shutdown`: gentle at first, and over when it says."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from time import monotonic

import pytest

from twoway.threading import ConnectionClosed, ConnectionClosedError, InvalidStatus, State, connect, serve
from twoway.threading import _shutdown as module


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Have the constants small: who waits for them waits in vain here."""
    monkeypatch.setattr(module, "_LAST_WORDS", 0.1)
    monkeypatch.setattr(module, "_PATIENCE", 0.2)


def facts(report):
    return {name: getattr(report, name) for name in report.__slots__ if getattr(report, name)}


class Stubborn:
    """Handle connections in a way that nothing ends but the end of the test."""

    def __init__(self):
        self.let_go = threading.Event()
        self.handling = threading.Semaphore(0)

    def __call__(self, connection):
        self.handling.release()
        assert self.let_go.wait(20)

    def begun(self):
        assert self.handling.acquire(timeout=20)


@pytest.fixture
def stubborn():
    return Stubborn()


@pytest.mark.feature("graceful shutdown")
def test_connections_are_closed_and_told_why(serving):
    with serving() as (server, uri), connect(uri) as first, connect(uri) as second:
        report = server.shutdown(code=1012, reason="back soon")
        assert facts(report) == {"closed": 2}
        assert [(one.close_code, one.close_reason) for one in (first, second)] == [(1012, "back soon")] * 2
        assert not server.is_serving()
        server.wait_closed(0)
        with pytest.raises(OSError, match="refused"):
            connect(uri).connect()


def test_the_default_is_going_away(serving):
    with serving() as (server, uri), connect(uri) as client:
        server.shutdown()
        client.wait_closed(20)
        assert (client.close_code, client.close_reason) == (1001, "")


def test_without_connections(serving):
    with serving() as (server, _):
        assert facts(server.shutdown()) == {}


@pytest.mark.feature("graceful shutdown")
def test_handlers_may_finish_their_work(serving):
    finished = []

    def handler(connection):
        for _ in connection:
            pass
        threading.Event().wait(0.05)
        finished.append(connection)

    with serving(handler) as (server, uri), connect(uri):
        assert facts(server.shutdown()) == {"closed": 1}
        assert len(finished) == 1


@pytest.mark.feature("graceful shutdown")
def test_handlers_are_told_by_the_end_of_their_connection(serving):
    ended = []

    def handler(connection):
        try:
            connection.recv()
        except ConnectionClosed:
            ended.append(connection.close_code)

    with serving(handler) as (server, uri), connect(uri) as client:
        assert facts(server.shutdown()) == {"closed": 1}
        assert ended == [1001]
        client.wait_closed(20)


@pytest.mark.feature("graceful shutdown")
def test_handlers_that_end_late_are_counted(serving, spawn, stubborn, until):
    with serving(stubborn) as (server, uri), connect(uri) as client:
        stubborn.begun()
        until_cut_off = spawn(server.shutdown, grace=0.1)
        client.wait_closed(20)
        until(until_cut_off.done)
        assert facts(until_cut_off.result()) == {"closed": 1, "cancelled": 1, "abandoned": 1}
        stubborn.let_go.set()


@pytest.mark.feature("graceful shutdown")
def test_connections_that_do_not_end_are_aborted(serving, wire, until):
    with serving() as (server, uri), wire.opened(uri) as stream:
        until(lambda: server.connections)
        report = server.shutdown(grace=0.1)
        assert (report.aborted, report.closed) == (1, 0)
        with suppress(ConnectionResetError):
            assert stream.read() == wire.close(1001)


def test_a_handler_that_goes_on_cannot_hold_it(serving, stubborn, caplog):
    with serving(stubborn) as (server, uri):
        with connect(uri):
            stubborn.begun()
            assert facts(server.shutdown(grace=0.5)) == {"closed": 1, "cancelled": 1, "abandoned": 1}
            server.wait_closed(0)
        (record,) = caplog.records
        assert "1 " in record.getMessage()
        assert "still run" in record.getMessage()
        stubborn.let_go.set()


def test_without_grace_all_is_cut_off(serving, stubborn, spawn):
    with serving(stubborn) as (server, uri), connect(uri) as client:
        stubborn.begun()
        report = server.shutdown(grace=0)
        assert report.cancelled == 1
        assert report.closed + report.aborted == 1
        client.wait_closed(20)
        stubborn.let_go.set()


@pytest.mark.feature("graceful shutdown")
def test_it_takes_no_longer_than_its_grace_though_close_timeout_is_longer(serving, wire, until):
    """The peer neither reads nor writes, and the handler waits for room in the write buffer."""

    def handler(connection):
        while True:
            connection.send(b"x" * 100_000)

    with (
        serving(handler, close_timeout=None, ping_interval=None, compression=None) as (server, uri),
        wire.client(uri),
    ):
        until(lambda: any(connection.buffered_amount > 65536 for connection in server.connections))
        report = server.shutdown(grace=0.1)
        assert facts(report) == {"aborted": 1, "cancelled": 1}


# Spreading


@pytest.mark.feature("graceful shutdown")
def test_close_frames_are_spread(serving, spawn):
    def wait(client):
        client.wait_closed()
        return monotonic()

    with serving() as (server, uri), ExitStack() as stack:
        clients = [stack.enter_context(connect(uri)) for _ in range(4)]
        waits = [spawn(wait, client) for client in clients]
        begun = monotonic()
        report = server.shutdown(spread=0.4)
        order = sorted(task.result() for task in waits)
        assert facts(report) == {"closed": 4}
        # Not before its turn; how long after it, nobody knows.
        assert all(time - begun >= 0.09 * number for number, time in enumerate(order))


def test_connections_are_served_until_it_is_their_turn(serving, spawn, until):
    with serving() as (server, uri), connect(uri) as first, connect(uri) as second:
        closing = spawn(server.shutdown, spread=5)
        until(lambda: State.CLOSED in (first.state, second.state))
        (last,) = (one for one in (first, second) if one.state is State.OPEN)
        last.send("still there?")
        assert last.recv() == "still there?"
        last.close()
        assert facts(closing.result()) == {"closed": 2}


def test_who_leaves_before_its_turn_needs_no_close_frame(serving, spawn, until):
    with serving() as (server, uri), ExitStack() as stack:
        clients = [stack.enter_context(connect(uri)) for _ in range(5)]
        closing = spawn(server.shutdown, grace=60, spread=60)
        until(lambda: not server.is_serving())
        for client in clients:
            client.abort()
        report = closing.result()
        assert report.closed + report.aborted == 5
        assert report.aborted >= 4


# Opening handshakes


class Thinking:
    """Answer no request before the end of the test."""

    def __init__(self):
        self.begun, self.let_go = threading.Event(), threading.Event()

    def __call__(self, connection, request):
        if request.path != "/fast":
            self.begun.set()
            assert self.let_go.wait(20)


@pytest.fixture
def thinking():
    return Thinking()


@pytest.mark.feature("graceful shutdown")
def test_a_handshake_under_way_gets_503(serving, spawn, thinking):
    with serving(process_request=thinking) as (server, uri):
        client = spawn(connect(uri).connect)
        assert thinking.begun.wait(20)
        closing = spawn(server.shutdown)
        assert isinstance(client.error(), InvalidStatus)
        assert client.error().response.status_code == 503
        thinking.let_go.set()
        assert facts(closing.result()) == {"refused": 1}


@pytest.mark.feature("graceful shutdown")
def test_a_request_that_comes_later_gets_503(serving, wire, spawn, until):
    with serving() as (server, uri), connect(uri), wire.client(uri, b"") as stream:
        until(lambda: len(server._connections) == 2)
        closing = spawn(server.shutdown)
        until(lambda: not server.is_serving())
        stream.write(wire.REQUEST)
        assert stream.read().startswith(b"HTTP/1.1 503 ")
        assert facts(closing.result()) == {"closed": 1, "refused": 1}


@pytest.mark.parametrize("grace", [0.05, 10])
def test_who_sends_no_request_is_not_waited_for(serving, wire, until, grace):
    with serving(open_timeout=None) as (server, uri), wire.client(uri, b"GET /") as stream:
        until(lambda: server._connections)
        assert facts(server.shutdown(grace=grace)) == {}
        with suppress(ConnectionResetError):
            assert stream.read() == b""


def test_a_callback_that_goes_on_cannot_hold_it(serving, wire, thinking, caplog):
    with serving(process_request=thinking) as (server, uri), wire.client(uri):
        assert thinking.begun.wait(20)
        assert facts(server.shutdown(grace=0.05)) == {"refused": 1, "abandoned": 1}
        thinking.let_go.set()
    assert len(caplog.records) == 1


def test_who_was_refused_and_does_not_hang_up_is_not_waited_for(serving, wire):
    with serving(close_timeout=None) as (server, uri), wire.client(uri, b"nonsense\r\n\r\n") as stream:
        stream.readuntil(b"\r\n\r\n")
        assert len(server._connections) == 1
        assert facts(server.shutdown()) == {}
        assert not server._connections


# Calls


def test_further_calls_wait_for_the_first_one(serving, spawn):
    with serving() as (server, uri), connect(uri) as client:
        first, second = (task.result() for task in [spawn(server.shutdown, code=code) for code in (4000, 4000)])
        assert first is second
        assert server.shutdown() is first
        client.wait_closed(20)
        assert client.close_code == 4000
        server.close()


def test_it_bounds_a_close_that_waits(serving, spawn, stubborn):
    with serving(stubborn) as (server, uri), connect(uri):
        stubborn.begun()
        server.close()
        waiting = spawn(server.wait_closed).blocked()
        assert facts(server.shutdown(grace=0.05))["cancelled"] == 1
        waiting.result()
        stubborn.let_go.set()


def test_it_can_be_called_when_all_is_over(serving):
    with serving() as (server, _):
        pass
    assert facts(server.shutdown()) == {}


def test_a_handler_may_ask_for_it(serving, spawn):
    """It waits for itself; that ends with the grace."""

    def handler(connection):
        connection.server.shutdown(grace=0.05)

    with serving(handler) as (server, uri), connect(uri) as client:
        with pytest.raises(ConnectionClosed):
            client.recv()
        server.wait_closed(20)


def test_a_handler_may_close_the_server(serving):
    def handler(connection):
        connection.server.close()
        connection.wait_closed()

    with serving(handler) as (server, uri), connect(uri) as client:
        with pytest.raises(ConnectionClosed):
            client.recv()
        server.wait_closed(20)


def test_serve_forever_ends_with_it(serving, spawn):
    with serving() as (server, _):
        forever = spawn(server.serve_forever).blocked()
        server.shutdown()
        forever.result()


@pytest.mark.parametrize(
    ("arguments", "error", "name"),
    [
        ({"grace": -1}, ValueError, "grace"),
        ({"grace": float("inf")}, ValueError, "grace"),
        ({"grace": None}, TypeError, "grace"),
        ({"grace": True}, TypeError, "grace"),
        ({"spread": 11}, ValueError, "spread must be 0 to 10 seconds"),
        ({"spread": "1"}, TypeError, "spread"),
        ({"code": 999}, ValueError, "code"),
        ({"reason": "x" * 124}, ValueError, "reason"),
    ],
)
def test_wrong_arguments_do_no_harm(serving, arguments, error, name):
    with serving() as (server, _):
        with pytest.raises(error, match=name):
            server.shutdown(**arguments)
        assert server.is_serving()


def test_close_as_in_websockets(serving):
    with serving() as (server, uri), connect(uri) as client:
        server.close(close_connections=True, code=1001, reason="")
        with pytest.raises(ConnectionClosed):
            client.recv()
        server.wait_closed(20)
        assert (client.close_code, client.close_reason) == (1001, "")


@pytest.mark.feature("graceful shutdown")
def test_over_tls(connected, spawn):
    with connected(secure=True) as (client, server):
        closing = spawn(server.server.shutdown, grace=0.5, code=4000)
        with pytest.raises(ConnectionClosedError, match="4000"):
            client.recv()
        assert closing.result().closed == 1


def test_a_server_without_a_context_can_be_shut_down():
    server = serve(lambda connection: None, "127.0.0.1", 0)
    assert facts(server.shutdown()) == {}
    assert server.sockets == ()
