"""websockets, its implementation for threads."""

from __future__ import annotations

import _blocking
from websockets.sync.client import connect
from websockets.sync.server import serve

_blocking.main(connect, serve)
