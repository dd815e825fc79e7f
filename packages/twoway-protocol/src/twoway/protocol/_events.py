"""What happens on a connection, as its integrator sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from twoway.frames import Close, Fragment, Ping, Pong, Record
from twoway.http import Request, Response

from ._errors import ConnectionClosed, InvalidHandshake, InvalidStatus
from ._state import Cause

if TYPE_CHECKING:
    from ._connection import Protocol


class HandshakeFailed(Record):
    """
    Say that the opening handshake failed; the connection is closing.

    Args:
        error: What was wrong.
    """

    __slots__ = ("error",)

    error: InvalidHandshake

    def __init__(self, error: InvalidHandshake) -> None:
        super().__init__(error)


class PingAcknowledged(Record):
    """
    Say that the peer has answered a ping of ours, or a later one.

    Args:
        data: Application data of the ping.
        latency: Time between ping and pong; seconds.

    Spec:
        RFC 6455 §5.5.3.
    """

    __slots__ = ("data", "latency")

    data: bytes
    latency: float

    def __init__(self, data: bytes, latency: float) -> None:
        super().__init__(data, latency)


class TimerLate(Record):
    """
    Say that a deadline was handled late: this process was busy, the peer is not to blame.

    Args:
        lag: How late; seconds.
    """

    __slots__ = ("lag",)

    lag: float

    def __init__(self, lag: float) -> None:
        super().__init__(lag)


class Closed(Record):
    """
    Say that the connection is CLOSED; the last event.

    Args:
        error: How it ended.
    """

    __slots__ = ("error",)

    error: ConnectionClosed

    def __init__(self, error: ConnectionClosed) -> None:
        super().__init__(error)


#: A message is the ``str`` or ``bytes`` itself; a part of one is a `Fragment`.
Event: TypeAlias = (
    str
    | bytes
    | Fragment
    | Ping
    | Pong
    | Close
    | Request
    | Response
    | HandshakeFailed
    | PingAcknowledged
    | TimerLate
    | Closed
)


def describe_failure(event: object, protocol: Protocol, own_wish: bool) -> str | None:
    """
    Say in one line what a server logs about a failure: it is silent about its own wishes and about who just leaves.

    Args:
        event: What has happened; any event.
        protocol: Where it has happened.
        own_wish: Whether the server has turned the client away before it looked at the request.

    Returns:
        A line, None where there is nothing to log.
    """
    if isinstance(event, HandshakeFailed) and not (own_wish or isinstance(event.error, InvalidStatus)):
        return f"opening handshake failed: {event.error}"
    if isinstance(event, Closed) and event.error.cause is Cause.REMOTE_ERROR and protocol.close_sent:
        return f"connection failed: {event.error}"
    return None
