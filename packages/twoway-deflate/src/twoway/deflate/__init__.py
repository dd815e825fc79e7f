"""
Compression of WebSocket messages, without I/O: permessage-deflate, RFC 7692.

| module | holds |
|---|---|
| `_factories` | negotiation on both sides, for the drivers |
| `_params` | offers and answers, as data |
| `_extension` | `PerMessageDeflate`, the extension of one connection |
| `_path` | what of it every message goes through |
| `_deflater` | messages to compressed payloads |
| `_inflater` | compressed payloads to messages, within a limit |
| `_history` | the end of what was sent before, from which both can start again |
| `_engines` | zlib, zlib-ng and isal |
| `_presets` | what a connection may cost |
| `_native` | the compiled twins, where they are in use |
"""

from __future__ import annotations

from types import FunctionType

from ._engines import ENGINES, is_installed
from ._extension import PerMessageDeflate
from ._factories import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
    check_compression,
    enable_client_permessage_deflate,
    enable_server_permessage_deflate,
)
from ._path import Decide
from ._presets import DEFAULT_THRESHOLD, Memory

__all__ = [
    "DEFAULT_THRESHOLD",
    "ENGINES",
    "ClientPerMessageDeflateFactory",
    "Decide",
    "Memory",
    "PerMessageDeflate",
    "ServerPerMessageDeflateFactory",
    "check_compression",
    "enable_client_permessage_deflate",
    "enable_server_permessage_deflate",
    "is_installed",
]

for _name in __all__:
    if isinstance(globals()[_name], (type, FunctionType)):
        globals()[_name].__module__ = __name__
