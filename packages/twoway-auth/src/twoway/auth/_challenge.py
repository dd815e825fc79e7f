"""Challenges, credentials and Authentication-Info: the lists of RFC 9110 §11, parsed strictly and within limits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from twoway.http import HeaderError

from ._grammar import TOKEN

_QUOTED = r'"((?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*+)"'
_END = r"[ \t]*+(?=,|\Z)"
_match_param = re.compile(rf"({TOKEN})[ \t]*+=[ \t]*+(?:({TOKEN})|{_QUOTED}){_END}").match
_match_scheme = re.compile(rf"({TOKEN})(?:[ \t]++|(?=,)|\Z)").match
_match_token68 = re.compile(rf"([A-Za-z0-9\-._~+/]++=*+){_END}").match
_skip_separators = re.compile(r"[ \t,]*+").match
_unescape = re.compile(r"\\(.)").sub

# What real servers send is far below; a peer that sends more wants us to work.
_MAX_LENGTH = 16384
_MAX_ITEMS = 64


@dataclass(frozen=True, slots=True)
class Challenge:
    """
    Hold one challenge, or one set of credentials, which have the same form.

    Args:
        scheme: Token as it was sent; compare it without case.
        params: Names in lower case, and values without quotes and escapes; latin-1.
        token68: What stands in the place of parameters; ``None`` for none. Not shown by ``repr``.

    Spec:
        RFC 9110 §11.3, §11.4.
    """

    scheme: str
    params: dict[str, str] = field(default_factory=dict, repr=False)
    token68: str | None = field(default=None, repr=False)


def parse_challenges(values: Sequence[str], name: str = "WWW-Authenticate") -> list[Challenge]:
    """
    Parse WWW-Authenticate or Proxy-Authenticate.

    Args:
        values: Values of all lines of the header, in order.
        name: Name of the header, for the error.

    Returns:
        The challenges, in order.

    Raises:
        HeaderError: It is malformed, a parameter is repeated, it is longer than 16 KiB, or it has more than 64
            challenges and parameters in all. The peer's fault.
        TypeError: ``values`` is one ``str``. A caller's bug.

    Spec:
        RFC 9110 §11.6.1, §11.7.1.

    Cost:
        Linear.
    """
    if isinstance(values, str):
        raise TypeError("values must be a sequence of str, not str")
    text = _join(values, name)
    challenges: list[Challenge] = []
    position = _skip(text, 0)
    items = 0
    while position < len(text):
        position = _parse_item(text, position, challenges, name)
        items += 1
        if items > _MAX_ITEMS:
            raise HeaderError(name, text)
    return challenges


def parse_params(values: Sequence[str], name: str) -> dict[str, str]:
    """
    Parse a list of parameters, such as Authentication-Info.

    Args:
        values: Values of all lines of the header, in order.
        name: Name of the header, for the error.

    Returns:
        Names in lower case, and values without quotes and escapes; latin-1.

    Raises:
        HeaderError: As for `parse_challenges`. The peer's fault.

    Spec:
        RFC 9110 §11.6.3.
    """
    text = _join(values, name)
    params: dict[str, str] = {}
    position = _skip(text, 0)
    while position < len(text):
        if (match := _match_param(text, position)) is None or len(params) >= _MAX_ITEMS:
            raise HeaderError(name, text)
        position = _take_param(match, params, name)
    return params


def _parse_item(text: str, position: int, challenges: list[Challenge], name: str) -> int:
    # A name with "=" behind it is a parameter of the challenge before; a name without begins the next challenge.
    if (match := _match_param(text, position)) is not None:
        if not challenges or challenges[-1].token68 is not None:
            raise HeaderError(name, text)
        return _take_param(match, challenges[-1].params, name)
    if (match := _match_scheme(text, position)) is None:
        raise HeaderError(name, text)
    scheme, position = match[1], match.end()
    token68 = None
    if text[position : position + 1] not in ("", ",") and _match_param(text, position) is None:
        if (match := _match_token68(text, position)) is None:
            raise HeaderError(name, text)
        token68, position = match[1], match.end()
    challenges.append(Challenge(scheme, {}, token68))
    return _skip(text, position)


def _take_param(match: re.Match[str], params: dict[str, str], name: str) -> int:
    key = match[1].lower()
    if key in params:  # RFC 9110 §11.2: each name MUST occur only once
        raise HeaderError(name, match.string, "repeated")
    params[key] = _unescape(r"\1", match[3]) if match[2] is None else match[2]
    return _skip(match.string, match.end())


def _join(values: Sequence[str], name: str) -> str:
    # RFC 9110 §5.3: lines of one header are one list.
    text = ", ".join(values)
    if len(text) > _MAX_LENGTH:
        raise HeaderError(name, text)
    return text


def _skip(text: str, position: int) -> int:
    match = _skip_separators(text, position)
    return match.end() if match else position
