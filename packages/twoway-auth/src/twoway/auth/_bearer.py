"""Bearer tokens, the client's side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._grammar import match_token68
from ._scheme import Auth, FixedConversation, Target

if TYPE_CHECKING:
    from ._scheme import Conversation


class BearerAuth(Auth):
    """
    Send a token with the first request: over ``ws://`` everybody on the way can read and use it.

    Args:
        token: Letters, digits and ``-._~+/``, with ``=`` at the end only. Not shown by ``repr``.

    Attributes:
        token: Token.

    Raises:
        TypeError: ``token`` is not a ``str``. A caller's bug.
        ValueError: ``token`` is no token. A caller's bug.

    Spec:
        RFC 6750 §2.1; §5.3 wants TLS.
    """

    __slots__ = ("token",)

    token: str

    def __init__(self, token: str) -> None:
        if not isinstance(token, str):
            raise TypeError(f"token must be a str, not {type(token).__name__}")
        if match_token68(token) is None:
            raise ValueError("token must be letters, digits and -._~+/, with = at the end only")
        self.token = token

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def _converse(self, target: Target) -> Conversation:
        return FixedConversation("bearer", f"Bearer {self.token}", "the bearer token")
