"""What a server answers to bytes that are no handshake, or no frames; each with one line in the log."""

from __future__ import annotations

import logging
import re

import pytest

from twoway.threading import connect


def request_with(**changes: bytes | None) -> bytes:
    headers = {
        "Host": b"localhost",
        "Upgrade": b"websocket",
        "Connection": b"Upgrade",
        "Sec-WebSocket-Key": b"dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": b"13",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [name.encode() + b": " + value for name, value in headers.items() if value is not None]
    return b"GET / HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n"


BAD_REQUESTS = {
    "garbage": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n", 400),
    "another protocol": (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", 400),
    "bare line feeds": (request_with().replace(b"\r\n", b"\n"), 400),
    "space before the colon": (request_with().replace(b"Host:", b"Host :"), 400),
    "folded header": (request_with(X=b"a\r\n b"), 400),
    "null in a header": (request_with(X=b"a\0b"), 400),
    "null in the target": (request_with().replace(b"GET /", b"GET /\0"), 400),
    "no Host": (request_with(Host=None), 400),
    "two Hosts": (request_with(X=b"1\r\nHost: other"), 400),
    "bad Host": (request_with(Host=b"a b"), 400),
    "a body": (request_with(Content_Length=b"5") + b"hello", 400),
    "a chunked body": (request_with(Transfer_Encoding=b"chunked") + b"0\r\n\r\n", 400),
    "no key": (request_with(Sec_WebSocket_Key=None), 400),
    "short key": (request_with(Sec_WebSocket_Key=b"c2hvcnQ="), 400),
    "bad extensions": (request_with(Sec_WebSocket_Extensions=b"a;;b,"), 400),
    "bad subprotocols": (request_with(Sec_WebSocket_Protocol=b"a b"), 400),
    "POST": (request_with().replace(b"GET", b"POST"), 405),
    "long target": (b"GET /" + b"x" * 10000 + b" HTTP/1.1\r\n\r\n", 414),
    "plain HTTP": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 426),
    "old version": (request_with(Sec_WebSocket_Version=b"8"), 426),
    "long header": (request_with(X=b"x" * 10000), 431),
    "many headers": (request_with(X=b"1\r\nX: 1" * 200), 431),
    "HTTP/1.0": (request_with().replace(b"HTTP/1.1", b"HTTP/1.0"), 505),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
}


@pytest.mark.feature("limits against hostile peers")
@pytest.mark.feature("logging")
@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_a_bad_request_gets_its_status_and_one_line_in_the_log(serving, wire, caplog, name):
    caplog.set_level(logging.INFO)
    request, status = BAD_REQUESTS[name]
    with serving() as (server, uri):
        with wire.client(uri, request) as stream:
            answer = stream.read()
        assert answer.split(b" ", 2)[1] == str(status).encode(), answer
        assert re.search(rb"\r\nConnection: ([^\r]+, )?close\r\n", answer)
        with connect(uri) as client:
            client.send("next")
            assert client.recv() == "next"
        assert server.is_serving()
    (record,) = caplog.records
    assert (record.name, record.levelno, record.exc_info) == ("twoway.server", logging.INFO, None)
    assert record.getMessage().startswith("opening handshake failed: ")
    assert record.getMessage().isprintable()


@pytest.mark.feature("logging")
@pytest.mark.parametrize("request_", [b"", b"GET", request_with()[:-2]], ids=["nothing", "a word", "nearly all"])
def test_who_leaves_before_the_request_is_complete_is_one_line(serving, wire, caplog, request_):
    caplog.set_level(logging.INFO)
    with serving() as (_, uri), wire.client(uri, request_) as stream:
        stream.write_eof()
        stream.read()
    assert [(record.levelno, record.exc_info) for record in caplog.records] == [(logging.INFO, None)]


BAD_FRAMES = {
    "not masked": (0x81, b"hi", False, 1002),
    "reserved opcode": (0x83, b"", True, 1002),
    "reserved bit": (0x91, b"", True, 1002),
    "continuation of nothing": (0x80, b"", True, 1002),
    "fragmented ping": (0x09, b"", True, 1002),
    "long ping": (0x89, bytes(126), True, 1002),
    "bad close code": (0x88, b"\x03\xed", True, 1002),
    "half a close code": (0x88, b"\x03", True, 1002),
    "bad UTF-8": (0x81, b"\xff", True, 1007),
    "too big": (0x82, bytes(2000), True, 1009),
}


@pytest.mark.feature("limits against hostile peers")
@pytest.mark.feature("logging")
@pytest.mark.parametrize("name", BAD_FRAMES)
def test_a_bad_frame_gets_its_close_code_and_one_line_in_the_log(serving, wire, caplog, name):
    caplog.set_level(logging.INFO)
    first, payload, masked, code = BAD_FRAMES[name]
    with serving(max_size=1000) as (_, uri):
        with wire.opened(uri) as stream:
            stream.write(wire.frame(first, payload, masked))
            answer = stream.read()
        assert answer[0] == 0x88
        assert int.from_bytes(answer[2:4]) == code
        with connect(uri) as client:
            client.send("next")
            assert client.recv() == "next"
    (record,) = caplog.records
    assert (record.name, record.levelno, record.exc_info) == ("twoway.server", logging.INFO, None)
    assert record.getMessage().startswith("connection failed: ")


@pytest.mark.feature("logging")
def test_the_reason_of_a_peer_cannot_forge_the_log(serving, wire, caplog):
    caplog.set_level(logging.INFO)
    with serving() as (_, uri), wire.opened(uri) as stream:
        stream.write(wire.frame(0x83, b"\r\nERROR forged", masked=True))
        stream.read()
    assert all(record.getMessage().isprintable() for record in caplog.records)


def test_messages_before_a_bad_frame_are_answered(serving, wire):
    with serving() as (_, uri), wire.opened(uri) as stream:
        stream.write(wire.frame(0x81, b"one", True) + wire.frame(0x81, b"two", True) + wire.frame(0x83, b"", True))
        answer = stream.read()
    assert answer[:10] == wire.frame(0x81, b"one") + wire.frame(0x81, b"two")
    assert answer[10] == 0x88
