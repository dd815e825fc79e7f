"""`connect`: its options, and what it makes of the answers of servers."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import sys
import time
from contextlib import contextmanager
from itertools import repeat

import pytest
import trustme

from twoway.frames import ClientExtensionFactory, Extension
from twoway.protocol import InvalidHeader, InvalidMessage, SecurityError
from twoway.threading import (
    ClientConnection,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    State,
    connect,
    serve,
    unix_connect,
)


@pytest.fixture
def requested(wire):
    """Connect with some options; give the request that arrives."""

    def requested(path="", iri=None, **options):
        requests = []

        def behave(stream):
            request = stream.readuntil(b"\r\n\r\n")
            requests.append(request.decode())
            stream.write(wire.answer(request) + wire.close())
            stream.read(100)

        with wire.server(behave) as uri:
            if iri is not None:
                options.update(host="127.0.0.1", port=int(uri.strip("/").rpartition(":")[2]))
            with connect(iri or uri + path, **options) as client:
                client.wait_closed()
        return requests[0]

    return requested


# Shape


@pytest.mark.feature("opening handshake")
@pytest.mark.feature("connect over TCP")
def test_it_gives_a_connection(serving):
    with serving() as (_, uri):
        client = connect(uri).connect()
        assert isinstance(client, ClientConnection)
        client.send("x")
        assert client.recv() == "x"
        client.close()


@pytest.mark.feature("close the connection at the end of its context")
def test_the_context_manager_closes_the_connection(serving):
    with serving() as (_, uri):
        with connect(uri) as client:
            assert client.state is State.OPEN
        assert client.state is State.CLOSED
        assert client.close_code == 1000


@pytest.mark.feature("close the connection at the end of its context")
def test_the_context_manager_closes_the_connection_when_its_body_raises(serving):
    with serving() as (_, uri):
        with pytest.raises(KeyError), connect(uri) as client:
            raise KeyError
        assert client.close_code == 1000


@pytest.mark.feature("connect over TCP")
def test_it_can_be_used_again(serving):
    with serving() as (_, uri):
        connector = connect(uri)
        for _ in range(2):
            with connector as client:
                client.send("x")
                assert client.recv() == "x"


# Options


@pytest.mark.feature("set the Origin and User-Agent headers")
@pytest.mark.feature("alter the request, see the response")
def test_the_request_says_what_the_options_say(requested):
    request = requested(
        "chat?é=1",
        origin="https://example.org",
        subprotocols=["a", "b"],
        additional_headers={"X-One": "1"},
        user_agent_header="tests",
    )
    lines = request.split("\r\n")
    assert lines[0] == "GET /chat?%C3%A9=1 HTTP/1.1"
    assert {"Origin: https://example.org", "Sec-WebSocket-Protocol: a, b", "X-One: 1", "User-Agent: tests"} < set(lines)


@pytest.mark.feature("set the Origin and User-Agent headers")
def test_by_default_the_request_has_a_user_agent_and_no_origin(requested):
    request = requested()
    assert f"User-Agent: Python/{sys.version_info[0]}.{sys.version_info[1]} twoway" in request
    assert "Origin" not in request
    assert "User-Agent" not in requested(user_agent_header=None)


@pytest.mark.feature("limits against hostile peers")
def test_messages_are_limited_to_max_size(connected):
    with connected({"max_size": 10}) as (client, server):
        server.send("x" * 11)
        client.wait_closed()
        assert server.close_code == 1009


@pytest.mark.feature("limits against hostile peers")
def test_frames_are_limited_by_the_second_number_of_max_size(connected):
    with connected({"max_size": (20, 10)}) as (client, server):
        server.send(["x" * 10, "x" * 10])
        assert len(client.recv()) == 20
        server.send("x" * 11)
        client.wait_closed()
        assert server.close_code == 1009


@pytest.mark.feature("logging")
def test_a_logger_gets_the_frames(connected, caplog):
    caplog.set_level(logging.DEBUG, "mine")
    with connected({"logger": logging.getLogger("mine")}) as (client, _):
        assert client.logger.name == "mine"
        client.send("hello")
    assert any("hello" in record.getMessage() for record in caplog.records)
    assert {record.name for record in caplog.records} == {"mine"}


def test_the_connection_can_be_of_a_class_of_ones_own(serving):
    class Mine(ClientConnection):
        pass

    with serving() as (_, uri), connect(uri, create_connection=Mine) as client:
        assert isinstance(client, Mine)


@pytest.mark.feature("negotiate extensions")
def test_extensions_are_offered_and_used(wire):
    class Nothing(Extension):
        name = "x-nothing"

        def encode(self, frame, *, compress=None):
            return frame

        def decode(self, frame, *, max_size=None):
            return frame

    class Factory(ClientExtensionFactory):
        name = "x-nothing"

        def get_request_params(self):
            return [("fast", None)]

        def process_response_params(self, params, accepted_extensions):
            return Nothing()

    def behave(stream):
        request = stream.readuntil(b"\r\n\r\n")
        assert b"Sec-WebSocket-Extensions: x-nothing; fast\r\n" in request
        answer = wire.answer(request).replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: x-nothing\r\n\r\n")
        stream.write(answer + wire.frame(0x81, b"hi") + wire.close())
        stream.read(100)

    with wire.server(behave) as uri, connect(uri, extensions=[Factory()], compression=None) as client:
        assert [extension.name for extension in client.extensions] == ["x-nothing"]
        assert client.recv() == "hi"


@pytest.mark.feature("compression: permessage-deflate")
@pytest.mark.parametrize("compression", ["deflate", None])
def test_compression_is_negotiated_unless_it_is_turned_off(connected, compression):
    with connected({"compression": compression}) as (client, server):
        names = ["permessage-deflate"] if compression else []
        assert [extension.name for extension in client.extensions] == names
        for compress in (True, False, None):
            client.send("x" * 5000, compress=compress)
            client.send([b"x" * 500, b"y"], compress=compress)
            assert server.recv() == "x" * 5000
            assert server.recv() == b"x" * 500 + b"y"


@pytest.mark.feature("connect over TCP")
def test_it_can_connect_elsewhere_than_the_uri_says(serving):
    def process_request(connection, request):
        return connection.respond(200, request.headers["Host"])

    with serving(process_request=process_request) as (server, _):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(InvalidStatus) as caught:
            connect("ws://example.org/", host="127.0.0.1", port=port).connect()
        assert caught.value.response.body == b"example.org"


@pytest.mark.feature("connect over an existing socket")
def test_it_can_use_a_socket_that_is_connected(serving):
    with serving() as (server, _):
        sock = socket.create_connection(server.sockets[0].getsockname())
        with connect("ws://example.org/", sock=sock) as client:
            client.send("x")
            assert client.recv() == "x"


@pytest.mark.feature("connect over TCP")
def test_a_local_address_can_be_chosen(serving):
    with serving() as (_, uri), connect(uri, local_addr=("127.0.0.1", 0)) as client:
        assert client.local_address[0] == "127.0.0.1"


@pytest.mark.feature("connect over an existing socket")
def test_a_socket_can_be_used_over_tls(serving, tls):
    with serving(ssl=tls.server) as (server, _):
        sock = socket.create_connection(server.sockets[0].getsockname())
        with connect("wss://localhost/", sock=sock, ssl=tls.client) as client:
            client.send("x")
            assert client.recv() == "x"


@pytest.fixture
def asked_for():
    """Give TLS contexts of a server and a client, and the names that clients ask the server for."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "example.org", "xn--bcher-kva.example").configure_cert(server)
    names = []
    server.sni_callback = lambda _, name, __: names.append(name)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client, names


