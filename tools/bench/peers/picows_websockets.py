"""picows with its API of coroutines, which is that of websockets."""

from __future__ import annotations

import _coroutines
from picows.websockets.asyncio.client import connect
from picows.websockets.asyncio.server import broadcast, serve

_coroutines.main(connect, serve, broadcast)
