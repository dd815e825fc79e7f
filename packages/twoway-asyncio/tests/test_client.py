"""`connect`: its options, and what it makes of the answers of servers."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import sys
from contextlib import asynccontextmanager
from itertools import repeat

import pytest
import trustme

from twoway.asyncio import (
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
from twoway.frames import ClientExtensionFactory, Extension
from twoway.protocol import InvalidHeader, InvalidMessage, SecurityError


@pytest.fixture
def requested(wire):
    """Connect with some options; give the request that arrives."""

    async def requested(path="", iri=None, **options):
        requests = []

        async def behave(reader, writer):
            request = await reader.readuntil(b"\r\n\r\n")
            requests.append(request.decode())
            writer.write(wire.answer(request) + wire.close())
            await reader.read(100)

        async with wire.server(behave) as uri:
            if iri is not None:
                options.update(host="127.0.0.1", port=int(uri.strip("/").rpartition(":")[2]))
            async with connect(iri or uri + path, **options) as client:
                await client.wait_closed()
        return requests[0]

    return requested


# Shape


@pytest.mark.feature("opening handshake")
@pytest.mark.feature("connect over TCP")
async def test_it_can_be_awaited(serving):
    async with serving() as (_, uri):
        client = await connect(uri)
        assert isinstance(client, ClientConnection)
        await client.send("x")
        assert await client.recv() == "x"
        await client.close()


@pytest.mark.feature("close the connection at the end of its context")
async def test_the_context_manager_closes_the_connection(serving):
    async with serving() as (_, uri):
        async with connect(uri) as client:
            assert client.state is State.OPEN
        assert client.state is State.CLOSED
        assert client.close_code == 1000


@pytest.mark.feature("close the connection at the end of its context")
async def test_the_context_manager_closes_the_connection_when_its_body_raises(serving):
    async with serving() as (_, uri):
        with pytest.raises(KeyError):
            async with connect(uri) as client:
                raise KeyError
        assert client.close_code == 1000


@pytest.mark.feature("connect over TCP")
async def test_it_can_be_used_again(serving):
    async with serving() as (_, uri):
        connector = connect(uri)
        for _ in range(2):
            async with connector as client:
                await client.send("x")
                assert await client.recv() == "x"


# Options


@pytest.mark.feature("set the Origin and User-Agent headers")
@pytest.mark.feature("alter the request, see the response")
async def test_the_request_says_what_the_options_say(requested):
    request = await requested(
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
async def test_by_default_the_request_has_a_user_agent_and_no_origin(requested):
    request = await requested()
    assert f"User-Agent: Python/{sys.version_info[0]}.{sys.version_info[1]} twoway" in request
    assert "Origin" not in request
    assert "User-Agent" not in await requested(user_agent_header=None)


@pytest.mark.feature("limits against hostile peers")
async def test_messages_are_limited_to_max_size(connected):
    async with connected({"max_size": 10}) as (client, server):
        await server.send("x" * 11)
        await client.wait_closed()
        assert server.close_code == 1009


@pytest.mark.feature("limits against hostile peers")
async def test_frames_are_limited_by_the_second_number_of_max_size(connected):
    async with connected({"max_size": (20, 10)}) as (client, server):
        await server.send(["x" * 10, "x" * 10])
        assert len(await client.recv()) == 20
        await server.send("x" * 11)
        await client.wait_closed()
        assert server.close_code == 1009


@pytest.mark.feature("logging")
async def test_a_logger_gets_the_frames(connected, caplog):
    caplog.set_level(logging.DEBUG, "mine")
    async with connected({"logger": logging.getLogger("mine")}) as (client, _):
        assert client.logger.name == "mine"
        await client.send("hello")
    assert any("hello" in record.getMessage() for record in caplog.records)
    assert {record.name for record in caplog.records} == {"mine"}


async def test_the_connection_can_be_of_a_class_of_ones_own(serving):
    class Mine(ClientConnection):
        pass

    async with serving() as (_, uri), connect(uri, create_connection=Mine) as client:
        assert isinstance(client, Mine)


@pytest.mark.feature("negotiate extensions")
async def test_extensions_are_offered_and_used(wire):
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

    async def behave(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        assert b"Sec-WebSocket-Extensions: x-nothing; fast\r\n" in request
        answer = wire.answer(request).replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: x-nothing\r\n\r\n")
        writer.write(answer + wire.frame(0x81, b"hi") + wire.close())
        await reader.read(100)

    async with wire.server(behave) as uri, connect(uri, extensions=[Factory()], compression=None) as client:
        assert [extension.name for extension in client.extensions] == ["x-nothing"]
        assert await client.recv() == "hi"


@pytest.mark.feature("compression: permessage-deflate")
@pytest.mark.parametrize("compression", ["deflate", None])
async def test_compression_is_negotiated_unless_it_is_turned_off(connected, compression):
    async with connected({"compression": compression}) as (client, server):
        names = ["permessage-deflate"] if compression else []
        assert [extension.name for extension in client.extensions] == names
        for compress in (True, False, None):
            await client.send("x" * 5000, compress=compress)
            await client.send([b"x" * 500, b"y"], compress=compress)
            assert await server.recv() == "x" * 5000
            assert await server.recv() == b"x" * 500 + b"y"


@pytest.mark.feature("connect over TCP")
async def test_it_can_connect_elsewhere_than_the_uri_says(serving):
    def process_request(connection, request):
        return connection.respond(200, request.headers["Host"])

    async with serving(process_request=process_request) as (server, _):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(InvalidStatus) as caught:
            await connect("ws://example.org/", host="127.0.0.1", port=port)
        assert caught.value.response.body == b"example.org"


@pytest.mark.feature("connect over an existing socket")
async def test_it_can_use_a_socket_that_is_connected(serving):
    async with serving() as (server, _):
        sock = socket.create_connection(server.sockets[0].getsockname())
        async with connect("ws://example.org/", sock=sock) as client:
            await client.send("x")
            assert await client.recv() == "x"


@pytest.mark.feature("connect over TCP")
async def test_a_local_address_can_be_chosen(serving):
    async with serving() as (_, uri), connect(uri, local_addr=("127.0.0.1", 0)) as client:
        assert client.local_address[0] == "127.0.0.1"


@pytest.mark.feature("connect over an existing socket")
async def test_a_socket_can_be_used_over_tls(serving, tls):
    async with serving(ssl=tls.server) as (server, _):
        sock = socket.create_connection(server.sockets[0].getsockname())
        async with connect("wss://localhost/", sock=sock, ssl=tls.client) as client:
            await client.send("x")
            assert await client.recv() == "x"


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
async def test_connecting_elsewhere_keeps_host_and_server_name_of_the_uri(serving, asked_for):
    context, client, names = asked_for

    def process_request(connection, request):
        return connection.respond(200, request.headers["Host"])

    async with serving(ssl=context, process_request=process_request) as (server, _):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(InvalidStatus) as caught:
            await connect("wss://example.org:444/", host="127.0.0.1", port=port, ssl=client)
    assert caught.value.response.body == b"example.org:444"
    assert names == ["example.org"]


@pytest.mark.feature("connect over TLS")
async def test_the_name_that_the_certificate_must_have_can_be_chosen(serving, asked_for):
    context, client, names = asked_for
    async with serving(ssl=context) as (server, _):
        port = server.sockets[0].getsockname()[1]
        elsewhere = {"host": "127.0.0.1", "port": port, "ssl": client}
        async with connect("wss://other.example/", server_hostname="localhost", **elsewhere) as websocket:
            await websocket.send("x")
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect("wss://other.example/", **elsewhere)
    assert names == ["localhost", "other.example"]


@pytest.mark.feature("internationalised addresses")
async def test_an_iri_is_asked_for_in_ascii(requested):
    uri = "ws://bücher.example/straße/✓?größe=ä&x=%20"
    request = await requested(iri=uri)
    assert request.startswith("GET /stra%C3%9Fe/%E2%9C%93?gr%C3%B6%C3%9Fe=%C3%A4&x=%20 HTTP/1.1\r\n")
    assert "\r\nHost: xn--bcher-kva.example\r\n" in request


@pytest.mark.feature("internationalised addresses")
async def test_an_iri_names_its_server_in_ascii_over_tls(serving, asked_for):
    context, client, names = asked_for
    async with serving(ssl=context) as (server, _):
        port = server.sockets[0].getsockname()[1]
        async with connect("wss://bücher.example/", host="127.0.0.1", port=port, ssl=client) as websocket:
            await websocket.send("x")
            assert await websocket.recv() == "x"
    assert names == ["xn--bcher-kva.example"]


# Headers for each attempt


@pytest.mark.feature("alter the request, see the response")
@pytest.mark.parametrize("kind", ["function", "coroutine function"])
async def test_headers_can_be_made_for_each_attempt(serving, kind):
    seen = []
    tokens = iter("abc")

    def headers():
        return {"Authorization": f"Bearer {next(tokens)}"}

    async def headers_later():
        await asyncio.sleep(0)
        return headers()

    def process_request(connection, request):
        seen.append(request.headers["Authorization"])
        return connection.respond(503, "") if len(seen) < 3 else None

    async with serving(process_request=process_request) as (_, uri):
        source = headers if kind == "function" else headers_later
        async for client in connect(uri, additional_headers=source, reconnect_delays=lambda: repeat(0)):
            assert client.request.headers["Authorization"] == "Bearer c"
            break
        await client.wait_closed()
    assert seen == ["Bearer a", "Bearer b", "Bearer c"]


async def test_headers_that_cannot_be_made_or_sent_raise(serving):
    def fail():
        raise LookupError("no token")

    async with serving() as (_, uri):
        with pytest.raises(LookupError, match="no token"):
            await connect(uri, additional_headers=fail)
        with pytest.raises(ValueError):
            await connect(uri, additional_headers=lambda: {"A": "\r\n"})
        with pytest.raises(TypeError):
            await connect(uri, additional_headers=lambda: 1)


async def test_making_headers_counts_against_open_timeout():
    with pytest.raises(TimeoutError):
        await connect("ws://localhost:1/", additional_headers=asyncio.Event().wait, open_timeout=0.01)


async def test_a_timeout_of_somebody_else_is_not_said_to_be_that_of_the_handshake():
    def fail():
        raise TimeoutError("token server")

    with pytest.raises(TimeoutError, match="^token server$"):
        await connect("ws://localhost:1/", additional_headers=fail)


# Unix sockets


@pytest.fixture
def unix(tmp_path):
    """Run an echo server on a Unix socket; give its path."""

    @asynccontextmanager
    async def unix(**options):
        async def echo(websocket):
            async for message in websocket:
                await websocket.send([message, websocket.request.headers["Host"], websocket.request.path])

        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(tmp_path / "socket"))
        async with serve(echo, sock=sock, **options):
            yield tmp_path / "socket"

    return unix


@pytest.mark.feature("connect over a Unix socket")
@pytest.mark.parametrize("kind", [str, bytes, None])
async def test_it_connects_to_a_unix_socket(unix, kind):
    async with unix() as path:
        given = path if kind is None else os.fsencode(path) if kind is bytes else str(path)
        async with unix_connect(given) as client:
            assert isinstance(client, ClientConnection)
            await client.send("x ")
            assert await client.recv() == "x localhost/"


@pytest.mark.feature("connect over a Unix socket")
async def test_a_uri_says_what_to_ask_for_on_a_unix_socket(unix):
    async with unix() as path, unix_connect(path, "ws://example.org/chat") as client:
        await client.send("")
        assert await client.recv() == "example.org/chat"


@pytest.mark.feature("connect over a Unix socket")
async def test_a_unix_socket_over_tls(unix, tls):
    async with unix(ssl=tls.server) as path, unix_connect(path, ssl=tls.client) as client:
        await client.send("x ")
        assert await client.recv() == "x localhost/"
        assert client.transport.get_extra_info("ssl_object") is not None


@pytest.mark.feature("connect over an existing socket")
async def test_a_unix_socket_that_is_connected(unix):
    async with unix() as path:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        sock.setblocking(False)
        async with unix_connect(sock=sock) as client:
            await client.send("x ")
            assert await client.recv() == "x localhost/"


async def test_it_connects_to_a_unix_socket_again_and_again(unix):
    async with unix() as path:
        seen = []
        async for client in unix_connect(path, serialize_connecting=True):
            seen.append(client)
            if len(seen) == 2:
                break
        await client.wait_closed()


async def test_nobody_listens_on_a_unix_socket(tmp_path):
    with pytest.raises(FileNotFoundError):
        await unix_connect(tmp_path / "nothing")


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


@pytest.mark.parametrize(
    ("uri", "tls"), [("ws://localhost:1/", True), ("wss://localhost:1/", None), ("wss://localhost:1/", False)]
)
async def test_ssl_must_fit_the_uri(uri, tls):
    with pytest.raises(ValueError, match="ssl must"):
        await connect(uri, ssl=tls)


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
async def test_answers_that_are_no_handshake(wire, answer, error):
    async def behave(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async with wire.server(behave) as uri:
        with pytest.raises(error):
            await connect(uri)


@pytest.mark.feature("alter the request, see the response")
async def test_a_refusal_shows_the_response(serving):
    def refuse(connection, request):
        return connection.respond(403, "Not you.\n")

    async with serving(process_request=refuse) as (_, uri):
        with pytest.raises(InvalidStatus, match="403") as caught:
            await connect(uri)
    assert caught.value.response.body == b"Not you.\n"


@pytest.mark.feature("opening handshake")
async def test_an_answer_byte_by_byte_is_fine(wire):
    async def behave(reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answer = wire.answer(await reader.readuntil(b"\r\n\r\n"))
        for byte in answer + wire.frame(0x81, b"slow") + wire.close():
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        await reader.read(100)

    async with wire.server(behave) as uri, connect(uri) as client:
        assert await client.recv() == "slow"


async def test_messages_and_close_behind_the_response_are_received(wire):
    async def behave(reader, writer):
        answer = wire.answer(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer + wire.frame(0x81, b"one") + wire.frame(0x82, b"two") + wire.close(1001))
        await reader.read(100)

    async with wire.server(behave) as uri, connect(uri) as client:
        assert [message async for message in client] == ["one", b"two"]
        with pytest.raises(ConnectionClosedOK):
            await client.recv()


@pytest.mark.feature("negotiate a subprotocol")
async def test_a_subprotocol_that_was_not_offered_is_refused(wire):
    async def behave(reader, writer):
        answer = wire.answer(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: other\r\n\r\n"))
        await reader.read()

    async with wire.server(behave) as uri:
        with pytest.raises(InvalidHeader):
            await connect(uri, subprotocols=["chat"])


async def test_a_server_that_resets_the_connection(wire):
    async def behave(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        wire.reset(writer)

    async with wire.server(behave) as uri:
        with pytest.raises(InvalidHandshake) as caught:
            await connect(uri)
    assert isinstance(caught.value.__cause__.__cause__, ConnectionResetError)


@pytest.mark.feature("connect over TCP")
async def test_nobody_listens():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="refused|Connect call failed"):
            await connect(f"ws://127.0.0.1:{sock.getsockname()[1]}/")
