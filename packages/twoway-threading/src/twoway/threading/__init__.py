"""WebSocket clients and servers for threads."""

from __future__ import annotations