@pytest.mark.feature("connect over TLS")
def test_connecting_elsewhere_keeps_host_and_server_name_of_the_uri(serving, asked_for):
    context, client, names = asked_for

    def process_request(connection, request):
        return connection.respond(200, request.headers["Host"])

    with serving(ssl=context, process_request=process_request) as (server, _):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(InvalidStatus) as caught:
            connect("wss://example.org:444/", host="127.0.0.1", port=port, ssl=client).connect()
    assert caught.value.response.body == b"example.org:444"
    assert names == ["example.org"]


@pytest.mark.feature("connect over TLS")
def test_the_name_that_the_certificate_must_have_can_be_chosen(serving, asked_for):
    context, client, names = asked_for
    with serving(ssl=context) as (server, _):
        port = server.sockets[0].getsockname()[1]
        elsewhere = {"host": "127.0.0.1", "port": port, "ssl": client}
        with connect("wss://other.example/", server_hostname="localhost", **elsewhere) as websocket:
            websocket.send("x")
        with pytest.raises(ssl.SSLCertVerificationError):
            connect("wss://other.example/", **elsewhere).connect()
    assert names == ["localhost", "other.example"]


@pytest.mark.feature("internationalised addresses")
def test_an_iri_is_asked_for_in_ascii(requested):
    uri = "ws://bücher.example/straße/✓?größe=ä&x=%20"
    request = requested(iri=uri)
    assert request.startswith("GET /stra%C3%9Fe/%E2%9C%93?gr%C3%B6%C3%9Fe=%C3%A4&x=%20 HTTP/1.1\r\n")
    assert "\r\nHost: xn--bcher-kva.example\r\n" in request


