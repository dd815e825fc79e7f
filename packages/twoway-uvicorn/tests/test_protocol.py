"""What uvicorn and the transport see of a connection, and what of theirs the application sees."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import time
import weakref

import pytest
import uvicorn
from uvicorn.server import ServerState

from twoway.frames import Close, Ping
from twoway.protocol import ClientOptions, ClientProtocol
from twoway.uvicorn import WebSocketProtocol

ACCEPT = {"type": "websocket.accept"}


# Settings


async def test_compression(serving, echo):
    async with serving(echo) as site:
        client = await site.connect(compress=True)
        before = len(client.wire)
        assert await client.ask("twoway" * 10_000) == "twoway" * 10_000
        assert len(client.wire) - before < 1000


@pytest.mark.parametrize(("setting", "offer"), [(False, True), (True, False)])
async def test_no_compression(serving, echo, setting, offer):
    async with serving(echo, ws_per_message_deflate=setting) as site:
        client = await site.connect(compress=offer)
        assert not client.protocol.extensions
        assert await client.ask("twoway" * 10_000) == "twoway" * 10_000


@pytest.mark.parametrize("compress", [True, False])
async def test_a_message_that_is_too_large(serving, echo, until, log, compress):
    async with serving(echo, ws_max_size=1000) as site:
        client = await site.connect(compress=compress)
        assert await client.ask("x" * 1000) == "x" * 1000
        await client.send("y" * 1001)
        assert (await client.closed()).code == 1009
        await until(lambda: not site.connections)
    assert echo.last["code"] == 1009 and "1000" in echo.last["reason"]
    assert any(line.startswith("connection failed: ") for line in log())
    assert log(logging.ERROR) == []


async def test_what_breaks_the_rules(serving, echo, until):
    async with serving(echo) as site:
        client = await site.connect()
        client.writer.write(b"\x81\x82\x00\x00\x00\x00\xc3\x28")
        assert (await client.closed()).code == 1007
        await until(lambda: not site.connections)
    assert echo.last["code"] == 1007


@pytest.mark.parametrize("compress", [True, False])
async def test_what_came_before_a_violation_is_answered(serving, echo, compress):
    async with serving(echo) as site:
        client = await site.connect(compress=compress)
        client.protocol.send_text("one")
        client.protocol.send_text("two")
        data = b"".join(client.protocol.data_to_send())
        client.writer.write(data + b"\xff\x80\x00\x00\x00\x00")
        assert [await client.next(str) for _ in range(2)] == ["one", "two"]
        assert (await client.closed()).code == 1002
    assert echo.last["code"] == 1002


async def test_a_violation_is_answered_though_the_application_takes_no_notice(serving, monkeypatch, until):
    monkeypatch.setattr("twoway.uvicorn._options.CLOSE_TIMEOUT", 0.05)

    async def app(scope, receive, send):
        await send(ACCEPT)
        await done.wait()

    done = asyncio.Event()
    async with serving(app, ws_max_size=4321) as site:  # settings that no other test has, for they are kept
        client = await site.connect()
        client.writer.write(b"\x81\x80\x00\x00\x00\x00\xff\x80\x00\x00\x00\x00")
        assert (await client.closed()).code == 1002
        done.set()


async def test_keepalive(serving, echo):
    async with serving(echo, ws_ping_interval=0.01, ws_ping_timeout=5) as site:
        client = await site.connect()
        for _ in range(3):
            await client.next(Ping)
        assert await client.ask("still here") == "still here"


async def test_a_client_that_vanishes_is_noticed(serving, echo, until):
    async with serving(echo, ws_ping_interval=0.01, ws_ping_timeout=0.02) as site:
        client = await site.connect()
        client.answering = False
        assert await client.next(Close) == Close(1011, "keepalive ping timeout")
        await until(lambda: echo.last["type"] == "websocket.disconnect")
    assert echo.last == {"type": "websocket.disconnect", "code": 1006, "reason": "keepalive ping timeout"}


@pytest.mark.parametrize("interval", [None, 0])
async def test_no_keepalive(serving, echo, interval):
    async with serving(echo, ws_ping_interval=interval, ws_ping_timeout=0.01) as site:
        client = await site.connect()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.next(Ping), 0.1)


async def test_pings_are_answered_while_the_application_is_busy(serving):
    async def app(scope, receive, send):
        await send(ACCEPT)
        await done.wait()

    done = asyncio.Event()
    async with serving(app) as site:
        client = await site.connect()
        for data in (b"1", b"2"):
            client.protocol.ping(data, now=0)
            client.flush()
            while client.protocol.latency == 0.0 or client.events == []:
                await client.read()
            client.events.clear()
        done.set()


# Ends


@pytest.mark.parametrize("how", ["drop", "reset"])
async def test_a_connection_that_is_lost_is_1006(serving, echo, until, how):
    async with serving(echo) as site:
        client = await site.connect()
        getattr(client, how)()
        await until(lambda: not site.connections)
        await until(lambda: not site.server.server_state.tasks)
    assert echo.last == {"type": "websocket.disconnect", "code": 1006, "reason": ""}


async def test_the_server_is_the_first_to_end_the_stream(serving, echo):
    async with serving(echo) as site:
        client = await site.connect()
        client.protocol.close(1000, now=0)
        client.flush()
        while await client.read():
            pass  # the client waits for the end of the stream, and it comes
        assert not client.writer.is_closing()


async def test_a_client_that_does_not_answer_a_close_is_dropped(serving, monkeypatch, until):
    monkeypatch.setattr("twoway.uvicorn._options.CLOSE_TIMEOUT", 0.05)

    async def app(scope, receive, send):
        await send(ACCEPT)

    async with serving(app, ws_max_size=1234) as site:  # settings that no other test has, for they are kept
        client = await site.connect()
        client.answering = False
        assert await client.next(Close) == Close(1000)
        await until(lambda: not site.connections)


async def test_a_shutdown_is_told_to_both_sides(serving, echo):
    async with serving(echo) as site:
        client = await site.connect()
        shutdown = asyncio.create_task(site.server.shutdown())
        assert await client.closed() == Close(1012)
        await shutdown
    assert echo.last == {"type": "websocket.disconnect", "code": 1012, "reason": ""}


async def test_a_shutdown_refuses_requests_that_are_not_answered(serving, log):
    async def app(scope, receive, send):
        told.extend([await receive(), await receive()])
        await send(ACCEPT)

    told = []
    async with serving(app) as site:
        client = await site.start()
        while not told and not site.server.server_state.tasks:
            await asyncio.sleep(0.001)
        shutdown = asyncio.create_task(site.server.shutdown())
        await client.closed()
        assert client.protocol.response.status_code == 503
        await shutdown
    assert told[1]["code"] == 1006
    assert log(logging.ERROR) == []


async def test_a_shutdown_while_a_refusal_is_on_its_way_or_a_close_does_not_matter(serving, until):
    async def app(scope, receive, send):
        if scope["path"] == "/close":
            await send(ACCEPT)
        await send({"type": "websocket.close"})

    async with serving(app) as site:
        clients = [await site.start(path) for path in ("/close", "/")]
        clients.append(await site.start(alter=lambda request: request.headers.pop("Sec-WebSocket-Key")))
        await until(lambda: [type(each) for each in site.connections] == [WebSocketProtocol] * 3)
        await until(lambda: not site.server.server_state.tasks)
        shutdown = asyncio.create_task(site.server.shutdown())
        await until(lambda: not site.server.servers[0].is_serving())
        for client in clients:
            await client.closed()
        await shutdown
        assert [client.protocol.response.status_code for client in clients] == [101, 403, 400]
        assert clients[0].protocol.close_rcvd == Close(1000)


# Requests


@pytest.mark.parametrize(("name", "value"), [("Transfer-Encoding", "chunked"), ("Content-Length", "5")])
async def test_a_body_is_not_waited_for(serving, echo, name, value):
    def alter(request):
        request.headers[name] = value

    async with serving(echo) as site:
        response, _ = await site.refused(alter=alter)
    assert response.status_code == 400
    assert echo.scopes == []


async def test_a_path_with_bytes_and_a_long_request(serving, echo):
    def alter(request):
        request.headers["X-Long"] = "x" * 20_000
        for number in range(200):
            request.headers[f"X-{number}"] = "y"

    async with serving(echo, h11_max_incomplete_event_size=1 << 20) as site:
        await site.connect("/%FF?%FF", alter=alter)
    assert (echo.scopes[0]["raw_path"], echo.scopes[0]["query_string"]) == (b"/%FF", b"%FF")
    assert dict(echo.scopes[0]["headers"])[b"x-long"] == b"x" * 20_000


# State, TLS, Unix sockets


async def test_state_of_the_lifespan(serving, echo):
    async def app(scope, receive, send):
        if scope["type"] == "websocket":
            await echo(scope, receive, send)
            return
        await receive()
        scope["state"]["shared"] = shared
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    shared = object()
    async with serving(app, lifespan="on") as site:
        await site.connect()
        await site.connect()
    first, second = (scope["state"] for scope in echo.scopes)
    assert first["shared"] is second["shared"] is shared
    assert first is not second


async def test_tls(serving, echo, until):
    async with serving(echo, secure=True) as site:
        client = await site.connect()
        assert await client.ask("secret") == "secret"
        await client.close(1000)
        await until(lambda: not site.connections)
    assert echo.scopes[0]["scheme"] == "wss"
    assert echo.last["code"] == 1000


async def test_a_client_that_keeps_a_tls_connection_is_dropped(serving, monkeypatch, until):
    monkeypatch.setattr("twoway.uvicorn._protocol.CLOSE_TIMEOUT", 0.05)

    async def app(scope, receive, send):
        await send(ACCEPT)
        while True:
            await send({"type": "websocket.send", "bytes": bytes(1_000_000)})

    async with serving(app, secure=True) as site:
        client = await site.connect()
        client.writer.transport.pause_reading()
        client.protocol.close(1000, now=0)
        client.flush()
        await until(lambda: not site.connections)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no Unix sockets")
async def test_unix_sockets(serving, echo, tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        async with serving(echo, listener=listener) as site:
            client = await site.connect()
            assert await client.ask("local") == "local"
    assert (echo.scopes[0]["server"], echo.scopes[0]["client"]) == ((path, None), None)


# Backpressure


async def test_a_slow_application_slows_the_client_down(serving, until):
    async def app(scope, receive, send):
        await receive()
        await send(ACCEPT)
        await go_on.wait()
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return
            received.append(len(event["bytes"]))
            await send({"type": "websocket.send", "text": str(len(received))})

    go_on, received = asyncio.Event(), []
    async with serving(app, ws_max_queue=4) as site:
        client = await site.connect()
        client.writer.transport.set_write_buffer_limits(0)
        sent = 0
        while True:
            client.protocol.send_binary(bytes(100_000))
            client.flush()
            try:
                await asyncio.wait_for(client.writer.drain(), 0.5)
            except TimeoutError:
                break
            sent += 1
            assert sent < 1000
        go_on.set()
        while await client.next(str) != str(sent + 1):
            pass
    assert received == [100_000] * (sent + 1)


async def test_many_small_messages_slow_the_client_down_too(serving, until):
    async def app(scope, receive, send):
        await receive()
        await send(ACCEPT)
        await go_on.wait()
        for _ in range(total):
            await receive()
        await send({"type": "websocket.send", "text": "all"})

    go_on, total = asyncio.Event(), 150_000
    async with serving(app) as site:
        client = await site.connect()
        client.writer.write(b"\x81\x80\x00\x00\x00\x00" * total)
        (connection,) = site.connections
        await until(lambda: not connection._transport.is_reading())
        assert len(connection._inbox) < total
        go_on.set()
        assert await client.next(str) == "all"


async def test_a_slow_client_slows_the_application_down(serving, until):
    async def app(scope, receive, send):
        await send(ACCEPT)
        try:
            while True:
                await send({"type": "websocket.send", "bytes": bytes(100_000)})
                sent.append(1)
        except OSError:
            sent.append(0)
            raise

    sent = []
    async with serving(app) as site:
        client = await site.connect()
        client.writer.transport.pause_reading()
        before = -1
        while before != len(sent):
            before = len(sent)
            await asyncio.sleep(0.2)
        assert len(sent) < 1000
        client.writer.transport.resume_reading()
        while len(sent) < before + 10:
            await client.read()
        client.drop()
        await until(lambda: sent[-1] == 0)


async def test_a_loop_that_only_sends_notices_that_the_client_is_gone(serving, until):
    async def app(scope, receive, send):
        await send(ACCEPT)
        while True:
            await send({"type": "websocket.send", "bytes": bytes(10_000)})

    async with serving(app) as site:
        client = await site.connect()
        client.reset()
        await until(lambda: not site.server.server_state.tasks)


async def test_messages_that_wait_are_answered_in_order_and_together(serving, echo):
    async with serving(echo) as site:
        client = await site.connect()
        messages = [f"{number} " * 5 for number in range(5000)]
        for message in messages:
            client.protocol.send_text(message)
        client.flush()
        assert [await client.next(str) for _ in messages] == messages


# How uvicorn makes it


async def test_it_loads_what_is_not_loaded(echo):
    config = uvicorn.Config(echo, log_config=None, ws=WebSocketProtocol)
    WebSocketProtocol(config, ServerState(), {})
    assert config.loaded_app is not None


async def test_frames_are_logged_where_that_is_wanted(serving, echo, caplog):
    caplog.set_level(logging.DEBUG, "uvicorn.error")
    async with serving(echo) as site:
        await (await site.connect()).ask("something")
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("< TEXT") and "something" in line for line in lines)


async def test_a_late_timer_is_logged(serving, echo, log, until):
    async with serving(echo, ws_ping_interval=0.01, ws_ping_timeout=0.3) as site:
        client = await site.connect()
        client.answering = False
        await client.next(Ping)
        time.sleep(1)
        await until(lambda: any("the event loop was blocked" in line for line in log()))


@pytest.mark.parametrize("end", ["client", "server", "loss", "refusal"])
async def test_nothing_of_a_connection_is_left_for_the_collector(serving, echo, until, end):
    async def leave(scope, receive, send):
        await receive()
        if end == "server":
            await send(ACCEPT)
        await send({"type": "websocket.close"})

    def ours():
        return [each for each in site.connections if isinstance(each, WebSocketProtocol)]

    gc.collect()
    gc.disable()
    try:
        async with serving(echo if end in ("client", "loss") else leave) as site:
            client = await site.start()
            await until(ours)
            connection = weakref.ref(ours()[0])
            while not client.events:
                await client.read()
            await {"client": client.close, "loss": client.lose}.get(end, client.closed)()
            await until(lambda: connection() is None)
    finally:
        gc.enable()


# On a transport that does what sockets seldom do


class Transport(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.pauses, self.aborted, self.written = 0, False, b""

    def write(self, data):
        self.written += data

    def is_closing(self):
        return self.aborted

    def pause_reading(self):
        self.pauses += 1

    def can_write_eof(self):
        return True

    def write_eof(self):
        raise OSError("the client has reset the connection")

    def abort(self):
        self.aborted = True

    close = abort


def connect(app, **options):
    """Open a connection without a server; give its two ends, and the transport."""
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws=WebSocketProtocol, **options)
    connection, transport = WebSocketProtocol(config, ServerState(), {}), Transport()
    client = ClientProtocol("ws://localhost/", ClientOptions())
    client.send_request(client.connect())
    connection.connection_made(transport)
    connection.data_received(b"".join(client.data_to_send()))
    return connection, client, transport


async def answer(client, transport, until):
    await until(lambda: transport.written)
    client.receive_data(transport.written, 0)
    list(client.events())
    return b"".join(client.data_to_send())


async def test_a_reset_that_asyncio_did_not_notice(until):
    async def leave(scope, receive, send):
        await receive()
        await send(ACCEPT)
        await send({"type": "websocket.close"})

    connection, client, transport = connect(leave)
    connection.data_received(await answer(client, transport, until))
    assert transport.aborted
    connection.connection_lost(None)


async def test_what_comes_although_reading_is_paused_is_taken(until):
    events = []

    async def wait(scope, receive, send):
        await receive()
        await send(ACCEPT)
        await more.wait()
        while (event := await receive())["type"] == "websocket.receive":
            events.append(event["text"])

    more = asyncio.Event()
    connection, client, transport = connect(wait, ws_max_queue=1)
    await answer(client, transport, until)
    for text in "abcd":  # those of TLS may have more than they were asked for
        client.send_text(text)
        connection.data_received(b"".join(client.data_to_send()))
    assert transport.pauses == 1
    more.set()
    connection.connection_lost(None)
    await until(lambda: events == list("abcd"))


async def test_a_pong_that_waited_for_room_is_not_written_while_the_transport_writes(until):
    async def wait(scope, receive, send):
        await receive()
        await send(ACCEPT)
        await receive()

    connection, client, transport = connect(wait)
    await answer(client, transport, until)
    connection.pause_writing()
    client.ping(b"still there?", now=0)
    connection.data_received(b"".join(client.data_to_send()))
    transport.written = b""
    # asyncio's transports call this from within a write; one that failed there would end the connection twice.
    connection.resume_writing()
    assert transport.written == b""
    await until(lambda: transport.written == b"\x8a\x0cstill there?")
    connection.connection_lost(None)
