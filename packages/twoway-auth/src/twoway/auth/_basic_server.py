"""Basic, the server's side."""

from __future__ import annotations

from binascii import Error, a2b_base64
from collections.abc import Awaitable, Callable

from twoway.http import Request, Response

from ._claim import CredentialsLike, read_authorization, read_credentials, unauthorized
from ._grammar import check_realm, decode, encode, quote


class BasicClaim:
    """
    Hold what a client says with Basic; `BasicAuthenticator.read` makes it.

    Attributes:
        username: User name that the client claims.
        password: Password that it sent. Not shown by ``repr``.
    """

    __slots__ = ("_authenticator", "password", "username")

    username: str
    password: str

    def __init__(self, authenticator: BasicAuthenticator, username: str, password: str) -> None:
        self._authenticator = authenticator
        self.username = username
        self.password = password

    def __repr__(self) -> str:
        return f"{type(self).__name__}(username={self.username!r})"

    def ask(self) -> bool | Awaitable[bool]:
        """
        Ask the credentials, or the function, of the authenticator.

        Returns:
            Whether user name and password are right; or what is to be awaited for it, if the function says so.

        Raises:
            TypeError: The authenticator has neither. A caller's bug.
        """
        return self._authenticator._ask(self.username, self.password)

    def verify(self, password: str | None) -> bool:
        """
        Compare with a password that the caller has looked up, in a time that tells nothing about it.

        Args:
            password: Password of ``username``; ``None`` if there is no such user.

        Returns:
            Whether it is the one that the client sent.
        """
        same = _equal(_fingerprint("", password or ""), _fingerprint("", self.password))
        return same and password is not None

    def conclude(self, answer: bool | Awaitable[bool]) -> str | Response:
        """
        Make the outcome of what `ask` has answered.

        Args:
            answer: Whether user name and password are right.

        Returns:
            The user name; or what `refuse` gives.

        Raises:
            TypeError: ``answer`` is no ``bool``, such as something that was not awaited. A caller's bug.
        """
        if not isinstance(answer, bool):
            raise TypeError(f"answer must be a bool, not {type(answer).__name__}")
        return self.username if answer else self.refuse()

    def refuse(self) -> Response:
        """
        Build the answer for a wrong user name or password.

        Returns:
            A response with status 401 and a challenge.
        """
        return self._authenticator.refuse()


class BasicAuthenticator:
    """
    Authenticate clients with Basic: they send user name and password.

    Without TLS everybody on the way can read both.

    `read` a request. What comes is a `Response` to send, or a `BasicClaim`; the answer of its ``ask()``, awaited if
    need be, goes to its ``conclude()``. Where nothing is to be awaited, `check` does all of it.

    Args:
        realm: What the credentials are for, shown to people; printable ASCII.
        credentials: One pair of user name and password, or several; only hashes are kept. Any one may be ``None``.
        check_credentials: Function that tells whether user name and password are right; it may return an awaitable.
            It has to compare in constant time.

    Raises:
        TypeError: An argument has the wrong type, or both credentials and function are given. A caller's bug.
        ValueError: ``realm`` or a user name or password holds what is not allowed. A caller's bug.

    Spec:
        RFC 7617.
    """

    __slots__ = ("_check", "_fingerprints", "realm")

    realm: str

    def __init__(
        self,
        realm: str = "",
        credentials: CredentialsLike | None = None,
        check_credentials: Callable[[str, str], bool | Awaitable[bool]] | None = None,
    ) -> None:
        self.realm = check_realm(realm)
        if credentials is not None and check_credentials is not None:
            raise TypeError("credentials and check_credentials must not be given both")
        self._check = check_credentials
        self._fingerprints = [
            _fingerprint(*pair) for pair in ([] if credentials is None else read_credentials(credentials))
        ]

    def read(self, request: Request, now: float = 0.0) -> BasicClaim | Response:
        """
        Find out who a client claims to be.

        Args:
            request: Request; read only.
            now: Not used; it makes this method like that of `DigestAuthenticator`.

        Returns:
            The claim; or a response with status 401 if there is none, or more than one, or it is malformed.

        Spec:
            RFC 7617 §2.
        """
        found = read_authorization(request, "basic")
        pair = None if found is None or found.token68 is None else _decode(found.token68)
        return self.refuse() if pair is None else BasicClaim(self, *pair)

    def refuse(self) -> Response:
        """
        Build the answer that asks for credentials.

        Returns:
            A response with status 401 and a challenge.

        Spec:
            RFC 7617 §2, §2.1.
        """
        return unauthorized([f'Basic realm={quote(self.realm)}, charset="UTF-8"'])

    def check(self, request: Request, now: float = 0.0) -> str | Response:
        """
        Authenticate a client.

        Args:
            request: Request; read only.
            now: Not used.

        Returns:
            The user name; or a response with status 401.

        Raises:
            TypeError: There are neither credentials nor function, or the function returned no ``bool``. A caller's bug.

        Cost:
            Linear in the number of credentials, all of which are compared.
        """
        claim = self.read(request, now)
        return claim if isinstance(claim, Response) else claim.conclude(claim.ask())

    def _ask(self, username: str, password: str) -> bool | Awaitable[bool]:
        if self._check is not None:
            return self._check(username, password)
        if not self._fingerprints:
            raise TypeError("credentials or check_credentials must be given to be asked")
        claimed = _fingerprint(username, password)
        # All of them, whichever fits: the time must not tell which user names exist.
        return sum(_equal(claimed, fingerprint) for fingerprint in self._fingerprints) > 0


def _decode(token68: str) -> tuple[str, str] | None:
    try:
        text = decode(a2b_base64(token68, strict_mode=True).decode("latin-1"))
    except Error:
        return None
    if text is None or ":" not in text:
        return None
    username, _, password = text.partition(":")
    return username, password


def _fingerprint(username: str, password: str) -> bytes:
    from hashlib import sha256  # slow to import

    # Equal lengths, so that the comparison does not tell the length of a password.
    return sha256(encode(username) + b":" + encode(password)).digest()


def _equal(first: bytes, second: bytes) -> bool:
    from hmac import compare_digest  # slow to import

    return compare_digest(first, second)
