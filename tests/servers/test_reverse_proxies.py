"""Clients and servers of ours with nginx, HAProxy and Apache between them: over TCP, with TLS, to a Unix socket."""

from __future__ import annotations

import os
import queue
import urllib.error
import urllib.request

import pytest

from twoway.protocol import ConnectionClosedError, ConnectionClosedOK, InvalidStatus


def test_messages(site):
    with site.open() as client:
        for message in ("", "\u017c\u00f3\u0142\u0107", b"", b"\0\xff", "x" * 65536, b"y" * 70000):
            client.send(message)
            assert client.recv() == message


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_large_messages(site, compression):
    with site.open(compression=compression, max_size=2**24) as client:
        for message in (os.urandom(5_000_000), "\u00e4 text that can be compressed, " * 100_000):
            client.send(message)
            assert client.recv() == message


def test_many_messages_that_nobody_waits_for(site):
    with site.open() as client:
        for number in range(500):
            client.send(str(number))
        assert [client.recv() for _ in range(500)] == [str(number) for number in range(500)]


def test_fragments(site):
    with site.open() as client:
        client.send(["a", "b" * 100_000, "", "c"])
        assert client.recv() == "a" + "b" * 100_000 + "c"


def test_pings_of_the_client(site):
    with site.open() as client:
        assert site.driver.measure(client) > 0


def test_pings_of_the_server(site):
    measured = queue.SimpleQueue()

    def handler(connection):
        measured.put(site.driver.measure(connection))

    with site.open(handler) as client:
        assert measured.get(timeout=10) > 0
        client.wait_closed()


def test_the_client_closes(site):
    seen = queue.SimpleQueue()

    def handler(connection):
        connection.send("here")
        connection.wait_closed()
        seen.put((connection.close_code, connection.close_reason))

    with site.open(handler) as client:
        client.recv()
        client.close(3000, "d\u00f3ne")
        assert seen.get(timeout=10) == (3000, "d\u00f3ne")
        assert (client.close_code, client.close_reason) == (3000, "d\u00f3ne")


def test_the_server_closes(site):
    with site.open(lambda connection: connection.close(4999, "r\u00e9ason")) as client:
        with pytest.raises(ConnectionClosedError) as excinfo:
            client.recv()
        assert (excinfo.value.rcvd.code, excinfo.value.rcvd.reason) == (4999, "r\u00e9ason")
        assert excinfo.value.rcvd_then_sent is True


def test_the_server_has_nothing_more_to_say(site):
    with site.open(lambda connection: connection.send("all")) as client:
        assert client.recv() == "all"
        with pytest.raises(ConnectionClosedOK):
            client.recv()
        assert client.close_code == 1000


def test_the_server_is_shut_down(site):
    with site.serve() as server, site.connect() as client:
        client.send("hello")
        assert client.recv() == "hello"
        server.shutdown(5)
        with pytest.raises(ConnectionClosedOK):
            client.recv()
        assert client.close_code == 1001


def test_the_client_vanishes(site):
    seen = queue.SimpleQueue()

    def handler(connection):
        connection.send("here")
        connection.wait_closed()
        seen.put(connection.close_code)

    with site.open(handler) as client:
        client.recv()
        client.abort()
        assert seen.get(timeout=10) == 1006


def test_the_server_vanishes(site):
    with site.open(lambda connection: connection.abort()) as client:
        with pytest.raises(ConnectionClosedError) as excinfo:
            client.recv()
        assert excinfo.value.rcvd is None


def test_many_connections(site):
    with site.serve(), site.connect() as first, site.connect() as second, site.connect() as third:
        clients = [first, second, third]
        for number, client in enumerate(clients):
            client.send(str(number))
        assert [client.recv() for client in clients] == ["0", "1", "2"]


def test_what_was_negotiated(site):
    def handler(connection):
        connection.send(f"{connection.request.path} {connection.request.headers['Host']} {connection.subprotocol}")

    with site.open(handler, path="/chat?room=%C3%A4", subprotocols=["b", "a"]) as client:
        assert client.subprotocol == "b"
        assert client.recv() == f"/chat?room=%C3%A4 127.0.0.1:{site.port} b"
        assert "permessage-deflate" in client.response.headers["Sec-WebSocket-Extensions"]


def test_the_origin_is_that_of_the_page(site):
    with site.serve(origins=["https://example.com"]):
        with site.connect(origin="https://example.com") as client:
            client.send("hello")
            assert client.recv() == "hello"
        with pytest.raises(InvalidStatus) as excinfo, site.connect(origin="https://example.org"):
            pass
        assert excinfo.value.response.status_code == 403


def test_the_server_refuses(site):
    def process_request(connection, request):
        return connection.respond(418, "Not with me.\n")

    with site.serve(process_request=process_request):
        with pytest.raises(InvalidStatus) as excinfo, site.connect():
            pass
        assert excinfo.value.response.status_code == 418
        assert excinfo.value.response.body == b"Not with me.\n"


def test_the_server_is_down(site):
    with pytest.raises(InvalidStatus) as excinfo, site.connect():
        pass
    assert excinfo.value.response.status_code in (502, 503)


@pytest.mark.not_through("wstunnel")  # without mod_proxy_http, it is for WebSocket alone
def test_plain_http(site):
    def process_request(connection, request):
        return connection.respond(200, "I am well.\n") if request.path == "/health" else None

    context = site.trust if site.tls else None
    uri = site.uri("/health").replace("ws", "http", 1)
    with site.serve(process_request=process_request):
        with urllib.request.urlopen(uri, context=context, timeout=10) as response:
            assert (response.status, response.read()) == (200, b"I am well.\n")
        with pytest.raises(urllib.error.HTTPError) as excinfo:
            urllib.request.urlopen(uri.replace("/health", "/"), context=context, timeout=10)
        assert excinfo.value.code == 426
        excinfo.value.close()
