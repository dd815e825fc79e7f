"""The peer Chromium: the WebSocket of its pages."""

from __future__ import annotations

import itertools
import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from .base import End, Peer, Refused, Settings
from .devtools import DevToolsError, Page

SCRIPT = Path(__file__).with_name("chromium_peer.js")


class ChromiumEnd(End):
    def __init__(self, page: Page, number: int) -> None:
        super().__init__()
        self._page = page
        self._number = number

    async def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            await self._page.run("sendText", self._number, message)
        else:
            await self._page.run("sendBase64", self._number, b64encode(message).decode())

    async def close(self, code: int | None = None, reason: str = "") -> None:
        await self._page.run("closeEnd", self._number, code, reason)


class Chromium(Peer):
    name = "chromium"
    # Pages cannot see or send a ping, cut a message into frames, or choose parameters of permessage-deflate.
    can = frozenset(["deflate", "smallest window", "tls", "no code"])

    def __init__(self, page: Page) -> None:
        self._page = page
        self._numbers = itertools.count()
        self._ends: dict[int, ChromiumEnd] = {}

    @classmethod
    async def on(cls, page: Page) -> Chromium:
        """Prepare a page."""
        peer = cls(page)
        page.listen("Runtime.bindingCalled", peer._take)
        await page.call("Runtime.enable")
        await page.call("Runtime.addBinding", name="report")
        await page.evaluate(SCRIPT.read_text(encoding="utf-8"))
        return peer

    async def connect(self, uri: str, settings: Settings) -> ChromiumEnd:
        number = next(self._numbers)
        end = self._ends[number] = ChromiumEnd(self._page, number)
        try:
            facts = await self._page.run("openEnd", number, uri, settings.subprotocols)
        except DevToolsError as exc:
            raise Refused from exc
        end.subprotocol = facts["subprotocol"]
        end.deflate = "permessage-deflate" in facts["extensions"]
        return end

    def _take(self, event: dict[str, Any]) -> None:
        facts = json.loads(event["payload"])
        end = self._ends[facts["end"]]
        if "code" in facts:
            end.on_close(facts["code"], facts["reason"])
            del self._ends[facts["end"]]
        else:
            end.on_message(facts["text"] if "text" in facts else b64decode(facts["base64"]))
