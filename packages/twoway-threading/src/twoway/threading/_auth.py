"""Servers that want to know who a client is: Basic and Digest for ``process_request``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic, time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from twoway.http import Request, Response

if TYPE_CHECKING:
    from twoway.auth import CredentialsLike

    from ._server import ServerConnection


class Authentication:
    """
    Let in who has the right credentials; `basic_auth` and `digest_auth` make it, for ``process_request``.

    The user name is then the ``username`` of the connection. With Digest, `process_response` can prove to clients that
    the server knows the password, too:

        authentication = digest_auth("chat", ("ada", "correct horse"))
        serve(..., process_request=authentication, process_response=authentication.process_response)

    Args:
        authenticator: A ``BasicAuthenticator`` or ``DigestAuthenticator`` of ``twoway.auth``.
        clock: Gives the time; seconds.
    """

    def __init__(self, authenticator: Any, clock: Callable[[], float]) -> None:
        self._authenticator = authenticator
        self._clock = clock
        self._infos: WeakKeyDictionary[ServerConnection, str] = WeakKeyDictionary()

    def __call__(self, connection: ServerConnection, request: Request) -> Response | None:
        """
        Find out who a client is.

        Args:
            connection: Gets the ``username``.
            request: Request of the opening handshake; read only.

        Returns:
            None if the client is let in; else the answer, 401 or 400.

        Spec:
            RFC 9110 §11.6.
        """
        claim = self._authenticator.read(request, self._clock())
        if isinstance(claim, Response):
            return claim
        outcome = claim.conclude(claim.ask())
        if isinstance(outcome, Response):
            return outcome
        connection.username = outcome
        if hasattr(claim, "authentication_info"):
            self._infos[connection] = claim.authentication_info()
        return None

    def process_response(self, connection: ServerConnection, request: Request, response: Response) -> None:
        """
        Add Authentication-Info to the answer that lets a client in, with Digest.

        Args:
            connection: Of which `__call__` knows who it is.
            request: Not used.
            response: Response; altered.

        Spec:
            RFC 7616 §3.5.
        """
        info = self._infos.pop(connection, None)
        if info is not None:
            response.headers["Authentication-Info"] = info


def basic_auth(
    realm: str = "",
    credentials: CredentialsLike | None = None,
    check_credentials: Callable[[str, str], bool] | None = None,
) -> Authentication:
    """
    Authenticate clients with Basic: make a ``process_request`` for `serve` or `route`.

    Without TLS everybody on the way can read user name and password.

    Args:
        realm: What the credentials are for, shown to people; printable ASCII.
        credentials: One pair of user name and password, or several; only hashes are kept.
        check_credentials: Function that tells whether user name and password are right; it has
            to compare in constant time.

    Returns:
        A function for ``process_request`` that sets ``username`` of the connection.

    Raises:
        TypeError: An argument has the wrong type, or not just one of the last two is given. A caller's bug.
        ValueError: ``realm`` or a user name or password holds what is not allowed. A caller's bug.

    Spec:
        RFC 7617.
    """
    if credentials is None and check_credentials is None:
        raise TypeError("credentials or check_credentials must be given")
    from twoway.auth import BasicAuthenticator  # few servers need it

    return Authentication(BasicAuthenticator(realm, credentials, check_credentials), monotonic)


def digest_auth(
    realm: str = "",
    credentials: CredentialsLike | None = None,
    *,
    get_password: Callable[[str], str | None] | None = None,
    get_hash: Callable[[str, str], str | None] | None = None,
    algorithms: Sequence[str] = ("SHA-256", "MD5"),
    userhash: bool = False,
    nonce_lifetime: float = 300,
    max_uses: int = 65536,
    secret: bytes | None = None,
) -> Authentication:
    """
    Authenticate clients with Digest: make a ``process_request`` for `serve` or `route`.

    Args:
        realm: What the credentials are for, shown to people and part of stored hashes; printable ASCII.
        credentials: One pair of user name and password, or several.
        get_password: Function that gives the password of a user name, None if there is no such
            user.
        get_hash: Function that gives the hash for a user name and an algorithm, None if there
            is no such user.
        algorithms: What to offer, preferred first: ``SHA-512-256``, ``SHA-256`` or ``MD5``, each also with ``-sess``.
        userhash: Whether to ask clients to hash the user name; with ``credentials`` only.
        nonce_lifetime: Time for which a nonce is good; seconds, > 0.
        max_uses: Number of successful uses of nonces to remember, against replay; >= 1.
        secret: Key of the nonces; at least 16 bytes, None for a random one. Processes that share it, and the time of
            day, accept each other's nonces.

    Returns:
        A function for ``process_request`` that sets ``username`` of the connection.

    Raises:
        TypeError: An argument has the wrong type, or not just one source of passwords is given. A caller's bug.
        ValueError: An argument is out of range, or this Python does not have an algorithm. A caller's bug.

    Spec:
        RFC 7616.
    """
    if credentials is None and get_password is None and get_hash is None:
        raise TypeError("credentials, get_password or get_hash must be given")
    from twoway.auth import DigestAuthenticator  # few servers need it

    authenticator = DigestAuthenticator(
        realm,
        credentials,
        get_password=get_password,
        get_hash=get_hash,
        algorithms=algorithms,
        userhash=userhash,
        nonce_lifetime=nonce_lifetime,
        max_uses=max_uses,
        secret=secret,
    )
    return Authentication(authenticator, monotonic if secret is None else time)
