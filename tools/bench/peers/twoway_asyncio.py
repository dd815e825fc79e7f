"""twoway.asyncio."""

from __future__ import annotations

from typing import Any

import _coroutines
from _peer import Options

from twoway.asyncio import broadcast, connect, serve
from twoway.deflate import ServerPerMessageDeflateFactory


def settings(options: Options) -> dict[str, Any]:
    """Choose the engine of compression where one is wanted."""
    if not options.compressed or options.engine is None:
        return {"compression": "deflate" if options.compressed else None}
    factory = ServerPerMessageDeflateFactory(client_max_window_bits=12, engine=options.engine)
    return {"compression": None, "extensions": [factory]}


_coroutines.main(connect, serve, broadcast, settings)
