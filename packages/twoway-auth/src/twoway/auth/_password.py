"""A user name and a password: Digest, and Basic where that is allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twoway.http import Headers

from ._basic import basic_value
from ._challenge import Challenge
from ._grammar import check_text, check_username
from ._offer import read_offers
from ._scheme import Auth, Refusal, Target, describe_schemes
from ._signer import Signer

# Nonces of as many origins and proxies are kept for the next connection; the caller chooses these, not a peer.
_MAX_KEPT = 64
# RFC 7616 §3.3: an answer to a stale nonce is tried once more with the new one; a second time it is the server's game.
_MAX_ANSWERS = 2
_MAX_SHOWN = 3

if TYPE_CHECKING:
    from ._scheme import Conversation


class _Password(Auth):
    __slots__ = ("_kept", "_make_cnonce", "allow_md5", "password", "username")

    username: str
    password: str
    allow_md5: bool

    def __init__(
        self, username: str, password: str, allow_md5: bool, make_cnonce: Callable[[], str] | None = None
    ) -> None:
        self.username = check_username(username)
        self.password = check_text(password, "password")
        self.allow_md5 = allow_md5
        self._make_cnonce = make_cnonce or _random_cnonce
        self._kept: dict[tuple[str | int, ...], Signer] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(username={self.username!r})"

    def _take_signer(self, space: tuple[str | int, ...]) -> Signer | None:
        # Taken out and put back, each in one step: attempts at the same time, even in threads, never share a count.
        return self._kept.pop(space, None)

    def _keep_signer(self, space: tuple[str | int, ...], signer: Signer) -> None:
        if len(self._kept) < _MAX_KEPT:
            self._kept[space] = signer


class DigestAuth(_Password):
    """
    Prove that the password is known, without sending it, once the server asks for that.

    The strongest algorithm that the server offers is used. The object remembers the last nonce of each server, so that
    the next connection need not be asked again; share it between connections freely.

    Args:
        username: User name without colon; text without control characters.
        password: Password; text without control characters. Not shown by ``repr``.
        allow_md5: Whether MD5, and with it RFC 2069, is good enough; most devices know nothing else.
        allow_basic: Whether to send the password itself, with Basic, to a server that offers nothing better.
        make_cnonce: Called for a client's nonce, ASCII without quotes; ``None`` for random ones.

    Attributes:
        username: User name.
        password: Password.
        allow_md5: Whether MD5 is good enough.
        allow_basic: Whether Basic is.

    Raises:
        TypeError: ``username`` or ``password`` is not a ``str``. A caller's bug.
        ValueError: One holds what is not allowed. A caller's bug.

    Spec:
        RFC 7616; RFC 2069 for servers without qop.
    """

    __slots__ = ("allow_basic",)

    allow_basic: bool

    def __init__(
        self,
        username: str,
        password: str,
        *,
        allow_md5: bool = True,
        allow_basic: bool = False,
        make_cnonce: Callable[[], str] | None = None,
    ) -> None:
        super().__init__(username, password, allow_md5, make_cnonce)
        self.allow_basic = allow_basic

    def _converse(self, target: Target) -> Conversation:
        return _PasswordConversation(self, target, beside_digest=self.allow_basic, without_digest=self.allow_basic)


class PasswordAuth(_Password):
    """
    Answer with Digest or Basic, whichever the server asks for; Digest if it offers both.

    This is what a pair of user name and password stands for.

    Args:
        username: User name without colon; text without control characters.
        password: Password; text without control characters. Not shown by ``repr``.
        preemptive: Whether to send both with Basic before the server asks, as is usual for those in a URI. It saves
            a round trip, and shows the password to a server that may have wanted Digest.
        allow_md5: Whether MD5, and with it RFC 2069, is good enough.

    Attributes:
        username: User name.
        password: Password.
        preemptive: Whether Basic comes first.
        allow_md5: Whether MD5 is good enough.

    Raises:
        TypeError: ``username`` or ``password`` is not a ``str``. A caller's bug.
        ValueError: One holds what is not allowed. A caller's bug.

    Spec:
        RFC 7616, RFC 7617.
    """

    __slots__ = ("preemptive",)

    preemptive: bool

    def __init__(self, username: str, password: str, *, preemptive: bool = False, allow_md5: bool = True) -> None:
        super().__init__(username, password, allow_md5)
        self.preemptive = preemptive

    def _converse(self, target: Target) -> Conversation:
        # Where Digest is offered, but none that is known, Basic would be a downgrade.
        return _PasswordConversation(self, target, beside_digest=False, without_digest=True, preemptive=self.preemptive)


class _PasswordConversation:
    __slots__ = ("_answers", "_auth", "_beside", "_preemptive", "_sent_basic", "_signer", "_target", "_without")

    def __init__(
        self, auth: _Password, target: Target, *, beside_digest: bool, without_digest: bool, preemptive: bool = False
    ) -> None:
        self._auth = auth
        self._target = target
        self._beside = beside_digest
        self._without = without_digest
        self._preemptive = preemptive
        self._answers = 0
        self._sent_basic = False
        self._signer: Signer | None = None

    def first(self) -> str | None:
        self._signer = self._auth._take_signer(self._target.space)
        if self._signer is not None:
            return self._sign(self._signer)
        return self._basic() if self._preemptive else None

    def answer(self, challenges: Sequence[Challenge]) -> str:
        self._signer = None
        offers, problems = read_offers(challenges, self._auth.allow_md5)
        if offers:
            if self._answers and not offers[0].stale:
                raise Refusal("the user name or password was refused")
            if self._answers == _MAX_ANSWERS:
                raise Refusal("the server calls each of its nonces stale")
            self._answers += 1
            self._signer = Signer(offers[0], self._auth.username, self._auth.password, self._auth._make_cnonce)
            return self._sign(self._signer)
        return self._answer_without_digest(challenges, problems)

    def confirm(self, headers: Headers) -> None:
        if self._signer is not None and self._signer.confirm(headers, self._target.names.info):
            self._auth._keep_signer(self._target.space, self._signer)

    def _answer_without_digest(self, challenges: Sequence[Challenge], problems: list[str]) -> str:
        basic = any(challenge.scheme.lower() == "basic" for challenge in challenges)
        if basic and (self._beside if problems else self._without):
            if self._sent_basic or self._answers:
                raise Refusal("the user name or password was refused")
            return self._basic()
        if problems:
            raise Refusal(f"Digest is offered, but {'; '.join(problems[:_MAX_SHOWN])}")
        if basic:
            raise Refusal("Basic is offered, which would show the password, and only Digest is allowed")
        raise Refusal(f"{describe_schemes(challenges)} is asked for, and there is a user name and password")

    def _basic(self) -> str:
        self._sent_basic = True
        return basic_value(self._auth.username, self._auth.password)

    def _sign(self, signer: Signer) -> str:
        return signer.sign(self._target.method, self._target.uri)


def _random_cnonce() -> str:
    from secrets import token_urlsafe  # slow to import

    return token_urlsafe(24)
