"""Sec-WebSocket-Extensions and Sec-WebSocket-Protocol: parsing, building, choosing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from ._errors import HeaderError
from ._grammar import TOKEN, check_values, match_token, shorten, split_list

ExtensionHeader: TypeAlias = tuple[str, list[tuple[str, str | None]]]
"""One extension: its name, and its parameters as name and value; ``None`` for a parameter without value."""

# RFC 6455 §9.1: a quoted value MUST be a token once unquoted, so only token characters may be in it.
_QUOTED = r'"((?:\\?[!#$%&\'*+\-.^_`|~0-9A-Za-z])++)"'
_match_name = re.compile(rf"({TOKEN})[ \t]*+").match
_match_parameter = re.compile(rf";[ \t]*+({TOKEN})[ \t]*+(?:=[ \t]*+(?:({TOKEN})|{_QUOTED})[ \t]*+)?+").match
_skip_separators = re.compile(r"[ \t,]*+").match

_EXTENSIONS = "Sec-WebSocket-Extensions"
_PROTOCOL = "Sec-WebSocket-Protocol"
_MAX_ELEMENTS = 64


def parse_extensions(values: Sequence[str]) -> list[ExtensionHeader]:
    """
    Parse Sec-WebSocket-Extensions.

    Args:
        values: Values of all lines of the header, in order.

    Returns:
        The extensions in order, the peer's preference first.

    Raises:
        HeaderError: A value is malformed, or there are more than 64 extensions and parameters in all. The peer's
            fault; status 400.
        TypeError: ``values`` is one ``str``. A caller's bug.

    Spec:
        RFC 6455 §9.1.

    Cost:
        Linear.
    """
    extensions: list[ExtensionHeader] = []
    room = _MAX_ELEMENTS
    for value in check_values(values, "values"):
        position = _end(_skip_separators(value))
        while position < len(value):
            extension, position = _parse_extension(value, position, room)
            extensions.append(extension)
            room -= 1 + len(extension[1])
    return extensions


def build_extensions(extensions: Sequence[ExtensionHeader]) -> str:
    """
    Write the value of Sec-WebSocket-Extensions.

    Args:
        extensions: Extensions in order of preference; names and values are tokens.

    Returns:
        The value of one header line.

    Raises:
        ValueError: A name or value is not a token, or there is no extension. A caller's bug.

    Spec:
        RFC 6455 §9.1.
    """
    if not extensions:
        raise ValueError("extensions must not be empty")
    return ", ".join("; ".join([_token(name, "extensions"), *map(_build_parameter, ps)]) for name, ps in extensions)


def parse_subprotocols(values: Sequence[str]) -> list[str]:
    """
    Parse Sec-WebSocket-Protocol of a request.

    Args:
        values: Values of all lines of the header, in order.

    Returns:
        The subprotocols in order, the client's preference first.

    Raises:
        HeaderError: One is not a token or is named twice, or there are more than 64. The client's fault; status 400.
        TypeError: ``values`` is one ``str``. A caller's bug.

    Spec:
        RFC 6455 §4.1 item 10, §11.3.4.
    """
    if not check_values(values, "values"):
        return []
    subprotocols = split_list(values)
    if len(subprotocols) > _MAX_ELEMENTS or not all(map(match_token, subprotocols)):
        raise HeaderError(_PROTOCOL, ", ".join(values))
    if len(set(subprotocols)) < len(subprotocols):
        raise HeaderError(_PROTOCOL, ", ".join(values), "repeated")
    return subprotocols


def build_subprotocols(subprotocols: Sequence[str]) -> str:
    """
    Write the value of Sec-WebSocket-Protocol of a request.

    Args:
        subprotocols: Tokens, all different, in order of preference.

    Returns:
        The value of one header line.

    Raises:
        TypeError: ``subprotocols`` is one ``str``. A caller's bug.
        ValueError: One is not a token or is named twice, or there is none. A caller's bug.

    Spec:
        RFC 6455 §4.1 item 10.
    """
    check_values(subprotocols, "subprotocols")
    if not subprotocols or len(set(subprotocols)) < len(subprotocols):
        raise ValueError("subprotocols must be different from each other, and at least one")
    return ", ".join(_token(subprotocol, "subprotocols") for subprotocol in subprotocols)


def select_subprotocol(offered: Sequence[str], supported: Sequence[str]) -> str | None:
    """
    Choose a subprotocol, as a server.

    Args:
        offered: What the client offers.
        supported: What the server speaks, its preference first.

    Returns:
        The first of ``supported`` that is offered; ``None`` when there is none.

    Spec:
        RFC 6455 §4.2.2 item 5.5.
    """
    check_values(supported, "supported")
    for subprotocol in supported:
        if subprotocol in offered:
            return subprotocol
    return None


def check_subprotocol(values: Sequence[str], offered: Sequence[str]) -> str | None:
    """
    Check the subprotocol that the server chose, as a client.

    Args:
        values: Values of all lines of Sec-WebSocket-Protocol in the response.
        offered: What the client offered.

    Returns:
        The subprotocol in use; ``None`` when the server chose none.

    Raises:
        HeaderError: There are several values, or the value was not offered. The server's fault.
        TypeError: ``values`` is one ``str``. A caller's bug.

    Spec:
        RFC 6455 §4.1, checks of the client, item 6; §11.3.4.
    """
    if not check_values(values, "values"):
        return None
    if len(values) > 1:
        raise HeaderError(_PROTOCOL, ", ".join(values), "repeated")
    if values[0] not in offered:
        raise HeaderError(_PROTOCOL, values[0], "unexpected")
    return values[0]


def _parse_extension(value: str, position: int, room: int) -> tuple[ExtensionHeader, int]:
    if (match := _match_name(value, position)) is None or not room:
        raise HeaderError(_EXTENSIONS, value)
    name = match[1]
    parameters: list[tuple[str, str | None]] = []
    position = match.end()
    while (match := _match_parameter(value, position)) is not None:
        parameters.append((match[1], _parameter_value(match)))
        position = match.end()
        if len(parameters) >= room:
            raise HeaderError(_EXTENSIONS, value)
    if position < len(value) and value[position] != ",":
        raise HeaderError(_EXTENSIONS, value)
    return (name, parameters), _end(_skip_separators(value, position))


def _parameter_value(match: re.Match[str]) -> str | None:
    token, quoted = match[2], match[3]
    return token if quoted is None else quoted.replace("\\", "")


def _end(match: re.Match[str] | None) -> int:
    return match.end() if match else 0


def _build_parameter(parameter: tuple[str, str | None]) -> str:
    name, value = parameter
    return (
        _token(name, "extensions") if value is None else f"{_token(name, 'extensions')}={_token(value, 'extensions')}"
    )


def _token(value: str, argument: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{argument} must hold str, not {type(value).__name__}")
    if match_token(value) is None:
        raise ValueError(f"{argument} must hold HTTP tokens, not {shorten(value)}")
    return value
