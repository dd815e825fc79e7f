"""The peer `aiohttp`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web

from .base import End, Listener, Peer, Refused, Settings

# Its timeout for the answer to a Close frame; seconds.
CLOSE_TIMEOUT = 5

_DATA = (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG)


class AiohttpEnd(End):
    def __init__(self, websocket: Any, subprotocol: str | None, session: aiohttp.ClientSession | None = None) -> None:
        super().__init__()
        self._websocket = websocket
        self._session = session
        self.subprotocol = subprotocol
        self.deflate = bool(websocket.compress)
        self._pumping = asyncio.create_task(self._pump())

    async def _pump(self) -> None:
        while (message := await self._websocket.receive()).type in _DATA:
            if message.type is WSMsgType.PING:  # ``autoping`` would answer, but hide the pongs from us
                await self._websocket.pong(message.data)
            elif message.type is WSMsgType.PONG:
                self.on_pong(bytes(message.data))
            else:
                self.on_message(message.data)
        if message.type is not WSMsgType.CLOSING:  # else it is close() that knows the end
            await self._end(message.extra if message.type is WSMsgType.CLOSE else "")

    async def _end(self, reason: str) -> None:
        if self._session is not None:
            await self._session.close()
        self.on_close(self._websocket.close_code, reason or "")

    async def send(self, message: str | bytes) -> None:
        await (self._websocket.send_str if isinstance(message, str) else self._websocket.send_bytes)(message)

    async def ping(self, payload: bytes) -> None:
        await self._websocket.ping(payload)

    async def close(self, code: int | None = None, reason: str = "") -> None:
        await self._websocket.close(code=code, message=reason.encode())
        await self._end(reason)


class Aiohttp(Peer):
    name = "aiohttp"
    can = frozenset(
        ["serve", "ping", "deflate", "server window", "plain", "tls", "any code", "limit", "headers", "status"]
    )

    async def connect(self, uri: str, settings: Settings) -> AiohttpEnd:
        session = aiohttp.ClientSession(trust_env=False)
        try:
            websocket = await session.ws_connect(
                uri,
                protocols=settings.subprotocols,
                timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT),
                autoping=False,
                max_msg_size=settings.max_size,
                origin=settings.origin,
                headers=settings.headers,
                ssl=settings.tls.client if settings.tls else True,
                compress=_window_bits(settings),
            )
        except aiohttp.WSServerHandshakeError as exc:
            await session.close()
            raise Refused(exc.status) from exc
        except BaseException:
            await session.close()
            raise
        return AiohttpEnd(websocket, websocket.protocol, session)

    @asynccontextmanager
    async def serve(self, settings: Settings) -> AsyncIterator[Listener]:
        accepted: asyncio.Queue[AiohttpEnd] = asyncio.Queue()

        async def handler(request: web.Request) -> web.StreamResponse:
            if settings.refusal is not None:
                return web.Response(status=settings.refusal, text="No.\n")
            websocket = web.WebSocketResponse(
                timeout=CLOSE_TIMEOUT,
                autoping=False,
                protocols=settings.subprotocols,
                compress=settings.deflate is not None,
                max_msg_size=settings.max_size,
            )
            await websocket.prepare(request)
            end = AiohttpEnd(websocket, websocket.ws_protocol)
            accepted.put_nowait(end)
            await asyncio.shield(end.closed)
            return websocket

        application = web.Application()
        application.router.add_get("/{path:.*}", handler)
        runner = web.AppRunner(application, handle_signals=False, access_log=None)
        await runner.setup()
        try:
            listening = socket.create_server(("127.0.0.1", 0))
            site = web.SockSite(runner, listening, ssl_context=settings.tls and settings.tls.server)
            await site.start()
            yield Listener(listening.getsockname()[1], accepted)
        finally:
            await runner.cleanup()


def _window_bits(settings: Settings) -> int:
    """Return what aiohttp's client knows of permessage-deflate: one number, the server's window bits."""
    return 0 if settings.deflate is None else int(settings.deflate.get("server_max_window_bits", 15))
