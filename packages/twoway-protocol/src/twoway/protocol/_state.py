"""The states of a connection, and what moves it from one to the next, as data."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from types import MappingProxyType


class State(IntEnum):
    """
    Name the state of a connection.

    Spec:
        RFC 6455 §4.1 (CONNECTING, OPEN), §7.1.3 (CLOSING), §7.1.4 (CLOSED).
    """

    CONNECTING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3


class Trigger(Enum):
    """Name what moves a connection from one state to the next."""

    HANDSHAKE_DONE = "opening handshake succeeded"
    HANDSHAKE_FAILED = "opening handshake failed"
    CLOSE_SENT = "Close frame sent"
    CLOSE_RECEIVED = "Close frame received and answered"
    FAILED = "connection failed by us"
    LOST = "end of the stream, connection lost or aborted"


_S, _T = State, Trigger

#: State -> trigger -> next state; a trigger that is not listed does not occur in that state.
TRANSITIONS: Mapping[State, Mapping[Trigger, State]] = MappingProxyType(
    {
        _S.CONNECTING: {
            _T.HANDSHAKE_DONE: _S.OPEN,
            _T.HANDSHAKE_FAILED: _S.CLOSING,
            _T.LOST: _S.CLOSED,
        },
        _S.OPEN: {
            _T.CLOSE_SENT: _S.CLOSING,
            _T.CLOSE_RECEIVED: _S.CLOSING,
            _T.FAILED: _S.CLOSING,
            _T.LOST: _S.CLOSED,
        },
        _S.CLOSING: {
            _T.CLOSE_RECEIVED: _S.CLOSING,
            _T.FAILED: _S.CLOSING,
            _T.LOST: _S.CLOSED,
        },
        _S.CLOSED: {},
    }
)


class Cause(Enum):
    """
    Say why a connection ended: who began, or whose fault it was.

    The value is a phrase for people.
    """

    LOCAL_CLOSE = "closed by us"
    REMOTE_CLOSE = "closed by the peer"
    REMOTE_ERROR = "the peer broke a rule or a limit"
    LOCAL_ERROR = "the peer says that we broke a rule or a limit"
    FAILED = "failed by us"
    REFUSED = "the server did not accept the opening handshake"
    VANISHED = "the peer ended the stream without a closing handshake"
    OS_ERROR = "the operating system reports that the connection is lost"
    HEARTBEAT = "the peer did not answer a ping in time"
    CLOSE_TIMEOUT = "the closing handshake took too long"
    LIFETIME = "the connection reached its largest age"
    OPEN_TIMEOUT = "the opening handshake took too long"
    ABORTED = "aborted by us"
