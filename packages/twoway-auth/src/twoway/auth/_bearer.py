"""Bearer tokens, the client's side."""

from __future__ import annotations

from dataclasses import dataclass, field

from ._grammar import match_token68
from ._scheme import Auth, Conversation, FixedConversation, Target


@dataclass(frozen=True, slots=True)
class BearerAuth(Auth):
    """
    Send a token with the first request: over ``ws://`` everybody on the way can read and use it.

    Args:
        token: Letters, digits and ``-._~+/``, with ``=`` at the end only. Not shown by ``repr``.

    Raises:
        TypeError: ``token`` is not a ``str``. A caller's bug.
        ValueError: ``token`` is no token. A caller's bug.

    Spec:
        RFC 6750 §2.1; §5.3 wants TLS.
    """

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.token, str):
            raise TypeError(f"token must be a str, not {type(self.token).__name__}")
        if match_token68(self.token) is None:
            raise ValueError("token must be letters, digits and -._~+/, with = at the end only")

    def _converse(self, target: Target) -> Conversation:
        return FixedConversation("bearer", f"Bearer {self.token}", "the bearer token")
