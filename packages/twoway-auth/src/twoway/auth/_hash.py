"""The arithmetic of Digest, the same for client and server."""

from __future__ import annotations

# Strongest first. The names on the right are those of hashlib.
HASHES = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
SESSION = "-SESS"


def split_algorithm(algorithm: str) -> tuple[str, bool]:
    """
    Split the value of the parameter ``algorithm``.

    Args:
        algorithm: Such as ``SHA-256-sess``; in any case, known or not.

    Returns:
        Name of the hash in upper case, and whether it is the session variant.

    Spec:
        RFC 7616 §3.3.
    """
    upper = algorithm.upper()
    return upper.removesuffix(SESSION), upper.endswith(SESSION)


def is_available(name: str) -> bool:
    """
    Tell whether this Python has a hash: SHA-512-256 is optional, and MD5 may be forbidden.

    Args:
        name: Name of the hash in upper case, known or not.

    Returns:
        Whether `digest` can use it.
    """
    if name not in HASHES:
        return False
    try:
        digest(name, b"")
    except ValueError:
        return False
    return True


def digest(name: str, data: bytes) -> str:
    """
    Hash bytes.

    Args:
        name: A key of `HASHES`.
        data: What to hash.

    Returns:
        The hash in lower-case hexadecimal.

    Raises:
        ValueError: This Python does not have the hash.

    Spec:
        RFC 7616 §3.3.
    """
    import hashlib  # slow to import

    return hashlib.new(HASHES[name], data, usedforsecurity=False).hexdigest()


def hash_password(name: str, username: bytes, realm: bytes, password: bytes) -> str:
    """
    Compute what a password file of Digest holds: the hash of user name, realm and password.

    Args:
        name: A key of `HASHES`.
        username: As encoded for the wire.
        realm: As it stands on the wire.
        password: As encoded for the wire.

    Returns:
        Lower-case hexadecimal.

    Spec:
        RFC 7616 §3.4.2.
    """
    return digest(name, b":".join((username, realm, password)))


def hash_session(name: str, ha1: str, nonce: str, cnonce: str) -> str:
    """
    Compute the key of a session, of the variants ``-sess``.

    Args:
        name: A key of `HASHES`.
        ha1: Result of `hash_password`.
        nonce: Nonce with which the session began; latin-1.
        cnonce: Client's nonce with which the session began; latin-1.

    Returns:
        Lower-case hexadecimal.

    Spec:
        RFC 7616 §3.4.2.
    """
    return digest(name, f"{ha1}:{nonce}:{cnonce}".encode("latin-1"))


def respond(name: str, ha1: str, parts: tuple[str, ...], method: str, uri: str) -> str:
    """
    Compute ``response``, or ``rspauth``.

    Args:
        name: A key of `HASHES`.
        ha1: Result of `hash_password` or `hash_session`.
        parts: Nonce, nonce count, client's nonce and ``"auth"``, or the nonce alone as in RFC 2069; latin-1.
        method: Method of the request; empty for ``rspauth``.
        uri: ``uri`` of the request; latin-1.

    Returns:
        Lower-case hexadecimal.

    Spec:
        RFC 7616 §3.4.1, §3.4.3, §3.5; RFC 2069 §2.1.2.
    """
    ha2 = digest(name, f"{method}:{uri}".encode("latin-1"))
    return digest(name, ":".join((ha1, *parts, ha2)).encode("latin-1"))


def equal(first: str, second: str) -> bool:
    """
    Compare two secrets in a time that tells nothing about them.

    Args:
        first: Latin-1.
        second: Latin-1.

    Returns:
        Whether they are equal.
    """
    from hmac import compare_digest  # slow to import

    return compare_digest(first.encode("latin-1"), second.encode("latin-1"))
