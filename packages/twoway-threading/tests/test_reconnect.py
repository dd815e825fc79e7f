"""Connecting again and again: the iteration over `connect`; what the policy decides is tested without I/O."""

from __future__ import annotations

import itertools
import logging
import socket
from contextlib import closing

import pytest

from twoway.protocol import InvalidMessage
from twoway.threading import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidStatus,
    State,
    backoff,
    connect,
    process_exception,
)


def at_once():
    return itertools.repeat(0.0)


@pytest.fixture
def refusing(serving):
    """Serve, but refuse some of the requests: those for which there is a status."""

    def refusing(*statuses, handler=None, headers=None):
        answers = iter(statuses)

        def process_request(connection, request):
            status = next(answers, None)
            if status is None:
                return None
            response = connection.respond(status, "")
            response.headers.update(headers or {})
            return response

        return serving(*(() if handler is None else (handler,)), process_request=process_request)

    return refusing


@pytest.fixture
def nobody():
    """Give the address of a port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"ws://127.0.0.1:{sock.getsockname()[1]}/"


@pytest.fixture
def states():
    """Keep what ``on_state`` is told."""

    class States(list):
        def __call__(self, state, exc):
            self.append((state, type(exc).__name__ if exc is not None else None))

    return States()


# Which failures pass


@pytest.mark.parametrize("behaviour", ["end", "end in the middle", "reset"])
def test_a_server_that_hangs_up_in_the_handshake_may_be_better_later(wire, behaviour):
    def behave(stream):
        stream.readuntil(b"\r\n\r\n")
        if behaviour == "reset":
            stream.reset()
        else:
            stream.write(b"HTTP/1.1 101 Sw" if behaviour == "end in the middle" else b"")
            stream.write_eof()
            stream.read()

    with wire.server(behave) as uri, pytest.raises(InvalidHandshake) as caught:
        connect(uri).connect()
    assert process_exception(caught.value) is None


def test_a_server_that_speaks_something_else_stays_so(wire):
    def behave(stream):
        stream.readuntil(b"\r\n\r\n")
        stream.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        stream.read()

    with wire.server(behave) as uri, pytest.raises(InvalidMessage):
        for _ in connect(uri, reconnect_delays=at_once):
            pass


def test_backoff_is_what_waits_are_made_of():
    assert all(0 <= delay <= 5 for delay in (next(backoff()) for _ in range(20)))


# Iterating


@pytest.mark.feature("reconnect automatically")
def test_each_step_gives_a_new_connection_and_closes_the_one_before(serving):
    seen = []
    with serving() as (_, uri):
        for websocket in connect(uri):
            assert all(before.close_code == 1000 for before in seen)
            websocket.send("x")
            assert websocket.recv() == "x"
            seen.append(websocket)
            if len(seen) == 3:
                break
        assert len(set(seen)) == 3
        websocket.wait_closed()


@pytest.mark.feature("reconnect automatically")
def test_it_connects_again_when_the_server_has_closed_the_connection(serving):
    def handler(connection):
        connection.close(1012, "restart")

    rounds = 0
    with serving(handler) as (_, uri):
        for websocket in connect(uri, reconnect_delays=at_once):
            with pytest.raises(ConnectionClosed):
                websocket.recv()
            rounds += 1
            if rounds == 3:
                break


def test_the_connection_is_closed_when_the_body_raises(serving):
    websocket = None
    with serving() as (_, uri):
        with pytest.raises(KeyError):
            for websocket in connect(uri):
                websocket.send("x")
                raise KeyError
        websocket.wait_closed()
        assert websocket.close_code == 1000


def test_the_connection_is_closed_when_the_body_is_interrupted(serving):
    with serving() as (_, uri):
        with pytest.raises(KeyboardInterrupt):
            for websocket in connect(uri):
                websocket.ping()
                raise KeyboardInterrupt
        websocket.wait_closed(20)
        assert websocket.close_code == 1000


def test_close_waits_until_the_connection_is_closed(serving):
    with serving() as (_, uri):
        with closing(iter(connect(uri))) as connections:
            for websocket in connections:
                assert websocket.state is State.OPEN
                break
        assert websocket.state is State.CLOSED
        connections.close()


def test_a_connection_that_is_over_is_left_alone(serving):
    with serving() as (_, uri):
        for websocket in connect(uri):
            websocket.close(1001)
            break
        assert websocket.close_code == 1001


def test_an_iterator_may_end_in_another_thread(serving, spawn):
    with serving() as (_, uri):
        kept = [iter(connect(uri))]
        websocket = next(kept[0])
        spawn(kept.clear).result()
        websocket.wait_closed(20)
        assert websocket.close_code == 1000


# Failures


@pytest.mark.feature("reconnect automatically")
def test_it_tries_again_until_the_server_is_there(refusing, caplog):
    caplog.set_level(logging.INFO)
    with refusing(503, 500, 429) as (_, uri):
        for websocket in connect(uri, reconnect_delays=at_once):
            websocket.send("x")
            assert websocket.recv() == "x"
            break
        websocket.wait_closed()
    records = [record for record in caplog.records if record.name == "twoway.client"]
    assert [record.getMessage().partition(": ")[2] for record in records] == [
        f"connecting failed (InvalidStatus: server rejected WebSocket connection: HTTP {status}); next attempt in 0.0 s"
        for status in (503, 500, 429)
    ]
    assert all(record.exc_info is None and record.levelno == logging.INFO for record in records)


def test_a_log_line_has_no_secret_of_the_uri_and_no_line_break(nobody, caplog):
    caplog.set_level(logging.INFO)
    with pytest.raises(LookupError):
        for _ in connect(
            nobody.replace("127", "me:sesame@127", 1) + "?token=sesame",
            additional_headers=fail_with(OSError("two\nlines"), LookupError()),
            reconnect_delays=at_once,
        ):
            pass
    assert "sesame" not in caplog.text
    assert r"two\nlines" in caplog.text


def test_a_timeout_has_no_secret_of_the_uri(wire):
    expected = pytest.raises(TimeoutError, match=r"^opening handshake with localhost:\d+ timed out$")
    with wire.server(lambda stream: stream.idle()) as uri, expected:
        connect(f"{uri}?token=sesame", open_timeout=0.05).connect()


def fail_with(*excs):
    remaining = iter(excs)

    def fail():
        raise next(remaining)

    return fail


@pytest.mark.feature("reconnect automatically")
def test_a_final_failure_is_raised(refusing):
    with refusing(503, 403) as (_, uri), pytest.raises(InvalidStatus, match="403"):
        for _ in connect(uri, reconnect_delays=at_once):
            pass


@pytest.mark.feature("reconnect automatically")
def test_what_is_final_can_be_decided_by_the_caller(refusing):
    class GaveUpError(Exception):
        pass

    def process_exception(exc):
        assert isinstance(exc, InvalidStatus)
        return {403: None, 503: exc, 500: GaveUpError()}[exc.response.status_code]

    with refusing(403, 503, 500) as (_, uri):
        connector = connect(uri, process_exception=process_exception, reconnect_delays=at_once)
        with pytest.raises(InvalidStatus, match="503"):
            for _ in connector:
                pass
        with pytest.raises(GaveUpError) as caught:
            for _ in connector:
                pass
        assert isinstance(caught.value.__cause__, InvalidStatus)


def test_process_exception_may_raise(nobody):
    def process_exception(exc):
        raise KeyError

    with pytest.raises(KeyError):
        for _ in connect(nobody, process_exception=process_exception):
            pass


@pytest.mark.feature("reconnect automatically")
def test_attempts_are_counted_one_after_the_other(refusing):
    with refusing(500, 500, None, 500, 500, 503) as (_, uri):
        rounds = 0
        with pytest.raises(InvalidStatus, match="503"):
            for _ in connect(uri, max_attempts=3, reconnect_delays=at_once):
                rounds += 1
        assert rounds == 1


def test_an_iterator_of_delays_that_ends_ends_the_attempts(nobody, states):
    with pytest.raises(OSError, match="refused"):
        for _ in connect(nobody, reconnect_delays=lambda: iter([0, 0]), on_state=states):
            pass
    assert [state for state, _ in states].count("connecting") == 3


def test_without_delays_the_end_of_a_connection_is_raised(serving):
    def handler(connection):
        connection.close(1012, "restart")

    with serving(handler) as (_, uri), pytest.raises(ConnectionClosedError, match="restart"):
        for websocket in connect(uri, reconnect_delays=lambda: iter(())):
            websocket.wait_closed()


# How long it waits


@pytest.fixture
def waits(monkeypatch):
    """Do not wait, but keep for how long it would have been."""
    waits = []
    monkeypatch.setattr("twoway.threading._reconnect.sleep", lambda delay: delay and waits.append(delay))
    return waits


def test_delays_begin_anew_after_a_connection_that_was_open(refusing, waits):
    with refusing(500, 500, None, 500, None) as (_, uri):
        seen = []
        for websocket in connect(uri, reconnect_delays=lambda: itertools.count(1)):
            seen.append(websocket)
            if len(seen) == 2:
                break
        seen[-1].wait_closed()
    assert waits == [1, 2, 1]


@pytest.mark.parametrize(("own", "expected"), [(True, []), (False, [3])])
def test_after_a_connection_there_is_a_wait_unless_we_closed_it(serving, waits, own, expected):
    def handler(connection):
        if not own:
            connection.close(1000)
        connection.wait_closed()

    rounds = 0
    with serving(handler) as (_, uri):
        for websocket in connect(uri, reconnect_delays=lambda: itertools.count(3)):
            rounds += 1
            if rounds == 2:
                break
            if not own:
                websocket.wait_closed()
        websocket.wait_closed()
    assert waits == expected


@pytest.mark.feature("reconnect automatically")
def test_the_server_may_ask_for_a_longer_wait(refusing, waits):
    with refusing(503, 429, headers={"Retry-After": "30"}) as (_, uri):
        for websocket in connect(uri, reconnect_delays=lambda: iter([10, 50])):
            assert websocket.state is State.OPEN
            break
        websocket.wait_closed()
    assert waits == [30, 50]


# States


@pytest.mark.feature("reconnect automatically")
def test_on_state_tells_what_happens(refusing, states, until):
    def handler(connection):
        connection.close(1000)

    with refusing(503, handler=handler) as (_, uri):
        for websocket in connect(uri, reconnect_delays=at_once, on_state=states):
            websocket.wait_closed()
            if states.count(("connected", None)) == 2:
                break
    until(lambda: len(states) >= 10)
    ended = "ConnectionClosedOK"
    assert states == [
        ("connecting", None),
        ("disconnected", "InvalidStatus"),
        ("waiting", "InvalidStatus"),
        ("connecting", None),
        ("connected", None),
        ("disconnected", ended),
        ("waiting", ended),
        ("connecting", None),
        ("connected", None),
        ("disconnected", ended),
    ]


def test_on_state_is_told_before_a_connection_of_a_context_is_left(serving, states):
    with serving() as (_, uri), connect(uri, on_state=states):
        assert states == [("connecting", None), ("connected", None)]
    assert states[2:] == [("disconnected", "ConnectionClosedOK")]


def test_on_state_may_close_another_connection(serving, until):
    """And wait for that: the I/O thread, which is needed for it, waits for nobody."""
    with serving() as (_, uri):
        other = connect(uri).connect()
        closed = []
        websocket = connect(
            uri, on_state=lambda state, exc: state == "disconnected" and (other.close(), closed.append(state))
        )
        websocket.connect().abort()
        until(lambda: closed)
        assert other.state is State.CLOSED


def test_on_state_may_use_the_connection(serving, until):
    """Whatever it does there, the process goes on."""
    told = []

    def on_state(state, exc):
        if state == "disconnected":
            with pytest.raises(ConnectionClosedOK):
                kept[0].recv()
            kept[0].close()
            kept[0].wait_closed()
            told.append(state)

    with serving() as (_, uri):
        connector = connect(uri, on_state=on_state)
        kept = [connector.connect()]
        kept[0].close()
        until(lambda: told)


def test_an_error_of_on_state_is_logged(serving, caplog, until):
    with serving() as (_, uri), connect(uri, on_state=fail_with(*[KeyError()] * 3)) as websocket:
        websocket.send("x")
        assert websocket.recv() == "x"
        websocket.close()
        with pytest.raises(ConnectionClosedOK):
            websocket.recv()
    until(lambda: len(caplog.records) == 3)
    assert [record.getMessage() for record in caplog.records] == ["on_state failed"] * 3


# Wrong arguments


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("max_attempts", 0, ValueError),
        ("max_attempts", 1.5, TypeError),
        ("max_attempts", True, TypeError),
        ("process_exception", None, TypeError),
        ("reconnect_delays", [1, 2], TypeError),
        ("on_state", "connected", TypeError),
    ],
)
def test_wrong_options_are_refused_by_name(name, value, error):
    with pytest.raises(error, match=name):
        connect("ws://localhost/", **{name: value})


@pytest.mark.parametrize(("delay", "error"), [(-1, ValueError), ("1", TypeError), (float("nan"), ValueError)])
def test_wrong_delays_are_refused_by_name(nobody, delay, error):
    with pytest.raises(error, match="reconnect_delays"):
        for _ in connect(nobody, reconnect_delays=lambda: iter([delay])):
            pass


def test_a_socket_serves_for_one_connection_only():
    with socket.socket() as sock, pytest.raises(ValueError, match="sock"):
        iter(connect("ws://localhost/", sock=sock))


# What is left behind


@pytest.mark.usefixtures("no_gc")
@pytest.mark.parametrize("status", [403, 503])
def test_failures_leave_no_reference_cycles(refusing, until, status):
    class Marker:
        alive = 0

        def __init__(self):
            Marker.alive += 1

        def __del__(self):
            Marker.alive -= 1

    def attempt():
        marker = Marker()
        for _ in connect(uri, max_attempts=2, reconnect_delays=at_once):
            pass
        return marker

    with refusing(*[status] * 2) as (_, uri):
        with pytest.raises(InvalidStatus):
            attempt()
        until(lambda: Marker.alive == 0)
