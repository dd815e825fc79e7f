"""
A headless Chromium, driven over its DevTools protocol.

Its endpoint is a WebSocket server, so what drives it is our client: one more peer.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twoway.asyncio import ClientConnection, ConnectionClosed, connect

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    # about:blank is not on the local network: it would be asked about connections to it, at times.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets",
    "--no-proxy-server",
    "--remote-debugging-port=0",
]
# For the browser to start, and to end; seconds.
START_TIMEOUT = 45
END_TIMEOUT = 10
_LISTENING = "DevTools listening on "


class DevToolsError(Exception):
    """The browser refused a command, or a script failed in the page."""


class DevTools:
    """The protocol's connection: commands with results, and events."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket
        self._ids = itertools.count(1)
        self._results: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listeners: dict[tuple[str | None, str], Callable[[dict[str, Any]], None]] = {}
        self._reader = asyncio.create_task(self._read())

    async def call(self, method: str, params: dict[str, Any] | None = None, session: str | None = None) -> Any:
        number = next(self._ids)
        result = self._results[number] = asyncio.get_running_loop().create_future()
        command = {"id": number, "method": method, "params": params or {}}
        await self.websocket.send(json.dumps(command | ({"sessionId": session} if session else {})))
        answer = await result
        if "error" in answer:
            raise DevToolsError(f"{method}: {answer['error']}")
        return answer["result"]

    def listen(self, session: str | None, event: str, function: Callable[[dict[str, Any]], None]) -> None:
        """Have a function called with the parameters of each event of that name."""
        self._listeners[session, event] = function

    async def close(self) -> None:
        await self.websocket.close()
        await self._reader

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                self._take(json.loads(await self.websocket.recv()))
        for result in self._results.values():
            result.set_exception(DevToolsError("the browser is gone"))

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._results.pop(message["id"]).set_result(message)
        elif listener := self._listeners.get((message.get("sessionId"), message["method"])):
            listener(message["params"])


class Page:
    """A tab: scripts, keys, events."""

    def __init__(self, devtools: DevTools, session: str, target: str) -> None:
        self.devtools = devtools
        self.session = session
        self._target = target
        self._closed = False

    async def call(self, method: str, **params: Any) -> Any:
        return await self.devtools.call(method, params, self.session)

    def listen(self, event: str, function: Callable[[dict[str, Any]], None]) -> None:
        self.devtools.listen(self.session, event, function)

    async def go(self, url: str) -> None:
        """Go to an address, and wait until all of the page is there."""
        answer = await self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise DevToolsError(f"{url}: {answer['errorText']}")
        await self.until("document.readyState === 'complete'")

    async def evaluate(self, expression: str) -> Any:
        """Run a script; return its value, or that of its promise."""
        answer = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise DevToolsError(details.get("exception", {}).get("description") or details)
        return answer["result"].get("value")

    async def run(self, function: str, *arguments: Any) -> Any:
        """Call a function of the page; return its value, or that of its promise."""
        return await self.evaluate(f"({function})({', '.join(map(json.dumps, arguments))})")

    async def until(self, condition: str) -> None:
        """Wait until a condition holds in the page; the test's deadline bounds it."""
        await self.evaluate(
            f"new Promise(done => {{ const look = () => ({condition}) ? done(true) : setTimeout(look, 10); look(); }})"
        )

    async def type_line(self, text: str) -> None:
        """Type into what has the focus, as a keyboard does, and press Enter."""
        await self.call("Input.insertText", text=text)
        enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        await self.call("Input.dispatchKeyEvent", type="keyDown", text="\r", **enter)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **enter)

    async def close(self) -> None:
        """Close the tab; harmless when it is closed."""
        if not self._closed:
            self._closed = True
            await self.devtools.call("Target.closeTarget", {"targetId": self._target})


class Browser:
    """The browser's processes, and the connection that drives them."""

    def __init__(self, process: asyncio.subprocess.Process, profile: tempfile.TemporaryDirectory[str]) -> None:
        self._process = process
        self._profile = profile
        self._last_words: deque[str] = deque(maxlen=20)
        self._errors: asyncio.Task[None] | None = None
        self.devtools: DevTools

    @classmethod
    async def start(cls, program: str, flags: list[str]) -> Browser:
        profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        process = await asyncio.create_subprocess_exec(
            program,
            *FLAGS,
            *flags,
            f"--user-data-dir={profile.name}",
            "about:blank",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "HOME": profile.name, "XDG_CONFIG_HOME": str(Path(profile.name, "config"))},
            start_new_session=True,
        )
        browser = cls(process, profile)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                uri = await browser._endpoint()
                browser._errors = asyncio.create_task(browser._drain())
                browser.devtools = DevTools(await connect(uri, max_size=None))
        except BaseException as exc:
            exc.add_note("".join(browser._last_words))
            await browser._end()
            raise
        return browser

    async def open(self, url: str = "about:blank") -> Page:
        target = (await self.devtools.call("Target.createTarget", {"url": "about:blank"}))["targetId"]
        attach = {"targetId": target, "flatten": True}
        session = (await self.devtools.call("Target.attachToTarget", attach))["sessionId"]
        page = Page(self.devtools, session, target)
        await page.go(url)
        return page

    async def stop(self) -> int:
        """End the browser; return its exit status."""
        try:
            async with asyncio.timeout(END_TIMEOUT):
                await self.devtools.call("Browser.close")
                await self.devtools.close()
        finally:
            await self._end()
        assert self._process.returncode is not None
        return self._process.returncode

    async def _endpoint(self) -> str:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self._last_words.append(line.decode(errors="replace"))
            if _LISTENING in self._last_words[-1]:
                return self._last_words[-1].partition(_LISTENING)[2].strip()
        raise DevToolsError("the browser ended before it listened")

    async def _drain(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self._last_words.append(line.decode(errors="replace"))

    async def _end(self) -> None:
        try:
            async with asyncio.timeout(END_TIMEOUT):
                await self._process.wait()
        except TimeoutError:
            pass
        finally:
            # Its helpers are in a session of their own, so nothing else is hit; none may stay behind.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        if self._errors is not None:
            await self._errors
        self._profile.cleanup()
