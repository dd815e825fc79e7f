"""Connections over TLS: that they work, that certificates count, and that no peer can hold them up."""

from __future__ import annotations

import logging
import socket
import ssl
import threading

import pytest

from twoway.threading import ConnectionClosedError, InvalidHandshake, InvalidStatus, connect


@pytest.mark.feature("serve over TLS")
@pytest.mark.feature("connect over TLS")
@pytest.mark.parametrize("message", ["hi", b"x" * 300_000])
def test_messages_over_tls(connected, message):
    with connected(secure=True) as (client, server):
        client.send(message)
        assert server.recv() == message
        server.send(message)
        assert client.recv() == message
        server.close(4000, "enough")
    assert (client.close_code, client.close_reason) == (4000, "enough")


@pytest.mark.feature("connect over TLS")
def test_the_client_closes_over_tls(connected):
    with connected(secure=True) as (client, server):
        client.close(4001)
        server.wait_closed()
        assert server.close_code == client.close_code == 4001


@pytest.mark.feature("connect over TLS")
def test_messages_that_share_a_record_are_received_one_after_the_other(wire, tls):
    """What waits inside the TLS object makes no socket readable."""
    go_on = threading.Event()

    def behave(stream):
        wire.accept(stream)
        stream.write(b"".join(wire.frame(0x81, str(number).encode()) for number in range(100)))
        assert go_on.wait(20)
        stream.write(wire.close())
        stream.read(100)

    with wire.server(behave, ssl=tls.server) as uri, connect(uri, ssl=tls.client) as client:
        assert [client.recv(timeout=20) for _ in range(100)] == [str(number) for number in range(100)]
        go_on.set()


@pytest.mark.feature("connect over TLS")
def test_messages_in_one_record_are_received_though_the_queue_is_full(wire, tls):
    def behave(stream):
        wire.accept(stream)
        stream.write(b"".join(wire.frame(0x81, str(number).encode()) for number in range(100)))
        stream.idle()

    with wire.server(behave, ssl=tls.server) as uri:
        client = connect(uri, ssl=tls.client, max_queue=(2, 1)).connect()
        for number in range(100):
            assert client.recv(timeout=20) == str(number)
        client.abort()


@pytest.mark.feature("connect over TLS")
def test_a_record_that_is_not_complete_is_not_waited_for(wire, tls, spawn):
    """A timeout counts, and other threads can send."""

    def behave(stream):
        wire.accept(stream)
        stream.readexactly(len(wire.frame(0x81, b"hello", True)))
        with socket.socket(fileno=stream.sock.detach()) as raw:
            raw.sendall(b"\x17\x03\x03\x00\x64" + bytes(10))
            stream.stop.wait(20)

    with wire.server(behave, ssl=tls.server) as uri:
        client = connect(uri, ssl=tls.client, close_timeout=0.1).connect()
        receiving = spawn(client.recv).blocked()
        client.send("hello")
        with pytest.raises(TimeoutError):
            client.ping().wait(0.05)
        client.close()
        assert isinstance(receiving.error(), ConnectionClosedError)


@pytest.mark.feature("connect over TLS")
def test_both_ways_at_once_over_tls(connected, spawn):
    with connected({"compression": None}, {"compression": None}, secure=True) as (client, server):
        message = b"x" * 900_000
        sending = [spawn(end.send, message) for end in (client, server) * 4]
        for end in (client, server):
            assert [end.recv() for _ in range(4)] == [message] * 4
        for task in sending:
            task.result()


@pytest.mark.feature("connect over TLS")
def test_a_certificate_that_is_not_trusted_is_refused(serving, tls, caplog):
    with serving(ssl=tls.server) as (_, uri):
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(uri).connect()
        with connect(uri, ssl=tls.client) as client:
            client.send("next")
            assert client.recv() == "next"
    assert caplog.records == []


@pytest.mark.feature("connect over TLS")
def test_the_name_in_the_certificate_counts(serving, tls):
    with serving(ssl=tls.server) as (server, _):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ssl.SSLCertVerificationError):
            connect(f"wss://127.0.0.1:{port}/", ssl=tls.client).connect()
        with connect(f"wss://127.0.0.1:{port}/", ssl=tls.client, server_hostname="localhost") as client:
            client.send("x")
            assert client.recv() == "x"


@pytest.mark.feature("connect over TLS")
@pytest.mark.parametrize("options", [{}, {"ssl": True}])
def test_by_default_certificates_are_verified(serving, tls, options):
    with serving(ssl=tls.server) as (_, uri), pytest.raises(ssl.SSLError):
        connect(uri, **options).connect()


