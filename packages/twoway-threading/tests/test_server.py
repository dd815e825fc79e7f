"""`serve` and `Server`: options, callbacks, handlers, and what clients may send instead of a handshake."""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from contextlib import suppress

import pytest

from twoway.http import HTTPLimits
from twoway.threading import (
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidStatus,
    Response,
    ServerConnection,
    State,
    connect,
    serve,
)


@pytest.fixture
def answered(serving, wire):
    """Send a request to a server; give status and text of the answer."""

    def answered(request=None, **options):
        with serving(**options) as (_, uri), wire.client(uri, request) as stream:
            answer = stream.readuntil(b"\r\n\r\n") if request is None else stream.read()
            return int(answer.split(b" ", 2)[1]), answer.decode("latin-1")

    return answered


def with_header(request, line):
    return request.replace(b"\r\n\r\n", b"\r\n" + line + b"\r\n\r\n")


# Options


@pytest.mark.feature("check the Origin header")
def test_origins_are_checked(answered, wire):
    for origin, status in ((b"https://example.org", 101), (b"https://evil.org", 403), (b"https://a.example.org", 101)):
        request = with_header(wire.REQUEST, b"Origin: " + origin)
        origins = ["https://example.org", re.compile(r"https://\w+\.example\.org")]
        answer = answered(request + wire.close(masked=True), origins=origins)
        assert answer[0] == status


@pytest.mark.feature("check the Host header, against DNS rebinding")
def test_hosts_are_checked(answered, wire):
    assert answered(allowed_hosts=["localhost"])[0] == 101
    assert answered(wire.REQUEST, allowed_hosts=["example.org"])[0] == 421


@pytest.mark.feature("negotiate a subprotocol")
def test_subprotocols_are_chosen(serving):
    with serving(subprotocols=["b", "a"]) as (_, uri):
        with connect(uri, subprotocols=["a", "b"]) as client:
            assert client.subprotocol in ("a", "b")
        with connect(uri, subprotocols=["c"]) as client:
            assert client.subprotocol is None


@pytest.mark.feature("choose the subprotocol in a callback")
def test_a_callback_chooses_the_subprotocol(serving):
    def select(connection, offered):
        assert isinstance(connection, ServerConnection)
        return offered[-1]

    with serving(select_subprotocol=select) as (_, uri), connect(uri, subprotocols=["a", "b"]) as client:
        assert client.subprotocol == "b"


@pytest.mark.feature("set the Server header")
def test_the_server_header(answered):
    assert "Server: Python/" in answered()[1]
    assert "Server: mine" in answered(server_header="mine")[1]
    assert "Server:" not in answered(server_header=None)[1]


@pytest.mark.feature("limits against hostile peers")
def test_messages_and_frames_are_limited_to_max_size(connected):
    for limit, message in ((10, "x" * 11), ((20, 10), "x" * 11), ((15, 10), ["x" * 10] * 2)):
        with connected(server={"max_size": limit, "close_timeout": 0.1}) as (client, _):
            client.send(message)
            with pytest.raises(ConnectionClosedError, match="1009"):
                client.recv()


@pytest.mark.feature("limits against hostile peers")
def test_limits_of_the_request(answered, wire):
    request = with_header(wire.REQUEST, b"A: " + b"x" * 100)
    assert answered(request, limits=HTTPLimits(max_line=90))[0] == 431


@pytest.mark.feature("logging")
def test_a_logger_gets_the_frames(connected, caplog):
    caplog.set_level(logging.DEBUG, "mine")
    with connected(server={"logger": logging.getLogger("mine")}) as (client, _):
        client.send("hello")
    assert any("hello" in record.getMessage() for record in caplog.records)


@pytest.mark.feature("opening handshake")
def test_connections_can_be_of_a_class_of_ones_own(connected):
    class Mine(ServerConnection):
        pass

    with connected(server={"create_connection": Mine}) as (_, server):
        assert isinstance(server, Mine)


@pytest.mark.feature("compression: permessage-deflate")
@pytest.mark.parametrize("compression", ["deflate", None])
def test_compression_is_accepted_unless_it_is_turned_off(connected, compression):
    with connected(server={"compression": compression}) as (client, _):
        assert [extension.name for extension in client.extensions] == (["permessage-deflate"] if compression else [])


@pytest.mark.feature("serve on an existing socket")
def test_it_can_use_a_socket(serving):
    sock = socket.create_server(("127.0.0.1", 0))
    with serve(lambda connection: connection.send("hi"), sock=sock) as server:
        assert [one.getsockname() for one in server.sockets] == [sock.getsockname()]
        with connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/") as client:
            assert client.recv() == "hi"


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
def test_process_request_can_answer(answered, wire):
    def process_request(connection, request):
        return connection.respond(200, f"path {request.path}\n")

    request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    status, text = answered(request, process_request=process_request)
    assert status == 200
    assert text.endswith("\r\n\r\npath /health\n")
    assert "Date: " in text


