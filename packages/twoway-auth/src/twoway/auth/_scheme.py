"""What all kinds of client credentials have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from twoway.http import Headers

from ._challenge import Challenge
from ._grammar import shorten

if TYPE_CHECKING:
    from typing import Protocol

    class Conversation(Protocol):
        """Hold the credentials for one target, from the first request to the last answer."""

        def first(self) -> str | None:
            """Return what to send before the server has asked; ``None`` for nothing."""

        def answer(self, challenges: Sequence[Challenge]) -> str:
            """Return what to send after these challenges, or raise `Refusal`."""

        def confirm(self, headers: Headers) -> None:
            """Take note that the credentials were accepted; raise `HeaderError` if the server proves to be another."""


class HeaderNames(NamedTuple):
    """
    Hold the names of the headers that ask for credentials, carry them, and confirm them.

    Spec:
        RFC 9110 §11.6, §11.7.
    """

    challenge: str
    credentials: str
    info: str


SERVER = HeaderNames("WWW-Authenticate", "Authorization", "Authentication-Info")
PROXY = HeaderNames("Proxy-Authenticate", "Proxy-Authorization", "Proxy-Authentication-Info")


class Target(NamedTuple):
    """
    Hold what a request is for, as far as authentication cares.

    Args:
        names: `SERVER` or `PROXY`.
        method: Method of the request.
        uri: What its request line asks for.
        space: Protection space: whatever is equal for requests that may share a nonce.
    """

    names: HeaderNames
    method: str
    uri: str
    space: tuple[str | int, ...]


class Refusal(Exception):
    """Carry the reason to give up to the place that knows the response."""


class Auth:
    """
    Be the base of all client credentials: `BasicAuth`, `BearerAuth`, `DigestAuth`, `PasswordAuth`.

    Spec:
        RFC 9110 §11.
    """

    __slots__ = ()

    def _converse(self, target: Target) -> Conversation:
        raise NotImplementedError("auth must be one of the kinds of Auth, not Auth itself")


class FixedConversation:
    """
    Send the same value each time, at once: Basic and Bearer.

    Args:
        scheme: Scheme in lower case.
        value: Value of the header.
        what: What it says, for people.
    """

    __slots__ = ("_scheme", "_value", "_what")

    def __init__(self, scheme: str, value: str, what: str) -> None:
        self._scheme = scheme
        self._value = value
        self._what = what

    def first(self) -> str | None:
        """Return the value."""
        return self._value

    def answer(self, challenges: Sequence[Challenge]) -> str:
        """Give up: there is nothing else to send."""
        raise Refusal(describe_refusal(self._scheme, self._what, challenges))

    def confirm(self, headers: Headers) -> None:
        """Do nothing: the server proves nothing."""


def describe_refusal(scheme: str, what: str, challenges: Sequence[Challenge]) -> str:
    """
    Say why credentials that were sent are no good.

    Args:
        scheme: Their scheme in lower case.
        what: What they are, for people.
        challenges: What the server answered.

    Returns:
        One clause.

    Spec:
        RFC 6750 §3 for ``error``.
    """
    if not challenges:
        return f"{what} was refused"
    for challenge in challenges:
        if challenge.scheme.lower() == scheme:
            error = challenge.params.get("error")
            return f"{what} was refused" + (f" with {shorten(error)}" if error else "")
    return f"{what} was sent, but {describe_schemes(challenges)} is asked for"


def describe_schemes(challenges: Sequence[Challenge]) -> str:
    """
    List the schemes of challenges.

    Args:
        challenges: What the server answered.

    Returns:
        Their names, each once.
    """
    names = dict.fromkeys(challenge.scheme for challenge in challenges)
    return shorten(", ".join(names))[1:-1] if names else "no scheme"
