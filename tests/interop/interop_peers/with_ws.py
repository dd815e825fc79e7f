"""The peer `ws`, in a process of node that obeys lines of JSON."""

from __future__ import annotations

import asyncio
import itertools
import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from .base import ROOMY, End, Listener, Peer, Refused, Settings

PROGRAM = Path(__file__).with_name("node_peer.js")
# For the process to end once its standard input has; seconds.
END_TIMEOUT = 10


class CommandError(Exception):
    """The program could not do what it was told."""


class NodeProcess:
    """The running program: commands in, results and events out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = itertools.count()
        self._results: dict[int, asyncio.Future[Any]] = {}
        self._ends: dict[int, WsEnd] = {}
        self._accepted: dict[int, asyncio.Queue[WsEnd]] = {}
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, node: str, ws: Path) -> NodeProcess:
        pipe = asyncio.subprocess.PIPE
        command = [node, str(PROGRAM), str(ws)]
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=4 * ROOMY))

    async def stop(self) -> int:
        """End the process; return its exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(END_TIMEOUT):
                await self._reader
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()

    async def call(self, action: str, **arguments: Any) -> Any:
        assert self._process.stdin is not None
        number = next(self._ids)
        result = self._results[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "do": action, **arguments})
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()
        return await result

    def end(self, facts: dict[str, Any]) -> WsEnd:
        """Return the object for an end that the program told of."""
        number = facts["end"]
        if number not in self._ends:
            self._ends[number] = WsEnd(self, number)
        if "extensions" in facts:
            self._ends[number].subprotocol = facts["subprotocol"]
            self._ends[number].deflate = "permessage-deflate" in facts["extensions"]
        return self._ends[number]

    @asynccontextmanager
    async def listen(self, **arguments: Any) -> AsyncIterator[Listener]:
        facts = await self.call("listen", **arguments)
        accepted = self._accepted[facts["server"]] = asyncio.Queue()
        try:
            yield Listener(facts["port"], accepted)
        finally:
            await self.call("stop", server=facts["server"])

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            facts = json.loads(line)
            if "event" in facts:
                self._take_event(facts)
            else:
                self._take_result(facts)
        for result in self._results.values():
            result.set_exception(CommandError({"message": "node has ended"}))

    def _take_result(self, facts: dict[str, Any]) -> None:
        result = self._results.pop(facts["id"])
        if "error" in facts:
            result.set_exception(CommandError(facts["error"]))
        else:
            result.set_result(facts["result"])

    def _take_event(self, facts: dict[str, Any]) -> None:
        end, event = self.end(facts), facts["event"]
        if event == "accepted":
            self._accepted[facts["server"]].put_nowait(end)
        elif event == "message":
            end.on_message(facts["text"] if "text" in facts else b64decode(facts["base64"]))
        elif event == "pong":
            end.on_pong(b64decode(facts["base64"]))
        else:
            end.on_close(facts["code"], facts["reason"])
            del self._ends[facts["end"]]


class WsEnd(End):
    def __init__(self, node: NodeProcess, number: int) -> None:
        super().__init__()
        self._node = node
        self._number = number

    async def _do(self, action: str, **arguments: Any) -> None:
        await self._node.call(action, end=self._number, **arguments)

    async def send(self, message: str | bytes) -> None:
        await self._do("send", fin=True, **_pack(message))

    async def send_fragments(self, parts: Sequence[str] | Sequence[bytes]) -> None:
        for part in parts[:-1]:
            await self._do("send", fin=False, **_pack(part))
        await self._do("send", fin=True, **_pack(parts[-1]))

    async def ping(self, payload: bytes) -> None:
        await self._do("ping", **_pack(payload))

    async def close(self, code: int | None = None, reason: str = "") -> None:
        await self._do("close", code=code, reason=reason)

    async def abort(self) -> None:
        await self._do("terminate")


class Ws(Peer):
    name = "ws"
    can = frozenset(
        [
            *("serve", "ping", "fragments", "abort", "tls"),
            *("deflate", "server window", "parameters", "plain", "smallest window"),
            *("any code", "no code", "limit", "headers", "status"),
        ]
    )

    def __init__(self, node: NodeProcess) -> None:
        self._node = node

    async def connect(self, uri: str, settings: Settings) -> WsEnd:
        try:
            facts = await self._node.call(
                "connect",
                uri=uri,
                authority=settings.tls and settings.tls.authority_file,
                origin=settings.origin,
                headers=dict(settings.headers),
                **_options(settings),
            )
        except CommandError as exc:
            raise Refused(exc.args[0].get("status", 0)) from exc
        return self._node.end(facts)

    def serve(self, settings: Settings) -> Any:
        tls = settings.tls
        files = {"chain": tls.chain_file, "key": tls.key_file} if tls else {}
        return self._node.listen(refusal=settings.refusal, **files, **_options(settings))


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "subprotocols": list(settings.subprotocols),
        "deflate": settings.deflate,
        "maxSize": settings.max_size,
    }


def _pack(message: str | bytes) -> dict[str, str]:
    return {"text": message} if isinstance(message, str) else {"base64": b64encode(message).decode()}
