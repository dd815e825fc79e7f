"""The productions of RFC 9110 §11 that authentication needs, and text as HTTP carries it; all match in linear time."""

from __future__ import annotations

import re

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"

match_token68 = re.compile(r"[A-Za-z0-9\-._~+/]++=*+").fullmatch
_match_realm = re.compile(r"[\x20-\x7e]*+").fullmatch
_find_forbidden = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]").search

_SHOWN = 100


def shorten(value: str) -> str:
    """
    Show text from a peer: control characters escaped, at most 100 characters of it.

    Args:
        value: Anything that a peer sent; not kept.

    Returns:
        ``repr`` of the beginning, with ``...`` where something was left out.
    """
    return repr(value) if len(value) <= _SHOWN else f"{value[:_SHOWN]!r}..."


def quote(value: str) -> str:
    r"""
    Write a quoted-string.

    Args:
        value: Latin-1 without control characters, which the caller has checked.

    Returns:
        ``value`` between quotes, with ``"`` and ``\`` escaped.

    Spec:
        RFC 9110 §5.6.4.
    """
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def check_text(value: str, argument: str) -> str:
    """
    Check a user name or password.

    Args:
        value: What the caller passed.
        argument: Name of the argument, for the message, which does not show the value.

    Returns:
        ``value``.

    Raises:
        TypeError: ``value`` is not a ``str``. A caller's bug.
        ValueError: ``value`` holds a control character or a lone surrogate. A caller's bug.

    Spec:
        RFC 7617 §2.
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a str, not {type(value).__name__}")
    if _find_forbidden(value):
        raise ValueError(f"{argument} must not hold control characters or lone surrogates")
    return value


def check_username(value: str, argument: str = "username") -> str:
    """
    Check a user name.

    Args:
        value: What the caller passed.
        argument: Name of the argument, for the message.

    Returns:
        ``value``.

    Raises:
        TypeError: ``value`` is not a ``str``. A caller's bug.
        ValueError: ``value`` holds a colon, which would end it, or what `check_text` refuses. A caller's bug.

    Spec:
        RFC 7617 §2.
    """
    if ":" in check_text(value, argument):
        raise ValueError(f"{argument} must not hold a colon")
    return value


def check_realm(value: str) -> str:
    """
    Check a realm.

    Args:
        value: What the caller passed.

    Returns:
        ``value``.

    Raises:
        TypeError: ``value`` is not a ``str``. A caller's bug.
        ValueError: ``value`` is not printable ASCII. A caller's bug.

    Spec:
        RFC 9110 §11.5.
    """
    if not isinstance(value, str):
        raise TypeError(f"realm must be a str, not {type(value).__name__}")
    if _match_realm(value) is None:
        raise ValueError("realm must be printable ASCII")
    return value


def compose(value: str) -> str:
    """
    Give text the form in which it does not matter how an accent was typed.

    Args:
        value: Any text.

    Returns:
        Its composed form.

    Spec:
        RFC 7616 §4, RFC 7617 §2.1, by RFC 8265: Unicode Normalization Form C.
    """
    if value.isascii():
        return value
    from unicodedata import normalize  # rarely needed

    return normalize("NFC", value)


def encode(value: str) -> bytes:
    """
    Encode a user name or password.

    Args:
        value: Text that `check_text` lets pass.

    Returns:
        UTF-8 of its composed form.

    Spec:
        RFC 7616 §4, RFC 7617 §2.1.
    """
    return compose(value).encode()


def decode(value: str) -> str | None:
    """
    Decode UTF-8 in a header, which HTTP gives as latin-1.

    Args:
        value: Text of a header; latin-1.

    Returns:
        The composed form of the text; ``None`` if it is not UTF-8 or holds control characters.

    Spec:
        RFC 7617 §2: control characters MUST NOT be there.
    """
    try:
        text = value.encode("latin-1").decode()
    except UnicodeError:
        return None
    return None if _find_forbidden(text) else compose(text)
