"""Connections over TLS: that they work, that certificates count, and that no peer can hold them up."""

from __future__ import annotations

import asyncio
import logging
import ssl

import pytest

from twoway.asyncio import ConnectionClosedError, InvalidHandshake, InvalidStatus, connect


@pytest.mark.feature("serve over TLS")
@pytest.mark.feature("connect over TLS")
@pytest.mark.parametrize("message", ["hi", b"x" * 300_000])
async def test_messages_over_tls(connected, message):
    async with connected(secure=True) as (client, server):
        await client.send(message)
        assert await server.recv() == message
        await server.send(message)
        assert await client.recv() == message
        assert client.transport.get_extra_info("ssl_object").version().startswith("TLS")
        await server.close(4000, "enough")
    assert (client.close_code, client.close_reason) == (4000, "enough")


@pytest.mark.feature("connect over TLS")
async def test_the_client_closes_over_tls(connected):
    async with connected(secure=True) as (client, server):
        await client.close(4001)
        await server.wait_closed()
        assert server.close_code == client.close_code == 4001


@pytest.mark.feature("connect over TLS")
async def test_a_certificate_that_is_not_trusted_is_refused(serving, tls, caplog):
    async with serving(ssl=tls.server) as (_, uri):
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(uri)
        async with connect(uri, ssl=tls.client) as client:
            await client.send("next")
            assert await client.recv() == "next"
    assert caplog.records == []


@pytest.mark.feature("connect over TLS")
async def test_the_name_in_the_certificate_counts(serving, tls):
    async with serving(ssl=tls.server) as (server, _):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(f"wss://127.0.0.1:{port}/", ssl=tls.client)
        async with connect(f"wss://127.0.0.1:{port}/", ssl=tls.client, server_hostname="localhost") as client:
            await client.send("x")
            assert await client.recv() == "x"


@pytest.mark.feature("connect over TLS")
async def test_by_default_certificates_are_verified(serving, tls):
    async with serving(ssl=tls.server) as (_, uri):
        with pytest.raises(ssl.SSLError):
            await connect(uri)


@pytest.mark.feature("serve over TLS")
async def test_a_refusal_over_tls_arrives_whole(serving, tls):
    def refuse(connection, request):
        return connection.respond(403, "x" * 100_000)

    async with serving(ssl=tls.server, process_request=refuse) as (_, uri):
        with pytest.raises(InvalidStatus) as caught:
            await connect(uri, ssl=tls.client)
    assert len(caught.value.response.body) == 100_000


async def test_no_timeouts_over_tls(connected):
    options = {"open_timeout": None, "close_timeout": None, "ping_interval": None}
    async with connected(options, options, secure=True) as (client, server):
        await client.send("x")
        assert await server.recv() == "x"


async def test_a_close_timeout_of_zero_over_tls(connected):
    options = {"close_timeout": 0}
    async with connected(options, options, secure=True) as (client, server):
        await client.send("x")
        assert await server.recv() == "x"


async def test_a_write_limit_of_zero_over_tls(connected):
    options = {"write_limit": 0}
    async with connected(options, options, secure=True) as (client, server):
        for size in (0, 1, 100_000, 0):
            sending = asyncio.create_task(client.send(b"x" * size, compress=False))
            assert len(await server.recv()) == size
            await sending


@pytest.mark.feature("serve over TLS")
@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello"])
async def test_what_is_no_tls_does_no_harm_to_the_server(serving, tls, wire, caplog, data):
    async with serving(ssl=tls.server) as (_, uri):
        async with wire.client(uri, data) as (reader, _):
            await reader.read()
        async with connect(uri, ssl=tls.client) as client:
            await client.send("next")
            assert await client.recv() == "next"
    assert caplog.records == []


async def test_a_server_without_tls_is_an_error_of_the_system(serving, tls):
    async with serving(open_timeout=0.2) as (_, uri):
        with pytest.raises(OSError):
            await connect(uri.replace("ws:", "wss:"), ssl=tls.client)


@pytest.mark.feature("connect over TLS")
async def test_a_server_that_is_silent_in_the_tls_handshake(wire, tls, never):
    async with wire.server(never) as uri:
        with pytest.raises(TimeoutError, match="timed out"):
            await connect(uri.replace("ws:", "wss:"), ssl=tls.client, open_timeout=0.1)


@pytest.mark.feature("serve over TLS")
async def test_a_client_that_is_silent_in_the_tls_handshake(serving, tls, wire):
    async with serving(ssl=tls.server, open_timeout=0.1) as (_, uri), wire.client(uri, b"\x16\x03\x01") as (reader, _):
        assert await reader.read() == b""


async def test_a_server_that_answers_before_the_request_over_tls(wire, tls):
    async def behave(reader, writer):
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async with wire.server(behave, ssl=tls.server) as uri:
        with pytest.raises(InvalidHandshake):
            await connect(uri, ssl=tls.client)


@pytest.mark.parametrize("call", ["close", "fail", "send"])
async def test_a_server_that_stops_reading_and_answering_over_tls(wire, tls, call):
    async def behave(reader, writer):
        await wire.accept(reader, writer)
        writer.transport.pause_reading()
        if call == "fail":
            writer.write(wire.frame(0x83))
        await asyncio.Event().wait()

    limits = {"close_timeout": 0.1, "ping_interval": 0.1, "ping_timeout": 0.1}
    async with wire.server(behave, ssl=tls.server) as uri:
        client = await connect(uri, ssl=tls.client, **limits)
        if call == "close":
            await client.close()
        elif call == "fail":
            with pytest.raises(ConnectionClosedError):
                await client.recv()
        else:
            with pytest.raises(ConnectionClosedError):
                while True:
                    await client.send(bytes(100_000), compress=False)
        await client.wait_closed()
        assert client.close_code == 1006


@pytest.mark.feature("serve over TLS")
async def test_a_client_that_closes_its_tls_side_in_the_handshake(serving, wire, tls, caplog):
    thinking, stopped = asyncio.Event(), asyncio.Event()

    async def process_request(connection, request):
        thinking.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    caplog.set_level(logging.INFO)
    request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with serving(process_request=process_request, ssl=tls.server) as (_, uri):
        secure = {"ssl": tls.client, "server_hostname": "localhost"}
        async with wire.client(uri, request, **secure) as (reader, writer):
            await thinking.wait()
            writer.close()
            assert await reader.read() == b""
            await stopped.wait()
    assert [record.name for record in caplog.records] == ["twoway.server"]


async def test_a_peer_that_vanishes_without_a_word_of_tls(wire, tls):
    async def behave(reader, writer):
        await wire.accept(reader, writer)
        await writer.drain()
        writer.transport.abort()

    async with wire.server(behave, ssl=tls.server) as uri, connect(uri, ssl=tls.client) as client:
        with pytest.raises(ConnectionClosedError):
            await client.recv()
        assert client.close_code == 1006
