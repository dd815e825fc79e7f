"""`serve` and `Server`: options, callbacks, handlers, and what clients may send instead of a handshake."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from contextlib import suppress

import pytest

from twoway.asyncio import (
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidStatus,
    Response,
    ServerConnection,
    State,
    connect,
    serve,
)
from twoway.http import HTTPLimits


@pytest.fixture
def answered(serving, wire):
    """Send a request to a server; give status and text of the answer."""

    async def answered(request=None, **options):
        async with serving(**options) as (_, uri), wire.client(uri, request) as (reader, _):
            if request is None:
                answer = await reader.readuntil(b"\r\n\r\n")
            else:
                answer = await reader.read()
            return int(answer.split(b" ", 2)[1]), answer.decode("latin-1")

    return answered


def with_header(request, line):
    return request.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n")


# Options


@pytest.mark.feature("check the Origin header")
async def test_origins_are_checked(answered, wire):
    for origin, status in ((b"https://example.org", 101), (b"https://evil.org", 403), (b"https://a.example.org", 101)):
        request = with_header(wire.REQUEST, b"Origin: " + origin)
        origins = ["https://example.org", re.compile(r"https://\w+\.example\.org")]
        async with asyncio.timeout(5):
            answer = await answered(request + wire.close(masked=True), origins=origins)
        assert answer[0] == status


@pytest.mark.feature("check the Host header, against DNS rebinding")
async def test_hosts_are_checked(answered, wire):
    assert (await answered(allowed_hosts=["localhost"]))[0] == 101
    assert (await answered(wire.REQUEST, allowed_hosts=["example.org"]))[0] == 421


@pytest.mark.feature("negotiate a subprotocol")
async def test_subprotocols_are_chosen(serving):
    async with serving(subprotocols=["b", "a"]) as (_, uri):
        async with connect(uri, subprotocols=["a", "b"]) as client:
            assert client.subprotocol in ("a", "b")
        async with connect(uri, subprotocols=["c"]) as client:
            assert client.subprotocol is None


@pytest.mark.feature("choose the subprotocol in a callback")
async def test_a_callback_chooses_the_subprotocol(serving):
    def select(connection, offered):
        assert isinstance(connection, ServerConnection)
        return offered[-1]

    async with serving(select_subprotocol=select) as (_, uri), connect(uri, subprotocols=["a", "b"]) as client:
        assert client.subprotocol == "b"


@pytest.mark.feature("set the Server header")
async def test_the_server_header(answered):
    assert "Server: Python/" in (await answered())[1]
    assert "Server: mine" in (await answered(server_header="mine"))[1]
    assert "Server:" not in (await answered(server_header=None))[1]


@pytest.mark.feature("limits against hostile peers")
async def test_messages_and_frames_are_limited_to_max_size(connected):
    for limit, message in ((10, "x" * 11), ((20, 10), "x" * 11), ((15, 10), ["x" * 10] * 2)):
        async with connected(server={"max_size": limit, "close_timeout": 0.1}) as (client, _):
            await client.send(message)
            with pytest.raises(ConnectionClosedError, match="1009"):
                await client.recv()


@pytest.mark.feature("limits against hostile peers")
async def test_limits_of_the_request(answered, wire):
    request = with_header(wire.REQUEST, b"A: " + b"x" * 100)
    assert (await answered(request, limits=HTTPLimits(max_line=90)))[0] == 431


@pytest.mark.feature("logging")
async def test_a_logger_gets_the_frames(connected, caplog):
    caplog.set_level(logging.DEBUG, "mine")
    async with connected(server={"logger": logging.getLogger("mine")}) as (client, _):
        await client.send("hello")
    assert any("hello" in record.getMessage() for record in caplog.records)


@pytest.mark.feature("opening handshake")
async def test_connections_can_be_of_a_class_of_ones_own(connected):
    class Mine(ServerConnection):
        pass

    async with connected(server={"create_connection": Mine}) as (_, server):
        assert isinstance(server, Mine)


@pytest.mark.feature("compression: permessage-deflate")
@pytest.mark.parametrize("compression", ["deflate", None])
async def test_compression_is_accepted_unless_it_is_turned_off(connected, compression):
    async with connected(server={"compression": compression}) as (client, _):
        assert [extension.name for extension in client.extensions] == (["permessage-deflate"] if compression else [])


@pytest.mark.feature("serve on an existing socket")
async def test_it_can_use_a_socket(serving):
    sock = socket.create_server(("127.0.0.1", 0))
    async with serve(lambda connection: connection.send("hi"), sock=sock) as server:
        assert [one.getsockname() for one in server.sockets] == [sock.getsockname()]
        async with connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/") as client:
            assert await client.recv() == "hi"


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("handler", 5, TypeError),
        ("origins", "https://example.org", TypeError),
        ("allowed_hosts", "localhost", TypeError),
        ("subprotocols", "chat", TypeError),
        ("compression", "zip", ValueError),
        ("select_subprotocol", 5, TypeError),
        ("process_request", 5, TypeError),
        ("process_response", 5, TypeError),
        ("open_timeout", -1, ValueError),
        ("ping_interval", 0, ValueError),
        ("ping_timeout", -1, ValueError),
        ("close_timeout", "1", TypeError),
        ("idle_release", 0, ValueError),
        ("max_size", -1, ValueError),
        ("max_queue", -1, ValueError),
        ("write_limit", "1", TypeError),
        ("limits", 5, TypeError),
    ],
)
def test_wrong_options_are_refused_by_name(name, value, error):
    options = {"handler": lambda connection: None, name: value}
    with pytest.raises(error, match=name):
        serve(**options)


# Callbacks of the opening handshake


@pytest.mark.feature("answer with an HTTP response")
@pytest.mark.parametrize("coroutine", [False, True])
async def test_process_request_can_answer(answered, wire, coroutine):
    def process_request(connection, request):
        return connection.respond(200, f"path {request.path}\n")

    async def process_request_later(connection, request):
        return process_request(connection, request)

    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    status, text = await answered(request, process_request=process_request_later if coroutine else process_request)
    assert status == 200
    assert text.endswith("\r\n\r\npath /health\n")
    assert "Date: " in text


@pytest.mark.feature("answer with an HTTP response")
async def test_process_request_answers_a_client_that_has_closed_its_side(serving, wire):
    async def process_request(connection, request):
        await asyncio.sleep(0.01)
        return connection.respond(200, "hello\n")

    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serving(process_request=process_request) as (_, uri), wire.client(uri, request) as (reader, writer):
        writer.write_eof()
        assert (await reader.read()).endswith(b"hello\n")


async def test_what_a_client_sent_before_it_left_is_handled(serving, wire):
    received = []

    async def handler(connection):
        received.extend([message async for message in connection])

    request = wire.REQUEST + wire.frame(0x81, b"last words", masked=True) + wire.close(masked=True)
    async with serving(handler) as (_, uri), wire.client(uri, request) as (reader, _):
        await reader.read()
    assert received == ["last words"]


async def test_process_request_can_say_who_the_peer_is(serving):
    def process_request(connection, request):
        assert connection.username is None
        connection.username = request.headers.get("X-User")

    async def handler(connection):
        await connection.send(f"hello {connection.username}")

    async with serving(handler, process_request=process_request) as (_, uri):
        async with connect(uri, additional_headers={"X-User": "ada"}) as client:
            assert await client.recv() == "hello ada"
        async with connect(uri) as client:
            assert await client.recv() == "hello None"


async def test_respond_refuses_a_status_that_cannot_be(connected):
    async with connected() as (_, server):
        with pytest.raises(ValueError, match="status"):
            server.respond(101, "no")


@pytest.mark.feature("alter request and response of the handshake")
@pytest.mark.parametrize("coroutine", [False, True])
async def test_process_response_can_alter_and_replace(serving, coroutine):
    def process_response(connection, request, response):
        if request.path == "/replace":
            return Response.text(402, "Pay.\n")
        response.headers["X-One"] = "1"
        return None

    async def process_response_later(connection, request, response):
        return process_response(connection, request, response)

    callback = process_response_later if coroutine else process_response
    async with serving(process_response=callback) as (_, uri):
        async with connect(uri) as client:
            assert client.response.headers["X-One"] == "1"
        with pytest.raises(InvalidStatus, match="402"):
            await connect(uri + "replace")


@pytest.mark.feature("alter request and response of the handshake")
@pytest.mark.parametrize("name", ["process_request", "process_response", "select_subprotocol"])
async def test_a_callback_that_raises_is_answered_with_500(serving, caplog, name):
    def callback(*args):
        raise KeyError("oops")

    async with serving(**{name: callback}) as (_, uri):
        for _ in range(2):
            with pytest.raises(InvalidStatus, match="500") as caught:
                await connect(uri, subprotocols=["a"])
            assert b"oops" not in caught.value.response.body
    assert [record.exc_info[0] for record in caplog.records] == [KeyError] * 2


@pytest.mark.parametrize("answer", ["text", (200, [], b""), Response(99, "No")])
async def test_a_callback_that_returns_nonsense_is_answered_with_500(answered, caplog, wire, answer):
    assert (await answered(wire.REQUEST, process_request=lambda connection, request: answer))[0] == 500
    assert len(caplog.records) == 1


# Handlers


@pytest.mark.feature("close the connection when its handler returns")
@pytest.mark.parametrize("error", [KeyError("oops"), asyncio.CancelledError(), TimeoutError()])
async def test_a_handler_that_raises_closes_with_1011_and_the_server_goes_on(serving, caplog, error):
    async def handler(connection):
        if await connection.recv() == "raise":
            raise error
        await connection.send("fine")

    async with serving(handler) as (_, uri):
        async with connect(uri) as client:
            await client.send("raise")
            with pytest.raises(ConnectionClosedError) as caught:
                await client.recv()
            assert caught.value.rcvd.code == 1011
        async with connect(uri) as client:
            await client.send("x")
            assert await client.recv() == "fine"
    assert [(record.getMessage(), record.exc_info[0]) for record in caplog.records] == [
        ("connection handler failed", type(error))
    ]


async def test_a_handler_that_raises_for_the_end_of_its_connection_is_no_news(serving, caplog):
    async def handler(connection):
        await connection.recv()

    async with serving(handler) as (_, uri), connect(uri) as client:
        client.abort()
    assert caplog.records == []


async def test_a_handler_that_raises_for_the_end_of_another_connection_has_failed(serving, caplog):
    async with serving() as (_, uri), connect(uri) as other:
        await other.close()

        async def handler(connection):
            await other.recv()

        async with serving(handler) as (_, second), connect(second) as client:
            with pytest.raises(ConnectionClosedError, match="1011"):
                await client.recv()
    assert [record.exc_info[0] for record in caplog.records] == [ConnectionClosedOK]


@pytest.mark.feature("close the connection when its handler returns")
async def test_the_connection_is_closed_when_the_handler_returns(serving):
    async def handler(connection):
        await connection.send("bye")

    async with serving(handler) as (_, uri), connect(uri) as client:
        assert [message async for message in client] == ["bye"]
        assert client.close_code == 1000


# The server


@pytest.mark.feature("opening handshake")
@pytest.mark.feature("serve on TCP")
async def test_it_can_be_awaited_and_tells_about_itself():
    server = await serve(lambda connection: connection.recv(), "127.0.0.1", 0)
    assert server.is_serving()
    assert server.get_loop() is asyncio.get_running_loop()
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/"):
            assert [connection.state for connection in server.connections] == [State.OPEN]
    assert not server.is_serving()
    assert (server.sockets, server.connections) == ((), set())


@pytest.mark.feature("close the server at the end of its context")
async def test_closing_the_server_closes_its_connections(serving):
    async with serving() as (server, uri), connect(uri) as client:
        server.close(code=4000, reason="enough")
        server.close()
        with pytest.raises(ConnectionClosedError, match="enough"):
            await client.recv()
        assert client.close_code == 4000
        await server.wait_closed()
        with pytest.raises(OSError, match="refused|Connect call failed"):
            await connect(uri)


async def test_connections_can_outlive_the_server(serving):
    async with serving() as (server, uri), connect(uri) as client:
        server.close(close_connections=False)
        await client.send("still here")
        assert await client.recv() == "still here"


@pytest.mark.parametrize(("arguments", "error"), [({"code": 1005.5}, TypeError), ({"code": 999}, ValueError)])
async def test_wrong_arguments_of_close_do_no_harm(serving, arguments, error):
    async with serving() as (server, _):
        with pytest.raises(error, match="code"):
            server.close(**arguments)
        assert server.is_serving()


@pytest.mark.feature("close the server at the end of its context")
async def test_who_comes_while_the_server_closes_is_turned_away(serving):
    """Such a connection has been accepted already, and is told in the next iteration of the event loop."""
    async with serving() as (server, _):
        server.close()
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(server._new_connection, theirs)
        with ours:
            assert ours.recv(1) == b""


@pytest.mark.feature("close the server at the end of its context")
async def test_handshakes_under_way_are_refused_when_the_server_closes(serving, wire):
    thinking = asyncio.Event()

    async def process_request(connection, request):
        thinking.set()
        await asyncio.Event().wait()

    async with (
        serving(process_request=process_request) as (server, uri),
        wire.client(uri) as (reader, _),
        wire.client(uri, b"GET /") as (silent, _),
    ):
        await thinking.wait()
        server.close()
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
        with suppress(ConnectionResetError):
            assert await silent.read() == b""


@pytest.mark.feature("serve on TCP")
async def test_serve_forever_ends_with_its_task(serving):
    async with serving() as (server, uri), connect(uri) as client:
        forever = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        forever.cancel()
        with pytest.raises(asyncio.CancelledError):
            await forever
        assert client.close_code == 1001
        await server.serve_forever()
