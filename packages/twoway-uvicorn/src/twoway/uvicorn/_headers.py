"""Fields of answers, from ASGI and from uvicorn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from twoway.http import Headers, Response

Pairs: TypeAlias = Iterable[tuple[bytes, bytes]]

# Fields of the handshake itself. ASGI names the subprotocol only, but nothing good comes of the others.
_OF_HANDSHAKE = frozenset({"connection", "content-length", "transfer-encoding", "upgrade"})


def read_fields(pairs: Pairs) -> list[tuple[str, str]]:
    """
    Read fields as ASGI gives them.

    Args:
        pairs: Names and values.

    Returns:
        The same as text.
    """
    return [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in pairs]


def accept_with(response: Response, fields: list[tuple[str, str]], subprotocol: str | None) -> Response:
    """
    Add what the application wants to an answer that accepts.

    Args:
        response: The answer; not changed.
        fields: Fields to add, in order.
        subprotocol: The subprotocol that the application has chosen, None for none.

    Returns:
        A new answer.

    Raises:
        ValueError: A field belongs to the handshake, or is not allowed in HTTP; the application's fault.
    """
    headers = response.headers.copy()
    for name, value in fields:
        if name.lower() in _OF_HANDSHAKE or name.lower().startswith("sec-websocket-"):
            raise ValueError(f"headers of 'websocket.accept' must not hold {name}, which belongs to the handshake")
        headers.add(name, value)
    if subprotocol:
        headers["Sec-WebSocket-Protocol"] = subprotocol
    return Response(response.status_code, response.reason_phrase, headers, response.body)


def make_denial(response: Response, fields: list[tuple[str, str]], body: bytes) -> Response:
    """
    Put the application's own refusal into an answer.

    Args:
        response: A refusal with the right status; not changed.
        fields: All of its fields, in order.
        body: The whole body.

    Returns:
        A new answer.

    Raises:
        ValueError: A field is not allowed in HTTP, or Content-Length is not that of the body; the application's fault.
    """
    headers = Headers(fields)
    headers.pop("Transfer-Encoding", None)  # how the body is sent is the server's affair, says ASGI
    if headers.get("Content-Length", str(len(body))) != str(len(body)):
        raise ValueError(f"Content-Length is {headers['Content-Length']}, but the body has {len(body)} bytes")
    return Response(response.status_code, response.reason_phrase, headers, body)


def complete(response: Response, defaults: list[tuple[str, str]]) -> None:
    """
    Add the fields that uvicorn has for all answers where they are missing.

    Args:
        response: Changed in place.
        defaults: Date, Server, and what the command line adds.
    """
    missing = [(name, value) for name, value in defaults if name not in response.headers]
    for name, value in missing:
        response.headers.add(name, value)
