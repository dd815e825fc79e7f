"""What happens on a connection, as its integrator sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from twoway.frames import Close, Fragment, Ping, Pong
from twoway.http import Request, Response

from ._errors import ConnectionClosed, InvalidHandshake


@dataclass(frozen=True, slots=True)
class HandshakeFailed:
    """
    Say that the opening handshake failed; the connection is closing.

    Args:
        error: What was wrong.
    """

    error: InvalidHandshake


@dataclass(frozen=True, slots=True)
class PingAcknowledged:
    """
    Say that the peer has answered a ping of ours, or a later one.

    Args:
        data: Application data of the ping.
        latency: Time between ping and pong; seconds.

    Spec:
        RFC 6455 §5.5.3.
    """

    data: bytes
    latency: float


@dataclass(frozen=True, slots=True)
class TimerLate:
    """
    Say that a deadline was handled late: this process was busy, the peer is not to blame.

    Args:
        lag: How late; seconds.
    """

    lag: float


@dataclass(frozen=True, slots=True)
class Closed:
    """
    Say that the connection is CLOSED; the last event.

    Args:
        error: How it ended.
    """

    error: ConnectionClosed


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
