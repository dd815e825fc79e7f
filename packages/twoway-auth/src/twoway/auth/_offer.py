"""What a server offers with a Digest challenge, and which of several offers is the best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ._challenge import Challenge
from ._grammar import shorten
from ._hash import HASHES, is_available, split_algorithm

_MD5 = "MD5"


class Offer(NamedTuple):
    """
    Hold a Digest challenge that this client can answer.

    Args:
        realm: Realm; latin-1.
        nonce: Nonce; latin-1.
        opaque: What to send back as it is; ``None`` for nothing.
        algorithm: Algorithm as it was named; ``None`` if it was not.
        name: Name of the hash.
        session: Whether it is the session variant.
        qop: Whether qop is ``auth``; if not, there is none, as in RFC 2069.
        utf8: Whether the server says that it knows UTF-8.
        userhash: Whether the user name is to be hashed.
        stale: Whether only the nonce was wrong.

    Spec:
        RFC 7616 §3.3.
    """

    realm: str
    nonce: str
    opaque: str | None
    algorithm: str | None
    name: str
    session: bool
    qop: bool
    utf8: bool
    userhash: bool
    stale: bool


def read_offers(challenges: Sequence[Challenge], allow_md5: bool) -> tuple[list[Offer], list[str]]:
    """
    Find the Digest challenges that this client can answer.

    Args:
        challenges: Any challenges, of other schemes, too.
        allow_md5: Whether MD5 is good enough.

    Returns:
        Offers, strongest hash first and else in order; and for each other Digest challenge what is wrong with it.
    """
    offers: list[Offer] = []
    problems: list[str] = []
    for challenge in challenges:
        if challenge.scheme.lower() == "digest":
            try:
                offers.append(_read_offer(challenge.params, allow_md5))
            except _Unsupported as exc:
                problems.append(str(exc))
    strength = list(HASHES)
    offers.sort(key=lambda offer: strength.index(offer.name))
    return offers, problems


class _Unsupported(Exception):
    """Carry what is wrong with a challenge."""


def _read_offer(params: dict[str, str], allow_md5: bool) -> Offer:
    for required in ("realm", "nonce"):
        if required not in params:
            raise _Unsupported(f"there is no {required}")
    algorithm = params.get("algorithm")
    name, session = split_algorithm(_MD5 if algorithm is None else algorithm)
    if algorithm is not None and not is_available(name):
        raise _Unsupported(f"the algorithm {shorten(algorithm)} is unknown")
    if name == _MD5 and not (allow_md5 and is_available(_MD5)):
        raise _Unsupported("the algorithm MD5 is not allowed")
    return Offer(
        realm=params["realm"],
        nonce=params["nonce"],
        opaque=params.get("opaque"),
        algorithm=algorithm,
        name=name,
        session=session,
        qop=_read_qop(params.get("qop"), name, session),
        utf8=params.get("charset", "").upper() == "UTF-8",
        userhash=params.get("userhash", "").lower() == "true",
        stale=params.get("stale", "").lower() == "true",
    )


def _read_qop(qop: str | None, name: str, session: bool) -> bool:
    if qop is None:
        # RFC 7616 §3.4: only what RFC 2069 knew may come without; it protects less, so nothing else falls back to it.
        if name != _MD5 or session:
            raise _Unsupported("there is no qop")
        return False
    options = [option.strip(" \t").lower() for option in qop.split(",")]
    if "auth" not in options:
        # auth-int covers the body of a request, and of the answer: a WebSocket handshake has neither.
        raise _Unsupported(f"the qop {shorten(qop)} is not supported, only auth is")
    return True