@pytest.mark.feature("serve over TLS")
def test_a_refusal_over_tls_arrives_whole(serving, tls):
    def refuse(connection, request):
        return connection.respond(403, "x" * 100_000)

    with serving(ssl=tls.server, process_request=refuse) as (_, uri), pytest.raises(InvalidStatus) as caught:
        connect(uri, ssl=tls.client).connect()
    assert len(caught.value.response.body) == 100_000


def test_no_timeouts_over_tls(connected):
    options = {"open_timeout": None, "close_timeout": None, "ping_interval": None}
    with connected(options, options, secure=True) as (client, server):
        client.send("x")
        assert server.recv() == "x"


def test_a_close_timeout_of_zero_over_tls(connected):
    options = {"close_timeout": 0}
    with connected(options, options, secure=True) as (client, server):
        client.send("x")
        assert server.recv() == "x"


def test_a_write_limit_of_zero_over_tls(connected, spawn):
    options = {"write_limit": 0}
    with connected(options, options, secure=True) as (client, server):
        for size in (0, 1, 100_000, 0):
            sending = spawn(client.send, b"x" * size, compress=False)
            assert len(server.recv()) == size
            sending.result()


@pytest.mark.feature("serve over TLS")
@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello"])
def test_what_is_no_tls_does_no_harm_to_the_server(serving, tls, wire, caplog, data):
    with serving(ssl=tls.server) as (_, uri):
        with wire.client(uri, data) as stream:
            stream.read()
        with connect(uri, ssl=tls.client) as client:
            client.send("next")
            assert client.recv() == "next"
    assert caplog.records == []


@pytest.mark.feature("serve over TLS")
def test_a_client_learns_why_tls_is_not_possible(serving, tls):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    new = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    new.minimum_version = ssl.TLSVersion.TLSv1_3
    with serving(ssl=new) as (_, uri), pytest.raises(ssl.SSLError, match="ALERT"):
        connect(uri, ssl=old).connect()


def test_a_server_without_tls_is_an_error_of_the_system(serving, tls):
    with serving(open_timeout=0.2) as (_, uri), pytest.raises(OSError):
        connect(uri.replace("ws:", "wss:"), ssl=tls.client).connect()


@pytest.mark.feature("connect over TLS")
def test_a_server_that_is_silent_in_the_tls_handshake(wire, tls):
    with wire.server(lambda stream: stream.idle()) as uri, pytest.raises(TimeoutError, match="timed out"):
        connect(uri.replace("ws:", "wss:"), ssl=tls.client, open_timeout=0.1).connect()


@pytest.mark.feature("serve over TLS")
def test_a_client_that_is_silent_in_the_tls_handshake(serving, tls, wire):
    with serving(ssl=tls.server, open_timeout=0.1) as (_, uri), wire.client(uri, b"\x16\x03\x01") as stream:
        assert stream.read() == b""


def test_a_server_that_answers_before_the_request_over_tls(wire, tls):
    def behave(stream):
        stream.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        stream.read()

    with wire.server(behave, ssl=tls.server) as uri, pytest.raises(InvalidHandshake):
        connect(uri, ssl=tls.client).connect()


@pytest.mark.parametrize("call", ["close", "fail", "send"])
def test_a_server_that_stops_reading_and_answering_over_tls(wire, tls, call):
    def behave(stream):
        wire.accept(stream)
        if call == "fail":
            stream.write(wire.frame(0x83))
        stream.idle()

    limits = {"close_timeout": 0.1, "ping_interval": 0.1, "ping_timeout": 0.1}
    with wire.server(behave, ssl=tls.server) as uri:
        client = connect(uri, ssl=tls.client, **limits).connect()
        if call == "close":
            client.close()
        elif call == "fail":
            with pytest.raises(ConnectionClosedError):
                client.recv()
        else:
            with pytest.raises(ConnectionClosedError):
                while True:
                    client.send(bytes(100_000), compress=False)
        client.wait_closed()
        assert client.close_code == 1006


@pytest.mark.feature("serve over TLS")
def test_a_client_that_closes_its_tls_side_in_the_handshake(serving, wire, tls, caplog):
    thinking, go_on = threading.Event(), threading.Event()

    def process_request(connection, request):
        thinking.set()
        assert go_on.wait(20)

    caplog.set_level(logging.INFO)
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(process_request=process_request, ssl=tls.server) as (_, uri):
        with wire.client(uri, request, ssl=tls.client) as stream:
            assert thinking.wait(20)
            stream.sock.unwrap().close()
        go_on.set()
    assert [record.name for record in caplog.records] == ["twoway.server"]


def test_a_peer_that_vanishes_without_a_word_of_tls(wire, tls):
    with wire.server(wire.accept, ssl=tls.server) as uri, connect(uri, ssl=tls.client) as client:
        with pytest.raises(ConnectionClosedError):
            client.recv()
        assert client.close_code == 1006
