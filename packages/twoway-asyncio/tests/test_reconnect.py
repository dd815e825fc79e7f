"""Connecting again and again: the iteration over `connect`."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import socket
import warnings
from contextlib import aclosing

import pytest

from twoway.asyncio import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidStatus,
    State,
    connect,
    process_exception,
)
from twoway.protocol import InvalidMessage


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
async def test_a_server_that_hangs_up_in_the_handshake_may_be_better_later(wire, behaviour):
    async def behave(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        if behaviour == "reset":
            wire.reset(writer)
        else:
            writer.write(b"HTTP/1.1 101 Sw" if behaviour == "end in the middle" else b"")
            writer.write_eof()
            await reader.read()

    async with wire.server(behave) as uri:
        with pytest.raises(InvalidHandshake) as caught:
            await connect(uri)
    assert process_exception(caught.value) is None


async def test_a_server_that_speaks_something_else_stays_so(wire):
    async def behave(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        await reader.read()

    async with wire.server(behave) as uri:
        with pytest.raises(InvalidMessage):
            async for _ in connect(uri, reconnect_delays=at_once):
                pass


# Iterating


@pytest.mark.feature("reconnect automatically")
async def test_each_step_gives_a_new_connection_and_closes_the_one_before(serving):
    seen = []
    async with serving() as (_, uri):
        async for websocket in connect(uri):
            assert all(before.close_code == 1000 for before in seen)
            await websocket.send("x")
            assert await websocket.recv() == "x"
            seen.append(websocket)
            if len(seen) == 3:
                break
        assert len(set(seen)) == 3
        await websocket.wait_closed()


@pytest.mark.feature("reconnect automatically")
async def test_it_connects_again_when_the_server_has_closed_the_connection(serving):
    async def handler(connection):
        await connection.close(1012, "restart")

    rounds = 0
    async with serving(handler) as (_, uri):
        async for websocket in connect(uri, reconnect_delays=at_once):
            with pytest.raises(ConnectionClosed):
                await websocket.recv()
            rounds += 1
            if rounds == 3:
                break


async def test_the_connection_is_closed_when_the_body_raises(serving):
    websocket = None
    async with serving() as (_, uri):
        with pytest.raises(KeyError):
            async for websocket in connect(uri):
                await websocket.send("x")
                raise KeyError
        await websocket.wait_closed()
        assert websocket.close_code == 1000


async def test_the_connection_is_closed_when_the_body_is_cancelled(serving):
    inside: asyncio.Future = asyncio.get_running_loop().create_future()

    async def use():
        async for websocket in connect(uri):
            inside.set_result(websocket)
            await websocket.recv()

    async with serving() as (_, uri):
        task = asyncio.create_task(use())
        websocket = await inside
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await websocket.wait_closed()
        assert websocket.close_code == 1000


async def test_aclose_waits_until_the_connection_is_closed(serving):
    async with serving() as (_, uri):
        async with aclosing(aiter(connect(uri))) as connections:
            async for websocket in connections:
                assert websocket.state is State.OPEN
                break
        assert websocket.state is State.CLOSED
        await connections.aclose()


async def test_a_connection_that_is_over_is_left_alone(serving):
    async with serving() as (_, uri):
        async for websocket in connect(uri):
            await websocket.close(1001)
            break
        assert websocket.close_code == 1001


def test_a_loop_that_is_left_at_the_end_of_the_program_leaves_no_transport():
    async def handler(reader, writer):
        await reader.read()
        writer.close()

    async def main():
        from twoway.asyncio import serve

        server = await serve(lambda connection: asyncio.Event().wait(), "127.0.0.1", 0)
        async for _ in connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"):
            server._server.close()
            return

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
        gc.collect()


async def test_an_iterator_may_outlive_its_event_loop(serving):
    def run():
        async def main():
            connections = aiter(connect(uri))
            kept.append(connections)
            websocket = await anext(connections)
            websocket.abort()
            await websocket.wait_closed()

        asyncio.run(main())

    kept: list = []
    async with serving() as (_, uri):
        await asyncio.to_thread(run)
        kept.clear()


async def test_an_iterator_may_end_in_another_thread(serving):
    async with serving() as (_, uri):
        kept = [aiter(connect(uri))]
        websocket = await anext(kept[0])
        await asyncio.to_thread(kept.clear)
        await websocket.wait_closed()
        assert websocket.close_code == 1000


# Failures


@pytest.mark.feature("reconnect automatically")
async def test_it_tries_again_until_the_server_is_there(refusing, caplog):
    caplog.set_level(logging.INFO)
    async with refusing(503, 500, 429) as (_, uri):
        async for websocket in connect(uri, reconnect_delays=at_once):
            await websocket.send("x")
            assert await websocket.recv() == "x"
            break
        await websocket.wait_closed()
    records = [record for record in caplog.records if record.name == "twoway.client"]
    assert [record.getMessage().partition(": ")[2] for record in records] == [
        f"connecting failed (InvalidStatus: server rejected WebSocket connection: HTTP {status}); next attempt in 0.0 s"
        for status in (503, 500, 429)
    ]
    assert all(record.exc_info is None and record.levelno == logging.INFO for record in records)


async def test_a_log_line_has_no_secret_of_the_uri_and_no_line_break(nobody, caplog):
    caplog.set_level(logging.INFO)
    with pytest.raises(LookupError):
        async for _ in connect(
            nobody.replace("127", "me:sesame@127", 1) + "?token=sesame",
            additional_headers=fail_with(OSError("two\nlines"), LookupError()),
            reconnect_delays=at_once,
        ):
            pass
    assert "sesame" not in caplog.text
    assert r"two\nlines" in caplog.text


async def test_a_timeout_has_no_secret_of_the_uri(wire, never):
    async with wire.server(never) as uri:
        with pytest.raises(TimeoutError, match=r"^opening handshake with localhost:\d+ timed out$"):
            await connect(f"{uri}?token=sesame", open_timeout=0.05)


def fail_with(*excs):
    remaining = iter(excs)

    def fail():
        raise next(remaining)

    return fail


@pytest.mark.feature("reconnect automatically")
async def test_a_final_failure_is_raised(refusing):
    async with refusing(503, 403) as (_, uri):
        with pytest.raises(InvalidStatus, match="403"):
            async for _ in connect(uri, reconnect_delays=at_once):
                pass


@pytest.mark.feature("reconnect automatically")
async def test_what_is_final_can_be_decided_by_the_caller(refusing):
    class GaveUpError(Exception):
        pass

    def process_exception(exc):
        assert isinstance(exc, InvalidStatus)
        return {403: None, 503: exc, 500: GaveUpError()}[exc.response.status_code]

    async with refusing(403, 503, 500) as (_, uri):
        connector = connect(uri, process_exception=process_exception, reconnect_delays=at_once)
        with pytest.raises(InvalidStatus, match="503"):
            async for _ in connector:
                pass
        with pytest.raises(GaveUpError) as caught:
            async for _ in connector:
                pass
        assert isinstance(caught.value.__cause__, InvalidStatus)


async def test_process_exception_may_raise(nobody):
    def process_exception(exc):
        raise KeyError

    with pytest.raises(KeyError):
        async for _ in connect(nobody, process_exception=process_exception):
            pass


@pytest.mark.feature("reconnect automatically")
async def test_attempts_are_counted_one_after_the_other(refusing):
    async with refusing(500, 500, None, 500, 500, 503) as (_, uri):
        rounds = 0
        with pytest.raises(InvalidStatus, match="503"):
            async for _ in connect(uri, max_attempts=3, reconnect_delays=at_once):
                rounds += 1
        assert rounds == 1


async def test_an_iterator_of_delays_that_ends_ends_the_attempts(nobody, states):
    with pytest.raises(OSError, match="refused|Connect call failed"):
        async for _ in connect(nobody, reconnect_delays=lambda: iter([0, 0]), on_state=states):
            pass
    assert [state for state, _ in states].count("connecting") == 3


async def test_without_delays_the_end_of_a_connection_is_raised(serving):
    async def handler(connection):
        await connection.close(1012, "restart")

    async with serving(handler) as (_, uri):
        with pytest.raises(ConnectionClosedError, match="restart"):
            async for websocket in connect(uri, reconnect_delays=lambda: iter(())):
                await websocket.wait_closed()


@pytest.mark.feature("reconnect automatically")
async def test_a_wait_can_be_cancelled(nobody, states):
    task = asyncio.create_task(anext(aiter(connect(nobody, reconnect_delays=lambda: iter([1000]), on_state=states))))
    while ("waiting", "ConnectionRefusedError") not in states:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# How long it waits


@pytest.fixture
def waits(monkeypatch):
    """Do not wait, but keep for how long it would have been."""
    waits = []
    sleep = asyncio.sleep

    async def note(delay):
        if delay:
            waits.append(delay)
        await sleep(0)

    monkeypatch.setattr("twoway.asyncio._reconnect.asyncio.sleep", note)
    yield waits
    monkeypatch.undo()


async def test_delays_begin_anew_after_a_connection_that_was_open(refusing, waits):
    async with refusing(500, 500, None, 500, None) as (_, uri):
        seen = []
        async for websocket in connect(uri, reconnect_delays=lambda: itertools.count(1)):
            seen.append(websocket)
            if len(seen) == 2:
                break
        await seen[-1].wait_closed()
    assert waits == [1, 2, 1]


@pytest.mark.parametrize(("own", "expected"), [(True, []), (False, [3])])
async def test_after_a_connection_there_is_a_wait_unless_we_closed_it(serving, waits, own, expected):
    async def handler(connection):
        if not own:
            await connection.close(1000)
        await connection.wait_closed()

    rounds = 0
    async with serving(handler) as (_, uri):
        async for websocket in connect(uri, reconnect_delays=lambda: itertools.count(3)):
            rounds += 1
            if rounds == 2:
                break
            if not own:
                await websocket.wait_closed()
        await websocket.wait_closed()
    assert waits == expected


@pytest.mark.feature("reconnect automatically")
async def test_the_server_may_ask_for_a_longer_wait(refusing, waits):
    async with refusing(503, 429, headers={"Retry-After": "30"}) as (_, uri):
        async for websocket in connect(uri, reconnect_delays=lambda: iter([10, 50])):
            assert websocket.state is State.OPEN
            break
        await websocket.wait_closed()
    assert waits == [30, 50]


# States


@pytest.mark.feature("reconnect automatically")
async def test_on_state_tells_what_happens(refusing, states):
    async def handler(connection):
        await connection.close(1000)

    async with refusing(503, handler=handler) as (_, uri):
        async for websocket in connect(uri, reconnect_delays=at_once, on_state=states):
            await websocket.wait_closed()
            if states.count(("connected", None)) == 2:
                break
        await asyncio.sleep(0)
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


async def test_on_state_is_told_before_a_connection_of_a_context_is_left(serving, states):
    async with serving() as (_, uri), connect(uri, on_state=states):
        assert states == [("connecting", None), ("connected", None)]
    assert states[2:] == [("disconnected", "ConnectionClosedOK")]


async def test_an_error_of_on_state_is_logged(serving, caplog):
    async with serving() as (_, uri), connect(uri, on_state=fail_with(*[KeyError()] * 3)) as websocket:
        await websocket.send("x")
        assert await websocket.recv() == "x"
        await websocket.close()
        with pytest.raises(ConnectionClosedOK):
            await websocket.recv()
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
async def test_wrong_delays_are_refused_by_name(nobody, delay, error):
    with pytest.raises(error, match="reconnect_delays"):
        async for _ in connect(nobody, reconnect_delays=lambda: iter([delay])):
            pass


async def test_a_socket_serves_for_one_connection_only():
    with socket.socket() as sock, pytest.raises(ValueError, match="sock"):
        aiter(connect("ws://localhost/", sock=sock))


# What is left behind


@pytest.mark.usefixtures("no_gc")
@pytest.mark.parametrize("status", [403, 503])
async def test_failures_leave_no_reference_cycles(refusing, status):
    class Marker:
        alive = 0

        def __init__(self):
            Marker.alive += 1

        def __del__(self):
            Marker.alive -= 1

    async def attempt():
        marker = Marker()
        async for _ in connect(uri, max_attempts=2, reconnect_delays=at_once):
            pass
        return marker

    async with refusing(*[status] * 2) as (_, uri):
        with pytest.raises(InvalidStatus):
            await attempt()
        for _ in range(10):
            await asyncio.sleep(0)
        assert Marker.alive == 0