@pytest.mark.feature("internationalised addresses")
def test_an_iri_names_its_server_in_ascii_over_tls(serving, asked_for):
    context, client, names = asked_for
    with serving(ssl=context) as (server, _):
        port = server.sockets[0].getsockname()[1]
        with connect("wss://bücher.example/", host="127.0.0.1", port=port, ssl=client) as websocket:
            websocket.send("x")
            assert websocket.recv() == "x"
    assert names == ["xn--bcher-kva.example"]


# Headers for each attempt


@pytest.mark.feature("alter the request, see the response")
def test_headers_can_be_made_for_each_attempt(serving):
    seen = []
    tokens = iter("abc")

    def headers():
        return {"Authorization": f"Bearer {next(tokens)}"}

    def process_request(connection, request):
        seen.append(request.headers["Authorization"])
        return connection.respond(503, "") if len(seen) < 3 else None

    with serving(process_request=process_request) as (_, uri):
        for client in connect(uri, additional_headers=headers, reconnect_delays=lambda: repeat(0)):
            assert client.request.headers["Authorization"] == "Bearer c"
            break
        client.wait_closed()
    assert seen == ["Bearer a", "Bearer b", "Bearer c"]


def test_headers_that_cannot_be_made_or_sent_raise(serving):
    def fail():
        raise LookupError("no token")

    with serving() as (_, uri):
        with pytest.raises(LookupError, match="no token"):
            connect(uri, additional_headers=fail).connect()
        with pytest.raises(ValueError):
            connect(uri, additional_headers=lambda: {"A": "\r\n"}).connect()
        with pytest.raises(TypeError):
            connect(uri, additional_headers=lambda: 1).connect()


def test_making_headers_counts_against_open_timeout(serving):
    def headers():
        time.sleep(0.05)
        return {}

    with serving() as (_, uri), pytest.raises(TimeoutError):
        connect(uri, additional_headers=headers, open_timeout=0.01).connect()


def test_a_timeout_of_somebody_else_is_not_said_to_be_that_of_the_handshake():
    def fail():
        raise TimeoutError("token server")

    with pytest.raises(TimeoutError, match="^token server$"):
        connect("ws://localhost:1/", additional_headers=fail).connect()


# Unix sockets


@pytest.fixture
def unix(tmp_path):
    """Run an echo server on a Unix socket; give its path."""

    @contextmanager
    def unix(**options):
        def echo(websocket):
            for message in websocket:
                websocket.send([message, websocket.request.headers["Host"], websocket.request.path])

        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "socket"))
        with serve(echo, sock=sock, **options):
            yield tmp_path / "socket"

    return unix


@pytest.mark.feature("connect over a Unix socket")
@pytest.mark.parametrize("kind", [str, bytes, None])
def test_it_connects_to_a_unix_socket(unix, kind):
    with unix() as path:
        given = path if kind is None else os.fsencode(path) if kind is bytes else str(path)
        with unix_connect(given) as client:
            assert isinstance(client, ClientConnection)
            client.send("x ")
            assert client.recv() == "x localhost/"


@pytest.mark.feature("connect over a Unix socket")
def test_a_uri_says_what_to_ask_for_on_a_unix_socket(unix):
    with unix() as path, unix_connect(path, "ws://example.org/chat") as client:
        client.send("")
        assert client.recv() == "example.org/chat"


@pytest.mark.feature("connect over a Unix socket")
def test_a_unix_socket_over_tls(unix, tls):
    with unix(ssl=tls.server) as path, unix_connect(path, ssl=tls.client) as client:
        client.send("x ")
        assert client.recv() == "x localhost/"


@pytest.mark.feature("connect over an existing socket")
def test_a_unix_socket_that_is_connected(unix):
    with unix() as path:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        sock.setblocking(False)
        with unix_connect(sock=sock) as client:
            client.send("x ")
            assert client.recv() == "x localhost/"


def test_it_connects_to_a_unix_socket_again_and_again(unix):
    with unix() as path:
        seen = []
        for client in unix_connect(path, serialize_connecting=True):
            seen.append(client)
            if len(seen) == 2:
                break
        client.wait_closed()


def test_nobody_listens_on_a_unix_socket(tmp_path):
    with pytest.raises(FileNotFoundError):
        unix_connect(tmp_path / "nothing").connect()


def test_a_unix_socket_needs_a_path_or_a_socket():
    with pytest.raises(ValueError, match="path"):
        unix_connect()
    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(ValueError, match="path"):
        unix_connect("socket", sock=sock)


# Wrong arguments


