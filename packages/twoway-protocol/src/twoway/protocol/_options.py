"""The settings of connections: made and checked once, shared by any number of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from twoway.frames import (
    DEFAULT_MAX_FRAGMENTS,
    DEFAULT_MAX_SIZE,
    ClientExtensionFactory,
    ServerExtensionFactory,
    check_limit,
)
from twoway.http import (
    Headers,
    HeadersLike,
    HTTPError,
    HTTPLimits,
    Request,
    WebSocketURI,
    build_request,
    build_subprotocols,
    check_host,
)

from ._checks import check_items, check_pair, check_seconds

#: Limit for a message, or for a message and for each of its frames; bytes, None for no limit.
MaxSize: TypeAlias = int | tuple[int | None, int | None] | None

_KEY = "MDEyMzQ1Njc4OTAxMjM0NQ=="  # any valid one: options are tried out when they are made


class LoggerLike(Protocol):
    """Be what a connection needs of a `logging.Logger`; adapters fit, too."""

    def isEnabledFor(self, level: int) -> bool:
        """Tell whether messages of a level are wanted."""

    def debug(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log at level DEBUG."""

    def info(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log at level INFO."""

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log at level WARNING."""

    def error(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """Log at level ERROR."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """
    Hold the settings that both sides have.

    Args:
        max_size: Largest message, or a pair: largest message and largest frame; bytes, None for no limit.
        max_fragments: Largest number of frames in a message; None for no limit.
        fragments: Whether messages in several frames are given as `Fragment` events instead of joined.
        defer_failure: Whether a violation behind messages is answered by `Protocol.fail_deferred`, so that these
            messages can be answered before; at the latest when ``close_timeout`` has passed.
        open_timeout: For the whole opening handshake; seconds, None for no limit.
        ping_interval: From one keepalive ping to the next; seconds, None for no pings.
        ping_timeout: From a ping to a sign of life; seconds, None to wait for ever.
        close_timeout: For all that comes after the first Close frame; seconds, None for no limit.
        max_lifetime: Age at which a connection is closed with 1001; seconds, None for no limit.
        idle_release: Time without a message after which extensions release memory; seconds, None for never.
        limits: What the peer's part of the opening handshake may be at most.
        logger: Gets a line at DEBUG for each frame, if that level is enabled when the connection is made.

    Raises:
        TypeError: An argument has the wrong type; a caller's bug.
        ValueError: An argument is out of its range; a caller's bug.
    """

    max_size: MaxSize = DEFAULT_MAX_SIZE
    max_fragments: int | None = DEFAULT_MAX_FRAGMENTS
    fragments: bool = False
    defer_failure: bool = False
    open_timeout: float | None = 10
    ping_interval: float | None = 20
    ping_timeout: float | None = 20
    close_timeout: float | None = 10
    max_lifetime: float | None = None
    idle_release: float | None = 60
    limits: HTTPLimits = field(default_factory=HTTPLimits)
    logger: LoggerLike | None = None

    def __post_init__(self) -> None:
        for size in self.max_sizes:
            check_limit("max_size", size)
        check_limit("max_fragments", self.max_fragments)
        if not isinstance(self.limits, HTTPLimits):
            raise TypeError(f"limits must be HTTPLimits, not {type(self.limits).__name__}")
        for name in ("open_timeout", "ping_timeout", "close_timeout"):
            check_seconds(name, getattr(self, name))
        for name in ("ping_interval", "max_lifetime", "idle_release"):
            check_seconds(name, getattr(self, name), positive=True)

    @property
    def max_sizes(self) -> tuple[int | None, int | None]:
        """Give the limits for a message and for a frame; bytes."""
        return check_pair("max_size", self.max_size)


@dataclass(frozen=True, kw_only=True)
class ClientOptions(Options):
    """
    Hold the settings of a client; those of both sides are described in `Options`.

    Args:
        origin: Value of the ``Origin`` header; None for none.
        extensions: Factories of what to offer, preferred ones first.
        subprotocols: What to offer, preferred ones first.
        additional_headers: Further headers of the request.
        user_agent_header: Value of the ``User-Agent`` header; None for none.
        host: Value of the ``Host`` header; None takes it from the URI.

    Spec:
        RFC 6455 §4.1.
    """

    origin: str | None = None
    extensions: Sequence[ClientExtensionFactory] = ()
    subprotocols: Sequence[str] = ()
    additional_headers: HeadersLike = ()
    user_agent_header: str | None = None
    host: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_items("extensions", self.extensions, ClientExtensionFactory, "ClientExtensionFactory objects")
        check_items("subprotocols", self.subprotocols, str, "str")
        # Shared by many connections: an iterator would serve the first one only.
        object.__setattr__(self, "additional_headers", Headers(self.additional_headers))
        build_request(
            WebSocketURI(False, "localhost", 80),
            _KEY,
            origin=self.origin,
            subprotocols=self.subprotocols,
            additional_headers=self.additional_headers,
            user_agent_header=self.user_agent_header,
            host=self.host,
        )


#: Origins: exact values, patterns that must match the whole value, None to allow a missing header.
Origins: TypeAlias = Sequence[str | re.Pattern[str] | None]


@dataclass(frozen=True, kw_only=True)
class ServerOptions(Options):
    """
    Hold the settings of a server; those of both sides are described in `Options`.

    Args:
        origins: Accepted values of the ``Origin`` header; None accepts all.
        allowed_hosts: Accepted values of the ``Host`` header, against DNS rebinding; None accepts all.
        extensions: Factories of what to accept, preferred ones first.
        subprotocols: What is supported, preferred ones first.
        server_header: Value of the ``Server`` header; None for none.
        date: Called for the ``Date`` header of answers other than 101; None for none.

    Spec:
        RFC 6455 §4.2.
    """

    origins: Origins | None = None
    allowed_hosts: Sequence[str] | None = None
    extensions: Sequence[ServerExtensionFactory] = ()
    subprotocols: Sequence[str] = ()
    server_header: str | None = None
    date: Callable[[], str] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_items("extensions", self.extensions, ServerExtensionFactory, "ServerExtensionFactory objects")
        check_items("subprotocols", self.subprotocols, str, "str")
        check_items(
            "origins",
            () if self.origins is None else self.origins,
            (str, re.Pattern, type(None)),
            "str, patterns and None",
        )
        if self.subprotocols:
            build_subprotocols(self.subprotocols)
        Headers({} if self.server_header is None else {"Server": self.server_header})
        with suppress(HTTPError):  # whether this host is allowed does not matter
            check_host(Request("/", Headers({"Host": "localhost"})), self.allowed_hosts)
