"""The opening handshake, both sides: build, check, answer."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from ._errors import UPGRADE_FIELDS, HeaderError, HTTPError, StatusError, UpgradeError
from ._grammar import shorten, split_host
from ._headers import Headers, HeadersLike
from ._message import Request, Response
from ._negotiate import build_subprotocols
from ._upgrade import VERSION, check_token
from ._uri import WebSocketURI

if TYPE_CHECKING:
    import hashlib

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3

_RESERVED = frozenset(
    {
        "connection",
        "content-length",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "transfer-encoding",
        "upgrade",
    }
)
_TEXTS = {
    400: "The request is malformed or is not a valid WebSocket handshake.",
    403: "WebSocket connections from this origin are not allowed.",
    405: "WebSocket connections are opened with GET.",
    413: "The body of the request is too large.",
    414: "The request line is too long.",
    421: "This server does not answer for that host.",
    426: "This is a WebSocket server. Connect to it with a WebSocket client, version 13.",
    431: "The headers of the request are too large.",
    505: "WebSocket connections are opened with HTTP/1.1.",
}


def generate_key() -> str:
    """
    Make a fresh Sec-WebSocket-Key from the strong source of randomness.

    Returns:
        16 bytes in base64.

    Spec:
        RFC 6455 §4.1 item 7.
    """
    from secrets import token_bytes  # servers never need it

    return b2a_base64(token_bytes(16), newline=False).decode("ascii")


def accept_key(key: str) -> str:
    """
    Compute Sec-WebSocket-Accept.

    Args:
        key: Value of Sec-WebSocket-Key; ASCII.

    Returns:
        SHA-1 of the key and the GUID, in base64.

    Raises:
        ValueError: ``key`` is not ASCII. A caller's bug: `check_request` has checked the client's.

    Spec:
        RFC 6455 §4.2.2 item 5.4.
    """
    if not key.isascii():
        raise ValueError(f"key must be ASCII, not {shorten(key)}")
    digest = _find_sha1()(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return b2a_base64(digest, newline=False).decode("ascii")


def build_request(
    uri: WebSocketURI,
    key: str,
    *,
    origin: str | None = None,
    extensions: str | None = None,
    subprotocols: Sequence[str] = (),
    additional_headers: HeadersLike = (),
    user_agent_header: str | None = None,
    host: str | None = None,
) -> Request:
    """
    Build the client's handshake. User name and password of ``uri`` are left to whoever does authentication.

    Args:
        uri: Where to connect.
        key: Result of `generate_key`.
        origin: Value of Origin.
        extensions: Value of Sec-WebSocket-Extensions.
        subprotocols: Tokens, the preferred one first.
        additional_headers: More fields; Host and User-Agent in them replace the others, fields of the handshake are
            refused.
        user_agent_header: Value of User-Agent.
        host: Value of Host, instead of the one of ``uri``.

    Returns:
        A GET request.

    Raises:
        ValueError: A value is not allowed in HTTP, or ``additional_headers`` repeat the handshake's. A caller's bug.

    Spec:
        RFC 6455 §4.1.
    """
    more = _check_additional(additional_headers, "additional_headers", {"origin"} if origin is not None else set())
    headers = Headers()
    headers["Host"] = more.pop("Host", uri.host_header if host is None else host)
    if split_host(headers["Host"]) is None:
        raise ValueError(f"host must be a host with or without port, not {shorten(headers['Host'])}")
    headers.update(UPGRADE_FIELDS)
    headers["Sec-WebSocket-Key"] = key
    headers["Sec-WebSocket-Version"] = VERSION
    optional = {
        "Sec-WebSocket-Extensions": extensions,
        "Sec-WebSocket-Protocol": build_subprotocols(subprotocols) if subprotocols else None,
        "Origin": origin,
        "User-Agent": user_agent_header,
    }
    headers.update({name: value for name, value in optional.items() if value is not None})
    headers.update(more)
    return Request(uri.resource_name, headers)


def check_response(response: Response, key: str) -> None:
    """
    Check the server's handshake, as a client; extensions and subprotocol are checked where they are known.

    Args:
        response: Response; read only, kept by `StatusError`.
        key: Key that was sent.

    Raises:
        StatusError: The status is not 101.
        UpgradeError: Upgrade or Connection does not grant WebSocket.
        HeaderError: Sec-WebSocket-Accept is missing, repeated or wrong.

    Spec:
        RFC 6455 §4.1, checks of the client, items 1-4.
    """
    if response.status_code != 101:
        raise StatusError(response)
    upgrade = response.headers.get_all("Upgrade")
    if [value.lower() for value in upgrade] != ["websocket"]:
        raise UpgradeError("Upgrade", ", ".join(upgrade) if upgrade else None)
    check_token("Connection", response.headers.get_all("Connection"), "upgrade")
    accept = response.headers.get_all("Sec-WebSocket-Accept")
    if len(accept) > 1:
        raise HeaderError("Sec-WebSocket-Accept", ", ".join(accept), "repeated")
    if not accept or accept[0] != accept_key(key):
        raise HeaderError("Sec-WebSocket-Accept", accept[0] if accept else None)


def build_response(
    key: str,
    *,
    extensions: str | None = None,
    subprotocol: str | None = None,
    server_header: str | None = None,
    headers: HeadersLike = (),
) -> Response:
    """
    Build the server's handshake.

    Args:
        key: Result of `check_request`.
        extensions: Value of Sec-WebSocket-Extensions.
        subprotocol: Token; one that the client offered.
        server_header: Value of Server.
        headers: More fields; Server in them replaces the other, fields of the handshake are refused.

    Returns:
        A response with status 101.

    Raises:
        ValueError: A value is not allowed in HTTP, or ``headers`` repeat the handshake's. A caller's bug.

    Spec:
        RFC 6455 §4.2.2 item 5.
    """
    accept = accept_key(key)
    fields = Headers._trusted(
        [*UPGRADE_FIELDS, ("Sec-WebSocket-Accept", accept)],
        {"upgrade": ["websocket"], "connection": ["Upgrade"], "sec-websocket-accept": [accept]},
    )
    if extensions is not None:
        fields.add("Sec-WebSocket-Extensions", extensions)
    if subprotocol is not None:
        fields.add("Sec-WebSocket-Protocol", build_subprotocols([subprotocol]))
    if server_header is not None:
        fields.add("Server", server_header)
    if headers:
        fields.update(_check_additional(headers, "headers", set()))
    return Response(101, "Switching Protocols", fields)


def error_response(exc: HTTPError) -> Response:
    """
    Build the answer to a request that broke the rules.

    The text is fixed for each status: nothing that the peer sent comes back.

    Args:
        exc: Error; read only.

    Returns:
        A plain-text response with the fields of ``exc`` and ``Connection: close``.

    Spec:
        RFC 6455 §4.2.2, RFC 9110 §15.5.
    """
    headers = Headers(exc.headers)
    # RFC 9110 §7.8: a sender of Upgrade MUST name it in Connection, here beside "close".
    headers["Connection"] = ", ".join([*headers.get_all("Connection"), "close"])
    text = _TEXTS.get(exc.status, "The WebSocket handshake failed.")
    return Response.text(exc.status, f"{text}\n", headers)


@cache
def _find_sha1() -> Callable[..., hashlib._Hash]:
    from hashlib import sha1  # slow to import, and imported anyway by whoever has TLS

    return sha1


def _check_additional(items: HeadersLike, argument: str, taken: set[str]) -> Headers:
    more = Headers(items)
    for name in more:
        if name.lower() in _RESERVED or name.lower() in taken:
            raise ValueError(f"{argument} must not hold {name}: the handshake sets it")
    return more
