"""The peer `websocket-client`: synchronous, so each connection gets a thread that receives."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from collections.abc import Sequence
from typing import Any

import websocket
from websocket import ABNF

from .base import End, Peer, Refused, Settings

# For each of its system calls; seconds.
TIMEOUT = 10


class WebsocketClientEnd(End):
    def __init__(self, connection: websocket.WebSocket) -> None:
        super().__init__()
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self.subprotocol = connection.getsubprotocol()
        self._thread = threading.Thread(target=self._pump, name="websocket-client")
        self._thread.start()

    def _pump(self) -> None:
        end: tuple[int | None, str] = (1006, "")
        try:
            while True:
                opcode, frame = self._connection.recv_data_frame(control_frame=True)
                if opcode == ABNF.OPCODE_CLOSE:
                    end = _close_of(frame.data)
                    break
                self._tell(self._take, opcode, frame.data)
        except (websocket.WebSocketException, OSError):
            pass
        finally:
            self._connection.shutdown()
            self._tell(self.on_close, *end)

    def _tell(self, function: Any, *arguments: Any) -> None:
        self._loop.call_soon_threadsafe(function, *arguments)

    def _take(self, opcode: int, data: bytes) -> None:
        if opcode == ABNF.OPCODE_TEXT:
            self.on_message(data.decode())
        elif opcode == ABNF.OPCODE_BINARY:
            self.on_message(data)
        elif opcode == ABNF.OPCODE_PONG:
            self.on_pong(data)

    async def send(self, message: str | bytes) -> None:
        function = self._connection.send_text if isinstance(message, str) else self._connection.send_binary
        await asyncio.to_thread(function, message)

    async def send_fragments(self, parts: Sequence[str] | Sequence[bytes]) -> None:
        opcode = ABNF.OPCODE_TEXT if isinstance(parts[0], str) else ABNF.OPCODE_BINARY
        for index, part in enumerate(parts):
            data = part.encode() if isinstance(part, str) else part
            frame = ABNF.create_frame(data, ABNF.OPCODE_CONT if index else opcode, int(index == len(parts) - 1))
            await asyncio.to_thread(self._connection.send_frame, frame)

    async def ping(self, payload: bytes) -> None:
        await asyncio.to_thread(self._connection.ping, payload)

    async def close(self, code: int | None = None, reason: str = "") -> None:
        # Its close() would read the answer, which is the thread's business; which may have closed the socket already.
        with contextlib.suppress(OSError, websocket.WebSocketException):
            await asyncio.to_thread(self._connection.send_close, code, reason.encode())

    async def abort(self) -> None:
        self._connection.abort()


class WebsocketClient(Peer):
    name = "websocket-client"
    can = frozenset(["ping", "fragments", "abort", "plain", "tls", "any code", "headers", "status"])

    async def connect(self, uri: str, settings: Settings) -> WebsocketClientEnd:
        try:
            connection = await asyncio.to_thread(
                websocket.create_connection,
                uri,
                timeout=TIMEOUT,
                subprotocols=list(settings.subprotocols),
                origin=settings.origin,
                suppress_origin=settings.origin is None,
                header=[f"{name}: {value}" for name, value in settings.headers],
                sslopt={"context": settings.tls.client} if settings.tls else None,
                http_no_proxy=["*"],
                enable_multithread=True,
            )
        except websocket.WebSocketBadStatusException as exc:
            raise Refused(exc.status_code) from exc
        return WebsocketClientEnd(connection)


def _close_of(data: bytes) -> tuple[int | None, str]:
    return (struct.unpack("!H", data[:2])[0], data[2:].decode()) if data else (1005, "")
