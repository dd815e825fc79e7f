"""Answers of a server that are wrong: what a client without I/O makes of them."""

from __future__ import annotations

import sys
from typing import Any

from libraries import accept

ANSWERS = {
    "a parameter without its value": "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits",
    "a value that is no number": "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=x",
    "a number out of range": "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
    "an extension not asked for": "Sec-WebSocket-Extensions: x-unknown",
    "a subprotocol not asked for": "Sec-WebSocket-Protocol: x-unknown",
}


def with_twoway(header: str) -> Any:
    from twoway.deflate import enable_client_permessage_deflate
    from twoway.protocol import ClientOptions, ClientProtocol

    client = ClientProtocol("ws://localhost/", ClientOptions(extensions=enable_client_permessage_deflate(None)), now=0)
    client.send_request(client.connect())
    client.receive_data(answer(b"".join(client.data_to_send()), header), now=0)
    return client.handshake_exc


def with_wsproto(header: str) -> Any:
    from wsproto import ConnectionType, WSConnection  # type: ignore[import-not-found]
    from wsproto.events import Request  # type: ignore[import-not-found]
    from wsproto.extensions import PerMessageDeflate  # type: ignore[import-not-found]

    client = WSConnection(ConnectionType.CLIENT)
    request = client.send(Request(host="localhost", target="/", extensions=[PerMessageDeflate()]))
    client.receive_data(answer(request, header))
    return list(client.events())


def answer(request: bytes, header: str) -> bytes:
    return accept(request).replace(b"\r\n\r\n", f"\r\n{header}\r\n\r\n".encode())


make = {"twoway": with_twoway, "wsproto": with_wsproto}[sys.argv[1] if sys.argv[1:] else "twoway"]
for what, header in ANSWERS.items():
    try:
        result = make(header)
    except Exception as error:
        result = error
    print(f"{what}:\n    {type(result).__name__}: {result}")
