"""Settings of uvicorn as those of a connection."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING

from twoway.deflate import ServerPerMessageDeflateFactory
from twoway.http import HTTPLimits
from twoway.protocol import ServerOptions

if TYPE_CHECKING:
    from uvicorn.config import Config

# uvicorn has read the request and has applied limits of its own. It does not hand on a body: none is waited for.
_LIMITS = HTTPLimits(max_line=1 << 20, max_headers=1 << 12, max_header_bytes=1 << 20, max_body=0)

#: For what comes after the first Close frame, and for the last bytes to leave; seconds.
CLOSE_TIMEOUT = 10

logger = logging.getLogger("uvicorn.error")


def make_options(config: Config) -> ServerOptions:
    """
    Make the settings of a connection.

    Args:
        config: Settings of uvicorn; only those that begin with ``ws_`` count.

    Returns:
        Settings that connections with equal ones share.

    Raises:
        ValueError: A setting is out of its range; the fault of who runs the server.
    """
    return _make(config.ws_max_size, config.ws_ping_interval, config.ws_ping_timeout, config.ws_per_message_deflate)


@lru_cache(maxsize=16)
def _make(max_size: int, ping_interval: float | None, ping_timeout: float | None, compress: bool) -> ServerOptions:
    return ServerOptions(
        max_size=max_size,
        defer_failure=True,  # an application may answer what came before a violation
        open_timeout=None,  # the request is here already, and how long the application thinks is its own affair
        ping_interval=ping_interval or None,
        ping_timeout=ping_timeout,
        close_timeout=CLOSE_TIMEOUT,
        extensions=[ServerPerMessageDeflateFactory()] if compress else (),
        limits=_LIMITS,
        logger=logger,
    )
