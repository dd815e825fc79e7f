"""Headers that are lists, and Host."""

from __future__ import annotations

from contextlib import suppress

from twoway.deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from twoway.frames import ExtensionParameter, NegotiationError
from twoway.http import (
    Headers,
    HTTPError,
    Request,
    build_extensions,
    build_subprotocols,
    check_host,
    check_origin,
    check_subprotocol,
    parse_extensions,
    parse_subprotocols,
    select_subprotocol,
)

from .target import lines

SERVERS = [
    ServerPerMessageDeflateFactory(),
    ServerPerMessageDeflateFactory(True, True, 9, 10, require_client_max_window_bits=True),
]
CLIENTS = [ClientPerMessageDeflateFactory(), ClientPerMessageDeflateFactory(True, True, 10, 9)]
OFFERED = ["chat", "superchat", "v1.example.com"]


def extensions(data: bytes) -> None:
    """Parse Sec-WebSocket-Extensions, write it again, and negotiate as both sides do."""
    try:
        found = parse_extensions(lines(data))
    except HTTPError:
        return
    assert sum(1 + len(params) for _, params in found) <= 64
    if found:
        assert parse_extensions([build_extensions(found)]) == found
    for name, params in found:
        if name == "permessage-deflate":
            _offer(params)
            _answer(params)


def subprotocols(data: bytes) -> None:
    """Parse Sec-WebSocket-Protocol as both sides do, and write it again."""
    values = lines(data)
    with suppress(HTTPError):
        assert check_subprotocol(values, OFFERED) in OFFERED
    try:
        found = parse_subprotocols(values)
    except HTTPError:
        return
    assert len(set(found)) == len(found) <= 64
    if found:
        assert parse_subprotocols([build_subprotocols(found)]) == found
    assert select_subprotocol(found, OFFERED) in [*found, None]


def host(data: bytes) -> None:
    """Compare Host and Origin with what is allowed; nothing but the very same passes."""
    try:
        headers = Headers([("Host", value) for value in lines(data)])
    except ValueError:
        return
    request = Request("/", headers)
    try:
        check_host(request, ["example.com", "*.example.org:8080", "[::1]"])
    except HTTPError:
        pass
    else:
        (value,) = headers.get_all("Host")
        name = value.lower().partition(":")[0]
        assert name == "example.com" or name.endswith(".example.org") or value.startswith("[")
    origins = Request("/", Headers([("Origin", value) for value in lines(data)]))
    with suppress(HTTPError):
        assert check_origin(origins, ["https://example.com"]) == "https://example.com"


def _offer(params: list[ExtensionParameter]) -> None:
    """Offer parameters to servers; where one accepts, a client that had offered them agrees with its answer."""
    for server in SERVERS:
        try:
            answer, ours = server.process_request_params(params, [])
        except NegotiationError:
            continue
        build_extensions([("permessage-deflate", list(answer))])
        theirs = _client(dict(params)).process_response_params(answer, [])
        assert ours.local_max_window_bits <= theirs.remote_max_window_bits <= 15
        assert theirs.local_max_window_bits <= ours.remote_max_window_bits <= 15
        assert ours.local_no_context_takeover >= theirs.remote_no_context_takeover
        assert theirs.local_no_context_takeover >= ours.remote_no_context_takeover


def _client(offer: dict[str, str | None]) -> ClientPerMessageDeflateFactory:
    server_bits = offer.get("server_max_window_bits")
    client_bits = offer.get("client_max_window_bits", "none")
    return ClientPerMessageDeflateFactory(
        "server_no_context_takeover" in offer,
        "client_no_context_takeover" in offer,
        None if server_bits is None else int(server_bits),
        None if client_bits == "none" else True if client_bits is None else int(client_bits),
    )


def _answer(params: list[ExtensionParameter]) -> None:
    for client in CLIENTS:
        try:
            extension = client.process_response_params(params, [])
        except NegotiationError:
            continue
        assert 8 <= extension.remote_max_window_bits <= 15
        assert 8 <= extension.local_max_window_bits <= 15