@pytest.mark.feature("answer with an HTTP response")
def test_process_request_answers_a_client_that_has_closed_its_side(serving, wire):
    def process_request(connection, request):
        time.sleep(0.01)
        return connection.respond(200, "hello\n")

    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(process_request=process_request) as (_, uri), wire.client(uri, request) as stream:
        stream.write_eof()
        assert stream.read().endswith(b"hello\n")


def test_what_a_client_sent_before_it_left_is_handled(serving, wire):
    received = []

    def handler(connection):
        received.extend(connection)

    request = wire.REQUEST + wire.frame(0x81, b"last words", masked=True) + wire.close(masked=True)
    with serving(handler) as (_, uri), wire.client(uri, request) as stream:
        stream.read()
    assert received == ["last words"]


def test_process_request_can_say_who_the_peer_is(serving):
    def process_request(connection, request):
        assert connection.username is None
        connection.username = request.headers.get("X-User")

    def handler(connection):
        connection.send(f"hello {connection.username}")

    with serving(handler, process_request=process_request) as (_, uri):
        with connect(uri, additional_headers={"X-User": "ada"}) as client:
            assert client.recv() == "hello ada"
        with connect(uri) as client:
            assert client.recv() == "hello None"


def test_respond_refuses_a_status_that_cannot_be(connected):
    with connected() as (_, server), pytest.raises(ValueError, match="status"):
        server.respond(101, "no")


@pytest.mark.feature("alter request and response of the handshake")
def test_process_response_can_alter_and_replace(serving):
    def process_response(connection, request, response):
        if request.path == "/replace":
            return Response.text(402, "Pay.\n")
        response.headers["X-One"] = "1"
        return None

    with serving(process_response=process_response) as (_, uri):
        with connect(uri) as client:
            assert client.response.headers["X-One"] == "1"
        with pytest.raises(InvalidStatus, match="402"):
            connect(uri + "replace").connect()


@pytest.mark.feature("alter request and response of the handshake")
@pytest.mark.parametrize("name", ["process_request", "process_response", "select_subprotocol"])
def test_a_callback_that_raises_is_answered_with_500(serving, caplog, name):
    def callback(*args):
        raise KeyError("oops")

    with serving(**{name: callback}) as (_, uri):
        for _ in range(2):
            with pytest.raises(InvalidStatus, match="500") as caught:
                connect(uri, subprotocols=["a"]).connect()
            assert b"oops" not in caught.value.response.body
    assert [record.exc_info[0] for record in caplog.records] == [KeyError] * 2


@pytest.mark.parametrize("answer", ["text", (200, [], b""), Response(99, "No")])
def test_a_callback_that_returns_nonsense_is_answered_with_500(answered, caplog, wire, answer):
    assert answered(wire.REQUEST, process_request=lambda connection, request: answer)[0] == 500
    assert len(caplog.records) == 1


# Handlers


@pytest.mark.feature("close the connection when its handler returns")
@pytest.mark.parametrize("error", [KeyError("oops"), TimeoutError(), SystemExit(1)])
def test_a_handler_that_raises_closes_with_1011_and_the_server_goes_on(serving, caplog, error):
    def handler(connection):
        if connection.recv() == "raise":
            raise error
        connection.send("fine")

    with serving(handler) as (_, uri):
        with connect(uri) as client:
            client.send("raise")
            with pytest.raises(ConnectionClosedError) as caught:
                client.recv()
            assert caught.value.rcvd.code == 1011
        with connect(uri) as client:
            client.send("x")
            assert client.recv() == "fine"
    assert [(record.getMessage(), record.exc_info[0]) for record in caplog.records] == [
        ("connection handler failed", type(error))
    ]


def test_a_handler_that_raises_for_the_end_of_its_connection_is_no_news(serving, caplog):
    def handler(connection):
        connection.recv()

    with serving(handler) as (_, uri), connect(uri) as client:
        client.abort()
    assert caplog.records == []


def test_a_handler_that_raises_for_the_end_of_another_connection_has_failed(serving, caplog):
    with serving() as (_, uri), connect(uri) as other:
        other.close()

        def handler(connection):
            other.recv()

        failure = pytest.raises(ConnectionClosedError, match="1011")
        with serving(handler) as (_, second), connect(second) as client, failure:
            client.recv()
    assert [record.exc_info[0] for record in caplog.records] == [ConnectionClosedOK]


