"""Basic, the client's side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._grammar import check_text, check_username, encode
from ._scheme import Auth, FixedConversation, Target

if TYPE_CHECKING:
    from ._scheme import Conversation


class BasicAuth(Auth):
    """
    Send user name and password with the first request: over ``ws://`` everybody on the way can read them.

    Args:
        username: User name without colon; text without control characters.
        password: Password; text without control characters. Not shown by ``repr``.

    Attributes:
        username: User name.
        password: Password.

    Raises:
        TypeError: One is not a ``str``. A caller's bug.
        ValueError: One holds what is not allowed. A caller's bug.

    Spec:
        RFC 7617 §2.
    """

    __slots__ = ("password", "username")

    username: str
    password: str

    def __init__(self, username: str, password: str) -> None:
        self.username = check_username(username)
        self.password = check_text(password, "password")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(username={self.username!r})"

    def _converse(self, target: Target) -> Conversation:
        return FixedConversation("basic", basic_value(self.username, self.password), "the user name or password")


def basic_value(username: str, password: str) -> str:
    """
    Compute the value of Authorization.

    Args:
        username: Checked user name.
        password: Checked password.

    Returns:
        ``Basic`` and the base64 of both in UTF-8.

    Spec:
        RFC 7617 §2, §2.1.
    """
    from binascii import b2a_base64

    pair = encode(username) + b":" + encode(password)
    return f"Basic {b2a_base64(pair, newline=False).decode('ascii')}"
