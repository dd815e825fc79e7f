"""What a request for WebSocket has to hold."""

from __future__ import annotations

import re

from ._errors import UPGRADE_FIELDS, HeaderError, MethodError, UpgradeError, VersionError
from ._grammar import contains_token
from ._message import Request

VERSION = "13"

# 16 bytes are 22 characters and two of padding in base64.
_match_key = re.compile(r"[A-Za-z0-9+/]{22}==").fullmatch

_SINGLE = {name.lower(): name for name in ("Sec-WebSocket-Key", "Sec-WebSocket-Version", "Origin", "Authorization")}


def check_request(request: Request) -> str:
    """
    Check the client's handshake, as a server.

    Args:
        request: Request; read only.

    Returns:
        Its Sec-WebSocket-Key.

    Raises:
        MethodError: The method is not GET. Status 405.
        VersionError: The HTTP version is below 1.1. Status 505.
        UpgradeError: It does not ask for WebSocket. Status 426.
        HeaderError: The version of WebSocket is not 13 (426); a header is missing, repeated or malformed (400).

    Spec:
        RFC 6455 §4.2.1, §4.4.
    """
    if request.method != "GET":
        raise MethodError(request.method)
    if request.version != "HTTP/1.1":
        raise VersionError(request.version)
    find = request.headers._index.get
    check_token("Upgrade", find("upgrade", []), "websocket")
    check_token("Connection", find("connection", []), "upgrade")
    for name, written in _SINGLE.items():
        if len(find(name, ())) > 1:
            raise HeaderError(written, problem="repeated")
    (version,) = find("sec-websocket-version") or (None,)
    _check_version(version)
    (key,) = find("sec-websocket-key") or (None,)
    if key is None or _match_key(key) is None:
        raise HeaderError("Sec-WebSocket-Key", key)
    return key


def check_token(name: str, values: list[str], token: str) -> None:
    """
    Check that a header names what is asked for or granted.

    Args:
        name: Name of the header.
        values: Its values.
        token: Lower-case token.

    Raises:
        UpgradeError: It does not. Status 426.

    Spec:
        RFC 9110 §7.6.1, §7.8.
    """
    if not contains_token(values, token):
        raise UpgradeError(name, ", ".join(values) if values else None)


def _check_version(version: str | None) -> None:
    if version is None:
        raise HeaderError("Sec-WebSocket-Version")
    if version != VERSION:
        # RFC 6455 §4.4: the answer MUST say which versions the server speaks.
        answer = (*UPGRADE_FIELDS, ("Sec-WebSocket-Version", VERSION))
        raise HeaderError("Sec-WebSocket-Version", version, "unsupported", 426, answer)
