"""Nonces of a Digest server: signed, so that none need be kept before it is used; used ones never count twice."""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from collections import deque

_TIME = 8
_SALT = 12
_MAC = 16
_match_nonce = re.compile(r"[A-Za-z0-9+/]{48}").fullmatch  # 36 bytes, so that base64 needs no padding
_UNITS = 1000  # of time per second


class Nonces:
    """
    Make nonces, and recognise them.

    Each method is safe in threads without a lock: what they share is changed in single steps.

    Args:
        secret: Key of the signatures; ``None`` for a random one. Servers that share it accept each other's nonces.
        lifetime: Time for which a nonce is good; seconds, > 0.
        capacity: Number of uses to remember; >= 1.

    Spec:
        RFC 7616 §3.3, §5.4, §5.12.
    """

    __slots__ = ("_capacity", "_forgotten", "_lifetime", "_order", "_secret", "_slots", "_used")

    def __init__(self, secret: bytes | None, lifetime: float, capacity: int) -> None:
        if secret is None:
            from secrets import token_bytes  # slow to import

            secret = token_bytes(32)
        self._secret = secret
        self._lifetime = lifetime
        self._capacity = capacity
        self._used: dict[tuple[str, int], object] = {}
        self._order: deque[tuple[int, tuple[str, int]]] = deque()  # with the time of issue
        # Seconds of which a use was forgotten, in a ring that is longer than nonces of one second can be good.
        self._slots = 2 * int(lifetime) + 4
        self._forgotten: dict[int, int] = {}

    def make(self, now: float) -> str:
        """
        Make a nonce.

        Args:
            now: Current time; seconds, of any clock that does not jump.

        Returns:
            48 ASCII characters: the time, a random part, and the signature of both.
        """
        from secrets import token_bytes  # slow to import

        head = int(now * _UNITS).to_bytes(_TIME, "big", signed=True) + token_bytes(_SALT)
        return b2a_base64(head + self._sign(head), newline=False).decode("ascii")

    def is_good(self, nonce: str, now: float) -> bool:
        """
        Tell whether a nonce is ours and neither too old nor too new.

        Args:
            nonce: What a client sent; latin-1.
            now: Current time; seconds.

        Returns:
            Whether it may be used. Not if uses of the same age had to be forgotten.
        """
        issued = self._issued(nonce)
        # A clock that is behind that of another server with the same secret sees nonces of the future.
        if issued is None or abs(self._age(issued, now)) > self._lifetime:
            return False
        second = issued // _UNITS
        return self._forgotten.get(second % self._slots) != second

    def use(self, nonce: str, count: int, now: float) -> bool:
        """
        Take note of one use of a nonce.

        Args:
            nonce: What a client sent; latin-1.
            count: Nonce count.
            now: Current time; seconds.

        Returns:
            False if the nonce is not good, or was used with this count before: a replay. Counts need not grow, so that
            connections of one client may overtake each other.

        Spec:
            RFC 7616 §3.4, nc.
        """
        key = (nonce, count)
        mark = object()
        issued = self._issued(nonce)
        if issued is None or not self.is_good(nonce, now):
            return False
        if self._used.setdefault(key, mark) is not mark:  # one step: of two threads, one wins
            return False
        self._order.append((issued, key))
        try:
            while len(self._order) > self._capacity or self._age(self._order[0][0], now) > self._lifetime:
                self._forget(*self._order.popleft(), now)
        except IndexError:  # nothing is left, or another thread was faster
            pass
        # Again: had another thread forgotten the same use just before, the nonce would be stale by now.
        return self.is_good(nonce, now)

    def _forget(self, issued: int, key: tuple[str, int], now: float) -> None:
        if self._age(issued, now) <= self._lifetime:
            # It could be replayed from now on, so all nonces of that second go stale, before it is forgotten.
            self._forgotten[issued // _UNITS % self._slots] = issued // _UNITS
        self._used.pop(key, None)

    def _age(self, issued: int, now: float) -> float:
        return now - issued / _UNITS

    def _issued(self, nonce: str) -> int | None:
        from hmac import compare_digest  # slow to import

        if _match_nonce(nonce) is None:  # one text for each nonce, or it could be used again in another one
            return None
        data = a2b_base64(nonce)
        head, mac = data[:-_MAC], data[-_MAC:]
        if not compare_digest(self._sign(head), mac):
            return None
        return int.from_bytes(head[:_TIME], "big", signed=True)

    def _sign(self, head: bytes) -> bytes:
        from hmac import digest  # slow to import

        return digest(self._secret, head, "sha256")[:_MAC]
