"""What a client says with Digest, on the server's side."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, NamedTuple

from twoway.http import Response

from ._grammar import encode, quote
from ._hash import digest, equal, hash_password, hash_session, respond, split_algorithm

if TYPE_CHECKING:
    from ._digest_server import DigestAuthenticator


class Signed(NamedTuple):
    """Hold what a client has signed, and the signature."""

    algorithm: str
    nonce: str
    nc: str
    cnonce: str
    uri: str
    response: str


class DigestClaim:
    """
    Hold what a client says with Digest; `DigestAuthenticator.read` makes it.

    Attributes:
        username: User name that the client claims. If it sent a hash that fits none of the credentials, that hash.
        algorithm: Algorithm that it chose; one of those of the authenticator.
    """

    __slots__ = ("_authenticator", "_ha1", "_method", "_now", "_password", "_signed", "_stale", "algorithm", "username")

    username: str
    algorithm: str

    def __init__(
        self, authenticator: DigestAuthenticator, username: str, signed: Signed, method: str, now: float
    ) -> None:
        self._authenticator = authenticator
        self._signed = signed
        self._method = method
        self._now = now
        self._stale = False
        self._ha1 = ""
        self.username = username
        self.algorithm = signed.algorithm

    def __repr__(self) -> str:
        return f"{type(self).__name__}(username={self.username!r})"

    def ask(self) -> str | Awaitable[str | None] | None:
        """
        Ask the credentials, or the function, of the authenticator.

        Returns:
            What `conclude` takes: password or hash, ``None`` if there is no such user; or what is to be awaited for it,
            if the function says so.

        Raises:
            TypeError: The authenticator has neither. A caller's bug.
        """
        return self._authenticator._ask(self.username, self.algorithm)

    def verify(self, password: str | None) -> bool:
        """
        Check what the client has signed, in a time that does not tell whether there is such a user; once.

        Args:
            password: Password of ``username``; ``None`` if there is no such user.

        Returns:
            Whether the client knows the password, and its nonce is good and was not used with this count before.

        Spec:
            RFC 7616 §3.4.6.
        """
        name, _ = split_algorithm(self.algorithm)
        realm = self._authenticator.realm.encode("ascii")
        ha1 = hash_password(name, encode(self.username), realm, encode(password or ""))
        return self._judge(ha1, known=password is not None)

    def verify_hash(self, ha1: str | None) -> bool:
        """
        Check what the client has signed against a stored hash; as `verify`.

        Args:
            ha1: Hash of user name, realm and password, as ``htdigest`` makes it, with the hash function of
                ``algorithm``; hexadecimal. ``None`` if there is no such user.

        Returns:
            As for `verify`.

        Spec:
            RFC 7616 §3.4.2, §5.14.
        """
        name, _ = split_algorithm(self.algorithm)
        return self._judge(digest(name, b"") if ha1 is None else ha1.lower(), known=ha1 is not None)

    def conclude(self, answer: str | Awaitable[str | None] | None) -> str | Response:
        """
        Make the outcome of what `ask` has answered.

        Args:
            answer: Password, or hash if the authenticator was made with ``get_hash``; ``None`` if there is no such
                user.

        Returns:
            The user name; or what `refuse` gives.

        Raises:
            TypeError: ``answer`` is neither, such as something that was not awaited. A caller's bug.
        """
        if answer is not None and not isinstance(answer, str):
            raise TypeError(f"answer must be a str or None, not {type(answer).__name__}")
        verify = self.verify if self._authenticator._get_hash is None else self.verify_hash
        return self.username if verify(answer) else self.refuse()

    def refuse(self) -> Response:
        """
        Build the answer for a wrong user name or password, or for a nonce that is no longer good.

        Returns:
            A response with status 401 and challenges; with ``stale=true`` if the password is right, so that the
            client tries again with the new nonce.
        """
        return self._authenticator.refuse(self._now, stale=self._stale)

    def authentication_info(self) -> str:
        """
        Prove to the client that the server knows the password, too, after `verify` or `conclude`.

        Returns:
            Value of the header Authentication-Info, for the answer with status 101.

        Spec:
            RFC 7616 §3.5.
        """
        signed = self._signed
        return f'qop=auth, rspauth="{self._respond("")}", cnonce={quote(signed.cnonce)}, nc={signed.nc}'

    def _judge(self, ha1: str, known: bool) -> bool:
        signed = self._signed
        name, session = split_algorithm(self.algorithm)
        self._ha1 = hash_session(name, ha1, signed.nonce, signed.cnonce) if session else ha1
        if not (equal(self._respond(self._method), signed.response) and known):
            return False
        # RFC 7616 §3.3: only who knows the password is told that the nonce is stale, ours or not.
        good = self._authenticator._nonces.use(signed.nonce, int(signed.nc, 16), self._now)
        self._stale = not good
        return good

    def _respond(self, method: str) -> str:
        signed = self._signed
        name, _ = split_algorithm(self.algorithm)
        return respond(name, self._ha1, (signed.nonce, signed.nc, signed.cnonce, "auth"), method, signed.uri)
