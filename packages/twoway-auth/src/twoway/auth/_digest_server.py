"""Digest, the server's side."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from twoway.http import Request, Response

from ._claim import CredentialsLike, read_authorization, read_credentials, unauthorized
from ._digest_claim import DigestClaim, Signed
from ._grammar import check_realm, decode, encode, quote, shorten
from ._hash import HASHES, digest, is_available, split_algorithm
from ._nonces import Nonces

# RFC 7616 §3.4: the count includes the current request, so that it is never 0.
_match_count = re.compile(r"(?!0{8})[0-9A-Fa-f]{8}").fullmatch
_match_hash = re.compile(r"[0-9A-Fa-f]{32,64}").fullmatch
_match_extended = re.compile(r"UTF-8'[A-Za-z0-9\-]*+'((?:[!#$&+\-.^_`|~0-9A-Za-z]|%[0-9A-Fa-f]{2})*+)", re.I).fullmatch

Lookup: TypeAlias = Callable[[str], str | Awaitable[str | None] | None]
HashLookup: TypeAlias = Callable[[str, str], str | Awaitable[str | None] | None]


class DigestAuthenticator:
    """
    Authenticate clients with Digest: they prove that they know the password, without sending it.

    `read` a request. What comes is a `Response` to send, or a `DigestClaim`; the answer of its ``ask()``, awaited if
    need be, goes to its ``conclude()``. Where nothing is to be awaited, `check` does all of it.

    The qop is ``auth``; nothing without is accepted. Nonces are signed and expire; none is accepted twice with the same
    count.

    Args:
        realm: What the credentials are for, shown to people and part of stored hashes; printable ASCII.
        credentials: One pair of user name and password, or several. At most one of the three may be given.
        get_password: Function that gives the password of a user name, ``None`` if there is no such user; it may return
            an awaitable.
        get_hash: Function that gives the hash for a user name and an algorithm, ``None`` if there is no such user; it
            may return an awaitable. See `DigestClaim.verify_hash`.
        algorithms: What to offer, preferred first: ``SHA-512-256``, ``SHA-256`` or ``MD5``, each also with ``-sess``.
            Browsers and old devices may know MD5 only.
        userhash: Whether to ask clients to hash the user name; with ``credentials`` only.
        nonce_lifetime: Time for which a nonce is good; seconds, > 0.
        max_uses: Number of successful uses of nonces to remember, against replay; >= 1. When there are more within the
            lifetime, nonces as old as the forgotten ones go stale.
        secret: Key of the nonces; at least 16 bytes, ``None`` for a random one. Processes that share it, and a clock,
            accept each other's nonces, and each remembers only the uses that it saw.

    Attributes:
        realm: What the credentials are for.

    Raises:
        TypeError: An argument has the wrong type, or there are several sources of passwords. A caller's bug.
        ValueError: An argument is out of range, or this Python does not have an algorithm. A caller's bug.

    Spec:
        RFC 7616.
    """

    __slots__ = ("_algorithms", "_get_hash", "_get_password", "_hashes", "_nonces", "_passwords", "_userhash", "realm")

    realm: str

    def __init__(
        self,
        realm: str = "",
        credentials: CredentialsLike | None = None,
        *,
        get_password: Lookup | None = None,
        get_hash: HashLookup | None = None,
        algorithms: Sequence[str] = ("SHA-256", "MD5"),
        userhash: bool = False,
        nonce_lifetime: float = 300,
        max_uses: int = 65536,
        secret: bytes | None = None,
    ) -> None:
        if sum(source is not None for source in (credentials, get_password, get_hash)) > 1:
            raise TypeError("credentials, get_password and get_hash must not be given together")
        if userhash and credentials is None:
            raise ValueError("userhash must be False without credentials: nobody knows which user has which hash")
        self.realm = check_realm(realm)
        self._algorithms = _check_algorithms(algorithms)
        self._passwords = None if credentials is None else dict(read_credentials(credentials))
        self._get_password = get_password
        self._get_hash = get_hash
        self._userhash = userhash
        self._hashes = self._hash_usernames() if userhash else {}
        self._nonces = _make_nonces(secret, nonce_lifetime, max_uses)

    def read(self, request: Request, now: float) -> DigestClaim | Response:
        """
        Find out who a client claims to be.

        Args:
            request: Request; read only.
            now: Current time; seconds, of any clock that does not jump.

        Returns:
            The claim; or a response with status 401 if there is none, or more than one, or it is malformed or does not
            fit what was asked for; or one with status 400 if it is for another URI.

        Spec:
            RFC 7616 §3.4, §3.4.6.
        """
        found = read_authorization(request, "digest")
        signed = None if found is None else self._read_signed(found.params)
        if found is None or signed is None:
            return self.refuse(now)
        username = self._read_username(found.params, signed.algorithm)
        if username is None:
            return self.refuse(now)
        if signed.uri != request.path:
            return Response.text(400, "The credentials are for another address.\n")
        return DigestClaim(self, username, signed, request.method, now)

    def refuse(self, now: float, *, stale: bool = False) -> Response:
        """
        Build the answer that asks for credentials.

        Args:
            now: Current time; seconds.
            stale: Whether to say that only the nonce was wrong.

        Returns:
            A response with status 401 and a challenge for each algorithm, all with one new nonce.

        Spec:
            RFC 7616 §3.3, §3.7.
        """
        tail = f'nonce="{self._nonces.make(now)}", charset=UTF-8'
        tail += ", userhash=true" * self._userhash + ", stale=true" * stale
        head = f'Digest realm={quote(self.realm)}, qop="auth"'
        return unauthorized(f"{head}, algorithm={algorithm}, {tail}" for algorithm in self._algorithms.values())

    def check(self, request: Request, now: float) -> str | Response:
        """
        Authenticate a client.

        Args:
            request: Request; read only.
            now: Current time; seconds.

        Returns:
            The user name; or a response with status 401 or 400.

        Raises:
            TypeError: There is no source of passwords, or the function returned neither ``str`` nor ``None``. A
                caller's bug.
        """
        claim = self.read(request, now)
        return claim if isinstance(claim, Response) else claim.conclude(claim.ask())

    def _ask(self, username: str, algorithm: str) -> str | Awaitable[str | None] | None:
        if self._get_password is not None:
            return self._get_password(username)
        if self._get_hash is not None:
            return self._get_hash(username, algorithm)
        if self._passwords is None:
            raise TypeError("credentials, get_password or get_hash must be given to be asked")
        return self._passwords.get(username)

    def _read_signed(self, params: dict[str, str]) -> Signed | None:
        algorithm = self._algorithms.get(params.get("algorithm", "MD5").upper())
        nonce, cnonce, nc = params.get("nonce"), params.get("cnonce"), params.get("nc", "")
        if algorithm is None or not nonce or not cnonce or _match_count(nc) is None:
            return None
        # RFC 7616 §3.4: what was not asked for MUST NOT be accepted, or there would be a downgrade.
        if params.get("realm") != self.realm or params.get("qop", "").lower() != "auth":
            return None
        return Signed(algorithm, nonce, nc, cnonce, params.get("uri", ""), params.get("response", "").lower())

    def _read_username(self, params: dict[str, str], algorithm: str) -> str | None:
        plain, extended = params.get("username"), params.get("username*")
        if (plain is None) == (extended is None):
            return None
        if params.get("userhash", "").lower() == "true":
            if not self._userhash or plain is None or _match_hash(plain) is None:
                return None
            # An unknown hash goes the way of an unknown name, which takes as long as that of a known one.
            return self._hashes.get((split_algorithm(algorithm)[0], plain.lower()), plain)
        return decode(plain) if plain is not None else _decode_extended(extended or "")

    def _hash_usernames(self) -> dict[tuple[str, str], str]:
        realm = self.realm.encode("ascii")
        names = {split_algorithm(algorithm)[0] for algorithm in self._algorithms}
        users = list(self._passwords or ())
        return {(name, digest(name, encode(user) + b":" + realm)): user for name in names for user in users}


def _check_algorithms(algorithms: Sequence[str]) -> dict[str, str]:
    if isinstance(algorithms, str) or not algorithms:
        raise TypeError("algorithms must be a sequence of str, and not be empty")
    for algorithm in algorithms:
        if not is_available(split_algorithm(algorithm)[0]):
            raise ValueError(f"algorithms must be of {', '.join(HASHES)}, as far as Python has them, not {algorithm!r}")
    return {algorithm.upper(): algorithm for algorithm in algorithms}


def _make_nonces(secret: bytes | None, lifetime: float, capacity: int) -> Nonces:
    if secret is not None and len(secret) < 16:
        raise ValueError(f"secret must be at least 16 bytes, not {len(secret)}")
    if not 0 < lifetime < 10**7:
        raise ValueError(f"nonce_lifetime must be > 0 and below 10,000,000 seconds, not {shorten(str(lifetime))}")
    if capacity < 1:
        raise ValueError(f"max_uses must be >= 1, not {capacity}")
    return Nonces(secret, lifetime, capacity)


def _decode_extended(value: str) -> str | None:
    # RFC 5987 §3.2.1, of which RFC 7616 §3.4 allows UTF-8 only.
    match = _match_extended(value)
    if match is None:
        return None
    from urllib.parse import unquote_to_bytes  # rarely needed

    return decode(unquote_to_bytes(match[1]).decode("latin-1"))
