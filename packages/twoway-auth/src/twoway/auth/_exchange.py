"""The credentials of one request: from nothing, over challenges, to being accepted or given up."""

from __future__ import annotations

from typing import TypeAlias

from twoway.http import HeaderError, Headers, Response, StatusError

from ._challenge import parse_challenges
from ._errors import AuthError
from ._password import PasswordAuth
from ._scheme import PROXY, Auth, Refusal, Target, describe_schemes

AuthLike: TypeAlias = Auth | tuple[str, str]
"""What can be made into `Auth`: itself, or a pair of user name and password."""


def read_auth(auth: AuthLike | None) -> Auth | None:
    """
    Make credentials from what a caller gives.

    Args:
        auth: Credentials; a pair of user name and password stands for `PasswordAuth`; ``None`` for none.

    Returns:
        Credentials, or ``None``. Kept between connections they save a round trip with Digest.

    Raises:
        TypeError: ``auth`` is something else. A caller's bug.
        ValueError: A user name or password holds what is not allowed. A caller's bug.
    """
    if auth is None or isinstance(auth, Auth):
        return auth
    if isinstance(auth, tuple) and len(auth) == 2:
        return PasswordAuth(*auth)
    raise TypeError(f"auth must be credentials, a pair of user name and password, or None, not {type(auth).__name__}")


class Exchange:
    """
    Find the value of Authorization or Proxy-Authorization for one target.

    Args:
        auth: Credentials; ``None`` for none.
        target: What the requests are for.
        hint: Why there are no credentials, for the error.

    Attributes:
        value: What to send with the next request; ``None`` for nothing.
    """

    __slots__ = ("_conversation", "_hint", "_target", "value")

    def __init__(self, auth: Auth | None, target: Target, hint: str) -> None:
        self._conversation = None if auth is None else auth._converse(target)
        self._target = target
        self._hint = hint
        self.value: str | None = None if self._conversation is None else self._conversation.first()

    def refuse(self, response: Response) -> None:
        """
        Take a 401 or 407, and set ``value`` for the next request.

        Args:
            response: Response; kept by the error.

        Raises:
            AuthError: There is nothing else to send.
        """
        names = self._target.names
        self.value = None
        try:
            challenges = parse_challenges(response.headers.get_all(names.challenge), names.challenge)
            if self._conversation is None:
                raise Refusal(f"{describe_schemes(challenges)} is asked for, and {self._hint}")
            self.value = self._conversation.answer(challenges)
        except HeaderError as exc:
            raise AuthError(response, str(exc)) from exc
        except Refusal as exc:
            raise AuthError(response, str(exc)) from None

    def confirm(self, headers: Headers) -> None:
        """
        Take note that the last value was accepted.

        Args:
            headers: Headers of the response.

        Raises:
            HeaderError: The server proves to be another one.
        """
        if self._conversation is not None:
            self._conversation.confirm(headers)


class ProxyAuth:
    """
    Find the Proxy-Authorization for a CONNECT request.

    As `Attempts`: make a request with `headers`, give each 407 to `refuse`, and try again unless it raises; give the
    2xx to `accept`.

    Args:
        auth: Credentials for the proxy; ``None`` for none.
        authority: What is asked of the proxy: ``example.com:443``, host in brackets if it is IPv6.
        proxy: Host and port of the proxy, to tell it from others.

    Raises:
        TypeError: ``auth`` is not what `read_auth` takes. A caller's bug.
        ValueError: A user name or password holds what is not allowed. A caller's bug.

    Spec:
        RFC 9110 §11.7; RFC 7616 §3.4, §3.8.
    """

    __slots__ = ("_exchange",)

    def __init__(self, auth: AuthLike | None, authority: str, proxy: tuple[str, int]) -> None:
        target = Target(PROXY, "CONNECT", authority, ("proxy", *proxy))
        self._exchange = Exchange(read_auth(auth), target, "there are no credentials for it")

    def headers(self) -> Headers:
        """
        Return what to add to the next CONNECT request.

        Returns:
            New headers: Proxy-Authorization, or none.
        """
        value = self._exchange.value
        return Headers() if value is None else Headers([(PROXY.credentials, value)])

    def refuse(self, response: Response) -> None:
        """
        Take an answer that is not 2xx; return if the next request may do better.

        Args:
            response: Response; kept by the error.

        Raises:
            AuthError: The status is 407, and there is nothing else to send.
            StatusError: The status is another one.
        """
        if response.status_code != 407:
            raise StatusError(response)
        self._exchange.refuse(response)

    def accept(self, response: Response) -> None:
        """
        Take the answer that opened the tunnel.

        Args:
            response: Response, 2xx; not kept.

        Raises:
            HeaderError: The proxy claims to know the password, and does not.
        """
        self._exchange.confirm(response.headers)
