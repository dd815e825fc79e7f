"""
WebSocket for ASGI applications: a protocol class for uvicorn.

| module | holds |
|---|---|
| `_protocol` | `WebSocketProtocol`: what uvicorn and the transport call |
| `_conversation` | what the application is told and may say, phase by phase |
| `_headers` | fields of answers, from ASGI and from uvicorn |
| `_inbox` | messages that wait for the application |
| `_output` | what waits for the transport |
| `_scope` | the connection scope |
| `_options` | settings of uvicorn as those of a connection |
"""

from __future__ import annotations

from ._protocol import WebSocketProtocol

__all__ = ["WebSocketProtocol"]

WebSocketProtocol.__module__ = __name__
