"""How many connections a server takes: in all, per address, and under way."""

from __future__ import annotations

from collections import Counter
from typing import Any

from twoway.frames import Record

from ._checks import check_count
from ._options import LoggerLike

# So many connections over a limit wait for their 503 at a time; a flood beyond that is dropped at once, or who is
# refused would cost as much as who is not.
_MAX_REFUSED = 100
_LOG_INTERVAL = 1.0  # seconds
_MAPPED = bytes(10) + b"\xff\xff"  # RFC 4291 §2.5.5.2: IPv4 addresses as IPv6 sockets show them


class ConnectionLimits(Record):
    """
    Hold the limits that a server sets to its clients.

    Args:
        max_connections: Connections in all; > 0, None for no limit.
        max_connections_per_address: Connections from one address; > 0, None for no limit.
        max_handshakes: Connections whose request is not answered yet; > 0, None for no limit.

    Raises:
        TypeError: A limit is neither an ``int`` nor None; a caller's bug.
        ValueError: A limit is too small; a caller's bug.
    """

    __slots__ = ("max_connections", "max_connections_per_address", "max_handshakes")

    max_connections: int | None
    max_connections_per_address: int | None
    max_handshakes: int | None

    def __init__(
        self,
        max_connections: int | None = None,
        max_connections_per_address: int | None = None,
        max_handshakes: int | None = None,
    ) -> None:
        super().__init__(max_connections, max_connections_per_address, max_handshakes)
        for name in self.__slots__:
            check_count(name, getattr(self, name))


class Admission:
    """
    Count the connections of a server, and turn away those over a limit.

    Args:
        limits: The limits; kept.
        logger: Gets a line at INFO when connections are refused, one a second at most.
    """

    def __init__(self, limits: ConnectionLimits, logger: LoggerLike) -> None:
        self._limits = limits
        self._logger = logger
        self._active = limits != ConnectionLimits()  # else nothing is counted, and no connection costs a byte
        self._admitted: dict[object, bytes | None] = {}
        self._per_address: Counter[bytes] = Counter()
        self._handshakes: set[object] = set()
        self._refused: set[object] = set()
        self._unlogged = 0
        self._logged_at: float | None = None

    def enter(self, connection: object, peername: Any, now: float) -> bool:
        """
        Count a new connection.

        Args:
            connection: Identifies it; kept until `leave`.
            peername: Where it comes from, as ``socket.getpeername`` gives it.
            now: Current time; seconds.

        Returns:
            False if the connection is to be dropped at once. True if it may stay, though perhaps only for its
            refusal: see `refuses`.
        """
        if not self._active:
            return True
        address = address_key(peername)
        reached = self._reached(address)
        if reached is None:
            self._admitted[connection] = address
            self._handshakes.add(connection)
            if address is not None:
                self._per_address[address] += 1
            return True
        self._log(reached, now)
        if len(self._refused) >= _MAX_REFUSED:
            return False
        self._refused.add(connection)
        return True

    def refuses(self, connection: object) -> bool:
        """
        Tell whether a connection stays for its refusal only.

        Args:
            connection: As for `enter`.

        Returns:
            True if its request is to be answered with 503.
        """
        return connection in self._refused

    def answered(self, connection: object) -> None:
        """
        Take note that the handshake of a connection is over.

        Args:
            connection: As for `enter`; not known is harmless.
        """
        self._handshakes.discard(connection)

    def leave(self, connection: object) -> None:
        """
        Give back what a connection took.

        Args:
            connection: As for `enter`; not known is harmless.
        """
        self._handshakes.discard(connection)
        self._refused.discard(connection)
        address = self._admitted.pop(connection, None)
        if address is not None:
            self._per_address[address] -= 1
            if not self._per_address[address]:
                del self._per_address[address]  # else every address that was ever seen would stay

    def _reached(self, address: bytes | None) -> str | None:
        """Name the limit that another connection would exceed."""
        limits = self._limits
        counts = (
            ("max_connections", len(self._admitted), limits.max_connections),
            (
                "max_connections_per_address",
                0 if address is None else self._per_address[address],
                limits.max_connections_per_address,
            ),
            ("max_handshakes", len(self._handshakes), limits.max_handshakes),
        )
        for name, count, limit in counts:
            if limit is not None and count >= limit:
                return f"{name}={limit}"
        return None

    def _log(self, reached: str, now: float) -> None:
        # A flood of connections must not become a flood of lines.
        self._unlogged += 1
        if self._logged_at is None or now - self._logged_at >= _LOG_INTERVAL:
            count, self._unlogged, self._logged_at = self._unlogged, 0, now
            self._logger.info("%s", f"{count} connection{'s' * (count > 1)} refused: {reached} is reached")


def address_key(peername: Any) -> bytes | None:
    """
    Give what stands for the client in the limit per address.

    Args:
        peername: As ``socket.getpeername`` gives it.

    Returns:
        The address; of an IPv6 address the first 64 bits, since one client has all addresses that begin so. None
        where there is no address, as with Unix sockets.
    """
    if not isinstance(peername, tuple) or not isinstance(peername[0], str):
        return None
    from ipaddress import ip_address  # costs 3 ms at import, and few servers limit addresses

    try:
        packed = ip_address(peername[0].partition("%")[0]).packed
    except ValueError:
        return None
    if len(packed) == 4:
        return packed
    return packed[12:] if packed.startswith(_MAPPED) else packed[:8]
