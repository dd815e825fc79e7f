"""
A WebSocket connection without I/O: bytes in, events out, and time is an argument.

| module | holds |
|---|---|
| `_state` | states, transitions and causes, as data |
| `_options` | the settings of connections |
| `_connection` | `Protocol`: what both sides have in common |
| `_path`, `_native` | what every message goes through, and whether it is compiled |
| `_client`, `_server` | the two sides and their opening handshakes |
| `_messages` | messages to frames: fragmentation, extensions, sharing |
| `_keepalive` | when to ping, when to give up |
| `_checks` | what is wrong with an argument |
| `_negotiation` | which extensions fit together |
| `_inbox` | messages that wait for the application |
| `_facts`, `_settings` | what connections of all drivers tell, and take |
| `_plan`, `_tunneling` | the connections of one attempt: redirects, credentials, proxies |
| `_reconnect` | which failures to connect pass, and how long to wait |
| `_admission` | how many connections a server takes |
| `_routing` | dispatch by path |
| `_shutdown` | what the shutdown of a server came to |
| `_events` | what happens on a connection |
| `_errors`, `_proxy_errors` | what users catch |
| `testing` | two connected peers in memory |
"""

from __future__ import annotations

from types import FunctionType

from ._admission import Admission, ConnectionLimits, address_key
from ._checks import check_count, check_duration, check_seconds
from ._client import ClientProtocol, read_uri
from ._connection import Protocol
from ._errors import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidHeader,
    InvalidMessage,
    InvalidNegotiation,
    InvalidOrigin,
    InvalidState,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    SecurityError,
    WebSocketException,
)
from ._events import Closed, Event, HandshakeFailed, PingAcknowledged, TimerLate, describe_failure
from ._facts import ConnectionFacts
from ._inbox import MaxQueue, check_marks, convert
from ._messages import SharedMessage
from ._native import Inbox
from ._options import ClientOptions, LoggerLike, MaxSize, Options, Origins, ServerOptions
from ._plan import Plan, Planner, Source
from ._proxy_errors import (
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    ProxyError,
    refused_by_socks,
    unreachable,
)
from ._reconnect import (
    OWN_WISHES,
    Policy,
    ProcessException,
    Retries,
    backoff,
    describe_error,
    process_exception,
    read_retry_after,
)
from ._routing import Responder, RouterBase, check_map
from ._server import ServerProtocol
from ._settings import USER_AGENT, SlowConsumer, check_write_limit, make_settings
from ._shutdown import ShutdownReport
from ._state import TRANSITIONS, Cause, State, Trigger
from ._tunneling import Tunneling

__all__ = [
    "OWN_WISHES",
    "TRANSITIONS",
    "USER_AGENT",
    "Admission",
    "Cause",
    "ClientOptions",
    "ClientProtocol",
    "Closed",
    "ConcurrencyError",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "ConnectionFacts",
    "ConnectionLimits",
    "Event",
    "HandshakeFailed",
    "Inbox",
    "InvalidHandshake",
    "InvalidHeader",
    "InvalidMessage",
    "InvalidNegotiation",
    "InvalidOrigin",
    "InvalidProxy",
    "InvalidProxyMessage",
    "InvalidProxyStatus",
    "InvalidState",
    "InvalidStatus",
    "InvalidURI",
    "InvalidUpgrade",
    "LoggerLike",
    "MaxQueue",
    "MaxSize",
    "Options",
    "Origins",
    "PingAcknowledged",
    "Plan",
    "Planner",
    "Policy",
    "ProcessException",
    "Protocol",
    "ProxyError",
    "Responder",
    "Retries",
    "RouterBase",
    "SecurityError",
    "ServerOptions",
    "ServerProtocol",
    "SharedMessage",
    "ShutdownReport",
    "SlowConsumer",
    "Source",
    "State",
    "TimerLate",
    "Trigger",
    "Tunneling",
    "WebSocketException",
    "address_key",
    "backoff",
    "check_count",
    "check_duration",
    "check_map",
    "check_marks",
    "check_seconds",
    "check_write_limit",
    "convert",
    "describe_error",
    "describe_failure",
    "make_settings",
    "process_exception",
    "read_retry_after",
    "read_uri",
    "refused_by_socks",
    "unreachable",
]

for _name in __all__:
    if isinstance(globals()[_name], (type, FunctionType)):
        globals()[_name].__module__ = __name__
