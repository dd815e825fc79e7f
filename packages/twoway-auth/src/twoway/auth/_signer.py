"""Answering Digest challenges: one signer for each nonce."""

from __future__ import annotations

from collections.abc import Callable

from twoway.http import HeaderError, Headers

from ._challenge import parse_params
from ._grammar import encode, quote
from ._hash import digest, equal, hash_password, hash_session, respond
from ._offer import Offer

MakeNonce = Callable[[], str]


class Signer:
    """
    Sign requests with one nonce.

    Args:
        offer: Challenge that is answered.
        username: Checked user name.
        password: Checked password; only its hash is kept.
        make_cnonce: Called for a new client's nonce.

    Spec:
        RFC 7616 §3.4.
    """

    __slots__ = ("_cnonce", "_count", "_ha1", "_make_cnonce", "_nonce", "_offer", "_uri", "_username")

    def __init__(self, offer: Offer, username: str, password: str, make_cnonce: MakeNonce) -> None:
        self._offer = offer
        self._nonce = offer.nonce
        self._count = 0
        self._make_cnonce = make_cnonce
        self._uri = ""
        self._cnonce = make_cnonce()
        realm = offer.realm.encode("latin-1")
        user = encode(username)
        self._ha1 = hash_password(offer.name, user, realm, encode(password))
        if offer.session:
            self._ha1 = hash_session(offer.name, self._ha1, self._nonce, self._cnonce)
        self._username = _username_params(offer, user, realm)

    def sign(self, method: str, uri: str) -> str:
        """
        Sign a request.

        Args:
            method: Its method.
            uri: What its request line asks for.

        Returns:
            Value of Authorization.

        Spec:
            RFC 7616 §3.4, §3.9; the order of the parameters is that of the examples.
        """
        offer = self._offer
        self._count += 1
        if self._count > 1 and not offer.session:  # the key of a session is made from one client's nonce
            self._cnonce = self._make_cnonce()
        self._uri = uri
        response = respond(offer.name, self._ha1, self._parts(), method, uri)
        params = [self._username, f"realm={quote(offer.realm)}", f"uri={quote(uri)}"]
        if offer.algorithm is not None:
            params.append(f"algorithm={offer.algorithm}")
        params.append(f"nonce={quote(self._nonce)}")
        if offer.qop:
            params += [f"nc={self._count:08x}", f"cnonce={quote(self._cnonce)}", "qop=auth"]
        params.append(f"response={quote(response)}")
        if offer.opaque is not None:
            params.append(f"opaque={quote(offer.opaque)}")
        if offer.userhash:
            params.append("userhash=true")
        return f"Digest {', '.join(params)}"

    def confirm(self, headers: Headers, name: str) -> bool:
        """
        Check the server's proof that it knows the password, if it gives one, and take its next nonce.

        Args:
            headers: Headers of the response.
            name: Name of the header to look at.

        Returns:
            Whether this signer can sign further requests.

        Raises:
            HeaderError: The proof is wrong: this is not the server that knows the password.

        Spec:
            RFC 7616 §3.5.
        """
        values = headers.get_all(name)
        params = parse_params(values, name)
        if self._offer.qop and "rspauth" in params and not self._proves(params):
            raise HeaderError(name, ", ".join(values))
        if "nextnonce" in params:
            self._nonce, self._count = params["nextnonce"], 0
            return not self._offer.session
        return True

    def _proves(self, params: dict[str, str]) -> bool:
        expected = respond(self._offer.name, self._ha1, self._parts(), "", self._uri)
        # What the server leaves out is as we sent it.
        same = params.get("cnonce", self._cnonce) == self._cnonce
        same = same and params.get("nc", "").lower() in ("", f"{self._count:08x}")
        return same and params.get("qop", "auth").lower() == "auth" and equal(params["rspauth"].lower(), expected)

    def _parts(self) -> tuple[str, ...]:
        return (self._nonce, f"{self._count:08x}", self._cnonce, "auth") if self._offer.qop else (self._nonce,)


def _username_params(offer: Offer, user: bytes, realm: bytes) -> str:
    if offer.userhash:
        return f'username="{digest(offer.name, user + b":" + realm)}"'
    if user.isascii() or not offer.utf8:
        # A server that does not speak of charsets is older than username*; it gets the bytes.
        return f"username={quote(user.decode('latin-1'))}"
    from urllib.parse import quote as percent_encode  # rarely needed

    return f"username*=UTF-8''{percent_encode(user, safe='')}"
