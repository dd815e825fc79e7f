"""
The opening handshake of WebSocket, and the part of HTTP/1.1 that it needs; bytes in, objects out, no I/O.

- `Headers`, `Request`, `Response`: what HTTP messages are made of.
- `RequestParser`, `ResponseParser`, `HTTPLimits`: bytes to messages, every quantity bounded.
- `build_request`, `check_response`: the client's handshake; `parse_uri` says where to.
- `check_request`, `check_host`, `check_origin`, `build_response`, `error_response`: the server's.
- `choose_proxy`, `parse_proxy`, `Tunnel`: which proxy to go through, and how; `ProxyError` and its kinds.
- `parse_extensions`, `parse_subprotocols` and their like: what both sides negotiate.
- `HTTPError` and its kinds: what went wrong, with the status to answer.

Spec:
    RFC 6455 §3, §4, §9.1; RFC 9110; RFC 9112.
"""

from __future__ import annotations

from ._access import check_host, check_origin
from ._errors import (
    HeaderError,
    HostError,
    HTTPError,
    LimitError,
    MethodError,
    OriginError,
    ParseError,
    StatusError,
    UpgradeError,
    URIError,
    VersionError,
)
from ._handshake import (
    accept_key,
    build_request,
    build_response,
    check_response,
    error_response,
    generate_key,
)
from ._headers import Headers, HeadersLike, MultipleValuesError
from ._limits import HTTPLimits
from ._message import Request, Response
from ._native import check_request
from ._negotiate import (
    ExtensionHeader,
    build_extensions,
    build_subprotocols,
    check_subprotocol,
    parse_extensions,
    parse_subprotocols,
    select_subprotocol,
)
from ._parser import RequestParser, ResponseParser
from ._proxy import Proxy, parse_proxy
from ._proxy_choice import ProxyLike, choose_proxy
from ._proxy_errors import InvalidProxy, InvalidProxyMessage, InvalidProxyStatus, ProxyError
from ._tunnel import Tunnel
from ._uri import WebSocketURI, parse_uri

__all__ = [
    "ExtensionHeader",
    "HTTPError",
    "HTTPLimits",
    "HeaderError",
    "Headers",
    "HeadersLike",
    "HostError",
    "InvalidProxy",
    "InvalidProxyMessage",
    "InvalidProxyStatus",
    "LimitError",
    "MethodError",
    "MultipleValuesError",
    "OriginError",
    "ParseError",
    "Proxy",
    "ProxyError",
    "ProxyLike",
    "Request",
    "RequestParser",
    "Response",
    "ResponseParser",
    "StatusError",
    "Tunnel",
    "URIError",
    "UpgradeError",
    "VersionError",
    "WebSocketURI",
    "accept_key",
    "build_extensions",
    "build_request",
    "build_response",
    "build_subprotocols",
    "check_host",
    "check_origin",
    "check_request",
    "check_response",
    "check_subprotocol",
    "choose_proxy",
    "error_response",
    "generate_key",
    "parse_extensions",
    "parse_proxy",
    "parse_subprotocols",
    "parse_uri",
    "select_subprotocol",
]

for _name in __all__:
    _object = globals()[_name]
    if isinstance(_object, type):  # tracebacks and documentation name the public home
        _object.__module__ = __name__