@pytest.mark.parametrize("uri", ["http://localhost/", "ws:///", "ws://localhost/#x", "ws://localhost:99999/", ""])
def test_what_is_no_websocket_uri_is_refused(uri):
    with pytest.raises(InvalidURI):
        connect(uri)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("open_timeout", -1, ValueError),
        ("ping_interval", 0, ValueError),
        ("ping_timeout", "1", TypeError),
        ("close_timeout", -1, ValueError),
        ("max_size", -1, ValueError),
        ("max_size", "1", TypeError),
        ("max_queue", -1, ValueError),
        ("max_queue", (1, 2), ValueError),
        ("write_limit", -1, ValueError),
        ("write_limit", None, TypeError),
        ("write_limit", (1, 2), ValueError),
        ("subprotocols", "chat", TypeError),
        ("subprotocols", ["a b"], ValueError),
        ("compression", "zip", ValueError),
        ("idle_release", 0, ValueError),
        ("additional_headers", {"A\r\n": "1"}, ValueError),
        ("origin", "\r\n", ValueError),
        ("user_agent_header", "\n", ValueError),
    ],
)
def test_wrong_options_are_refused_by_name(name, value, error):
    with pytest.raises(
        error, match=name if name not in ("additional_headers", "origin", "user_agent_header") else None
    ):
        connect("ws://localhost/", **{name: value})


@pytest.mark.feature("negotiate extensions")
def test_extensions_must_be_factories():
    with pytest.raises(TypeError, match="extensions"):
        connect("ws://localhost/", extensions=["x"], compression=None)


@pytest.mark.parametrize(("uri", "tls"), [("ws://localhost:1/", True), ("wss://localhost:1/", False)])
def test_ssl_must_fit_the_uri(uri, tls):
    with pytest.raises((TypeError, ValueError), match="ssl must"):
        connect(uri, ssl=tls).connect()


def test_an_option_that_does_not_exist_is_refused_by_name():
    with pytest.raises(TypeError, match="max_sise"):
        connect("ws://localhost/", max_sise=5)


# Answers of servers


@pytest.mark.feature("opening handshake")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", InvalidStatus),
        (b"HTTP/1.1 200 OK\r\n\r\nup to the end", InvalidStatus),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", InvalidHandshake),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", InvalidHandshake),
        (b"SSH-2.0-OpenSSH_9.9\r\n", InvalidMessage),
        (b"\x00\x01\x02\x03" * 100, InvalidHandshake),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000, SecurityError),
        (b"HTTP/1.1 101 Swi", InvalidHandshake),
        (b"", InvalidHandshake),
    ],
)
def test_answers_that_are_no_handshake(wire, answer, error):
    def behave(stream):
        stream.readuntil(b"\r\n\r\n")
        stream.write(answer)
        stream.write_eof()
        stream.read()

    with wire.server(behave) as uri, pytest.raises(error):
        connect(uri).connect()


@pytest.mark.feature("alter the request, see the response")
def test_a_refusal_shows_the_response(serving):
    def refuse(connection, request):
        return connection.respond(403, "Not you.\n")

    with serving(process_request=refuse) as (_, uri), pytest.raises(InvalidStatus, match="403") as caught:
        connect(uri).connect()
    assert caught.value.response.body == b"Not you.\n"


@pytest.mark.feature("opening handshake")
def test_an_answer_byte_by_byte_is_fine(wire):
    def behave(stream):
        stream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = wire.answer(stream.readuntil(b"\r\n\r\n"))
        for byte in answer + wire.frame(0x81, b"slow") + wire.close():
            stream.write(bytes([byte]))
        stream.read(100)

    with wire.server(behave) as uri, connect(uri) as client:
        assert client.recv() == "slow"


def test_messages_and_close_behind_the_response_are_received(wire):
    def behave(stream):
        answer = wire.answer(stream.readuntil(b"\r\n\r\n"))
        stream.write(answer + wire.frame(0x81, b"one") + wire.frame(0x82, b"two") + wire.close(1001))
        stream.read(100)

    with wire.server(behave) as uri, connect(uri) as client:
        assert list(client) == ["one", b"two"]
        with pytest.raises(ConnectionClosedOK):
            client.recv()


@pytest.mark.feature("negotiate a subprotocol")
def test_a_subprotocol_that_was_not_offered_is_refused(wire):
    def behave(stream):
        answer = wire.answer(stream.readuntil(b"\r\n\r\n"))
        stream.write(answer.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: other\r\n\r\n"))
        stream.read()

    with wire.server(behave) as uri, pytest.raises(InvalidHeader):
        connect(uri, subprotocols=["chat"]).connect()


def test_a_server_that_resets_the_connection(wire):
    def behave(stream):
        stream.readuntil(b"\r\n\r\n")
        stream.reset()

    with wire.server(behave) as uri, pytest.raises(InvalidHandshake) as caught:
        connect(uri).connect()
    assert isinstance(caught.value.__cause__.__cause__, ConnectionResetError)


@pytest.mark.feature("connect over TCP")
def test_nobody_listens():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="refused"):
            connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/").connect()
