"""The peer `websockets`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

from .base import End, Listener, Peer, Refused, Settings


class WebsocketsEnd(End):
    def __init__(self, websocket: Any) -> None:
        super().__init__()
        self._websocket = websocket
        self.subprotocol = websocket.subprotocol
        self.deflate = any(extension.name == "permessage-deflate" for extension in websocket.protocol.extensions)
        self.done = asyncio.create_task(self._pump())

    async def _pump(self) -> None:
        try:
            while True:
                self.on_message(await self._websocket.recv())
        except Exception:  # the connection is closed, whatever for
            await self._websocket.wait_closed()
            self.on_close(self._websocket.close_code, self._websocket.close_reason)

    async def send(self, message: str | bytes) -> None:
        await self._websocket.send(message)

    async def send_fragments(self, parts: Sequence[str] | Sequence[bytes]) -> None:
        await self._websocket.send(parts)

    async def ping(self, payload: bytes) -> None:
        await (await self._websocket.ping(payload))
        self.on_pong(payload)

    async def close(self, code: int | None = None, reason: str = "") -> None:
        await self._websocket.close(code, reason)

    async def abort(self) -> None:
        self._websocket.transport.abort()


class Websockets(Peer):
    name = "websockets"
    can = frozenset(
        [
            "serve",
            "ping",
            "fragments",
            "abort",
            "deflate",
            "server window",
            "parameters",
            "plain",
            "tls",
            "any code",
            "limit",
            "headers",
            "status",
        ]
    )

    async def connect(self, uri: str, settings: Settings) -> WebsocketsEnd:
        factory = ClientPerMessageDeflateFactory
        try:
            websocket = await connect(
                uri,
                origin=settings.origin,
                additional_headers=settings.headers,
                extensions=None if settings.deflate is None else [factory(**settings.deflate)],
                ssl=settings.tls and settings.tls.client,
                proxy=None,
                **_options(settings),
            )
        except InvalidStatus as exc:
            raise Refused(exc.response.status_code) from exc
        return WebsocketsEnd(websocket)

    @asynccontextmanager
    async def serve(self, settings: Settings) -> AsyncIterator[Listener]:
        accepted: asyncio.Queue[WebsocketsEnd] = asyncio.Queue()

        async def handler(websocket: Any) -> None:
            end = WebsocketsEnd(websocket)
            accepted.put_nowait(end)
            await end.done

        def refuse(websocket: Any, request: Any) -> Any:
            return settings.refusal and websocket.respond(settings.refusal, "No.\n")

        factory = ServerPerMessageDeflateFactory
        async with serve(
            handler,
            "127.0.0.1",
            0,
            extensions=None if settings.deflate is None else [factory(**settings.deflate)],
            ssl=settings.tls and settings.tls.server,
            process_request=refuse,
            **_options(settings),
        ) as server:
            yield Listener(server.sockets[0].getsockname()[1], accepted)


def _options(settings: Settings) -> dict[str, Any]:
    # The extensions say what to compress with: the default must not add another one.
    return {
        "subprotocols": settings.subprotocols or None,
        "max_size": settings.max_size,
        "compression": None,
        "close_timeout": 5,
    }
