"""What a driver's connection tells about itself, read from the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._connection import Protocol
from ._state import Cause, State

if TYPE_CHECKING:
    from uuid import UUID

    from twoway.frames import Close, Extension
    from twoway.http import Request, Response


class ConnectionFacts:
    """
    Be the base of a connection that performs I/O: facts that it only reads from its protocol.

    It has no slots of its own, so that it fits any other base: a subclass has room for ``protocol`` and ``_id``, and
    sets ``_id`` to None.

    Attributes:
        protocol: The connection without I/O.
    """

    __slots__ = ()

    protocol: Protocol
    _id: UUID | None

    @property
    def id(self) -> UUID:
        """Give a unique identifier of the connection, for logs."""
        if self._id is None:
            from uuid import uuid4  # costs 3 ms at import, and few ask

            self._id = uuid4()  # type: ignore[misc]  # a slot of the subclass
        return self._id

    @property
    def state(self) -> State:
        """Give the state of the connection."""
        return self.protocol.state

    @property
    def subprotocol(self) -> str | None:
        """Give the negotiated subprotocol, None if there is none (RFC 6455 §1.9)."""
        return self.protocol.subprotocol

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """Give the negotiated extensions, in order (RFC 6455 §9)."""
        return tuple(self.protocol.extensions)

    @property
    def request(self) -> Request | None:
        """Give the request of the opening handshake, None before it was sent or received."""
        return self.protocol.request

    @property
    def response(self) -> Response | None:
        """Give the response of the opening handshake, None before it was sent or received."""
        return self.protocol.response

    @property
    def latency(self) -> float:
        """Give the time from the last answered ping to its pong; seconds, 0 before the first."""
        return self.protocol.latency

    @property
    def close_code(self) -> int | None:
        """Give the close code of the connection, None while it is not closed (RFC 6455 §7.1.5)."""
        return self.protocol.close_code

    @property
    def close_reason(self) -> str | None:
        """Give the close reason of the connection, None while it is not closed (RFC 6455 §7.1.6)."""
        return self.protocol.close_reason

    @property
    def close_rcvd(self) -> Close | None:
        """Give the Close frame that was received, None if there was none (RFC 6455 §5.5.1)."""
        return self.protocol.close_rcvd

    @property
    def close_sent(self) -> Close | None:
        """Give the Close frame that was sent, None if there was none (RFC 6455 §5.5.1)."""
        return self.protocol.close_sent

    @property
    def close_rcvd_then_sent(self) -> bool | None:
        """Tell whether the peer's Close frame came first, None unless there are both."""
        return self.protocol.close_rcvd_then_sent

    @property
    def cause(self) -> Cause | None:
        """Say why the connection ends, None while nothing ends it."""
        return self.protocol.cause
