"""Compression between a client and a server: what of it the options of the driver decide."""

from __future__ import annotations

import pytest

from twoway.deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory


@pytest.mark.feature("tune the memory of compression")
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_factory_sets_windows_and_contexts(connected, side):
    if side == "client":
        factory = ClientPerMessageDeflateFactory(server_no_context_takeover=True, client_max_window_bits=10)
    else:
        factory = ServerPerMessageDeflateFactory(server_no_context_takeover=True, client_max_window_bits=10)
    with connected(**{side: {"extensions": [factory]}}) as (client, server):
        parameters = client.response.headers["Sec-WebSocket-Extensions"]
        assert "server_no_context_takeover" in parameters
        assert parameters == server.response.headers["Sec-WebSocket-Extensions"]
        assert "client_max_window_bits=10" in parameters
        for message in ("x" * 5000, "y" * 5000):
            client.send(message)
            assert server.recv() == message
            server.send(message)
            assert client.recv() == message


@pytest.mark.feature("choose compression for each message")
@pytest.mark.feature("compression: permessage-deflate")
def test_each_message_may_be_compressed_or_not(serving, wire):
    def handler(connection):
        connection.send("x" * 100, compress=True)
        connection.send("x" * 100, compress=False)

    offer = b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    request = wire.REQUEST.replace(b"\r\n\r\n", offer)
    with serving(handler) as (_, uri), wire.client(uri, request) as stream:
        stream.readuntil(b"\r\n\r\n")
        first, size = stream.readexactly(2)
        assert first == 0xC1  # RFC 7692 §6: RSV1 tells that it is compressed
        assert size < 50
        stream.readexactly(size)
        assert stream.readexactly(102) == b"\x81\x64" + b"x" * 100