@pytest.mark.feature("close the connection when its handler returns")
def test_the_connection_is_closed_when_the_handler_returns(serving):
    def handler(connection):
        connection.send("bye")

    with serving(handler) as (_, uri), connect(uri) as client:
        assert list(client) == ["bye"]
        assert client.close_code == 1000


# The server


@pytest.mark.feature("opening handshake")
@pytest.mark.feature("serve on TCP")
def test_it_listens_at_once_and_tells_about_itself():
    server = serve(lambda connection: connection.recv(), "127.0.0.1", 0)
    assert server.is_serving()
    with server:
        port = server.sockets[0].getsockname()[1]
        with connect(f"ws://127.0.0.1:{port}/"):
            assert [connection.state for connection in server.connections] == [State.OPEN]
    assert not server.is_serving()
    assert (server.sockets, server.connections) == ((), set())


@pytest.mark.feature("close the server at the end of its context")
def test_closing_the_server_closes_its_connections(serving):
    with serving() as (server, uri), connect(uri) as client:
        server.close(code=4000, reason="enough")
        server.close()
        with pytest.raises(ConnectionClosedError, match="enough"):
            client.recv()
        assert client.close_code == 4000
        server.wait_closed()
        with pytest.raises(OSError, match="refused"):
            connect(uri).connect()


def test_connections_can_outlive_the_server(serving):
    with serving() as (server, uri), connect(uri) as client:
        server.close(close_connections=False)
        client.send("still here")
        assert client.recv() == "still here"


@pytest.mark.parametrize(("arguments", "error"), [({"code": 1005.5}, TypeError), ({"code": 999}, ValueError)])
def test_wrong_arguments_of_close_do_no_harm(serving, arguments, error):
    with serving() as (server, _):
        with pytest.raises(error, match="code"):
            server.close(**arguments)
        assert server.is_serving()


@pytest.mark.feature("close the server at the end of its context")
def test_handshakes_under_way_are_refused_when_the_server_closes(serving, wire):
    thinking, go_on = threading.Event(), threading.Event()

    def process_request(connection, request):
        thinking.set()
        assert go_on.wait(20)

    with (
        serving(process_request=process_request) as (server, uri),
        wire.client(uri) as refused,
        wire.client(uri, b"GET /") as silent,
    ):
        assert thinking.wait(20)
        server.close()
        assert refused.read().startswith(b"HTTP/1.1 503 ")
        with suppress(ConnectionResetError):
            assert silent.read() == b""
        go_on.set()


@pytest.mark.feature("serve on TCP")
def test_serve_forever_ends_when_the_server_is_closed(serving, spawn):
    with serving() as (server, uri), connect(uri) as client:
        forever = spawn(server.serve_forever).blocked()
        server.close()
        forever.result()
        assert client.close_code == 1001
        server.serve_forever()


def test_handlers_run_in_threads_with_names(serving):
    def handler(connection):
        connection.send(threading.current_thread().name)

    with serving(handler) as (_, uri), connect(uri) as client:
        assert re.fullmatch(r"twoway-handler-\d+", client.recv())


@pytest.mark.feature("limit connections, also for each address")
def test_threads_are_bounded(serving, until):
    go_on = threading.Event()

    def handler(connection):
        connection.send("hello")
        assert go_on.wait(20)

    with serving(handler, max_threads=2) as (_, uri):
        with connect(uri) as first, connect(uri) as second:
            assert [first.recv(), second.recv()] == ["hello"] * 2
            with pytest.raises(InvalidStatus, match="503") as caught:
                connect(uri).connect()
            assert caught.value.response.headers["Retry-After"] == "1"
            go_on.set()
        # A thread that has just ended its work may not have said so yet.
        until(lambda: not handler_threads())
        with connect(uri) as third:
            assert third.recv() == "hello"


def handler_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("twoway-handler")]


@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (-1, ValueError), ("1", TypeError), (True, TypeError)])
def test_the_bound_of_threads_is_checked(value, error):
    with pytest.raises(error, match="max_threads"):
        serve(lambda connection: None, "127.0.0.1", 0, max_threads=value)


def test_a_silent_client_needs_no_thread(serving, wire, until):
    with serving(max_threads=1) as (_, uri), wire.client(uri, b"GET /"), wire.client(uri, b"GET /"):
        client = connect(uri).connect()
        client.send("x")
        assert client.recv() == "x"
        client.close()


def test_wait_closed_takes_no_longer_than_its_timeout(serving):
    go_on = threading.Event()

    def handler(connection):
        assert go_on.wait(20)

    with serving(handler) as (server, uri), connect(uri):
        for timeout in (0, 0.02):
            with pytest.raises(TimeoutError):
                server.wait_closed(timeout)
        server.close()
        with pytest.raises(TimeoutError):
            server.wait_closed(timeout=0.02)
        go_on.set()
        server.wait_closed(timeout=20)
