"""websockets, its asyncio implementation."""

from __future__ import annotations

import _coroutines
from websockets.asyncio.client import connect
from websockets.asyncio.server import broadcast, serve

_coroutines.main(connect, serve, broadcast)
