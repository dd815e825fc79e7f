"""
The documentation in a browser: pages fit a desktop and a phone, show their images in light and dark, are found by a
search, and need nothing from elsewhere.

Pictures of them are kept where the variable TWOWAY_PICTURES names a folder.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICTURES = os.environ.get("TWOWAY_PICTURES")
DESKTOP, PHONE = 1280, 390
#: Those whose layout is a kind of its own; the others are like one of them.
PAGES = [
    "",
    "install/",
    "features/",
    "performance/",
    "security/",
    "rfc-map/",
    "migrating/",
    "tutorial/board/",
    "howto/reverse-proxies/",
    "explanation/connection-states/",
    "explanation/what-is-new/",
    "reference/",
    "reference/asyncio/",
]
# In the page: what is wider than the window and does not scroll for itself.
TOO_WIDE = """
() => {
  if (document.scrollingElement.scrollWidth <= innerWidth) return [];
  const wide = [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1);
  return ["the page", ...wide.slice(0, 5).map(e => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`)];
}
"""
# In the page: images that are shown, and are not there or nothing.
BROKEN_IMAGES = """
async () => {
  const shown = [...document.images].filter(image => image.getClientRects().length);
  shown.forEach(image => { image.loading = "eager"; });
  await Promise.allSettled(shown.map(image => image.decode()));
  return shown.filter(image => !image.naturalWidth).map(image => image.src);
}
"""
SHOWN_IMAGES = """
() => [...document.querySelectorAll("article img")].filter(i => i.getClientRects().length).map(i => i.src)
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serve files, and do not talk about it."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; whether that raises warnings is for the environment docs."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--no-strict", "--quiet", "--site-dir", str(folder)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, check=True)
    return folder


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    """Serve it; give its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@asynccontextmanager
async def tab(browser: Any, width: int, scheme: str) -> AsyncIterator[tuple[Any, list[str]]]:
    """Open a tab of a width, for somebody who likes light or dark; give it, and what it asks servers for."""
    page = await browser.open()
    asked: list[str] = []
    page.listen("Network.requestWillBeSent", lambda event: asked.append(event["request"]["url"]))
    await page.call("Network.enable")
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
    await page.call("Emulation.setDeviceMetricsOverride", **metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    await page.call("Emulation.setEmulatedMedia", features=features)
    yield page, asked
    await page.close()


async def keep_picture(page: Any, name: str) -> None:
    if PICTURES is not None:
        size = (await page.call("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 16000), "scale": 1}
        picture = await page.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        file = Path(PICTURES, f"{name.replace('/', '-')}.png")
        file.write_bytes(base64.b64decode(picture["data"]))


@pytest.mark.parametrize(("width", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
async def test_pages_fit(browser: Any, site: str, width: int, scheme: str) -> None:
    problems = []
    async with tab(browser, width, scheme) as (page, asked):
        for name in PAGES:
            await page.go(site + name)
            problems += [(name, what) for what in await page.run(TOO_WIDE)]
            problems += [(name, source) for source in await page.run(BROKEN_IMAGES)]
            shown = await page.evaluate("document.body.getAttribute('data-md-color-scheme')")
            assert shown == {"light": "default", "dark": "slate"}[scheme]
            await keep_picture(page, f"{name or 'index'}-{width}-{scheme}")
    assert problems == []
    assert [url for url in asked if not url.startswith((site, "data:", "blob:"))] == []


async def test_charts_and_diagrams_are_there_once_in_light_and_dark(browser: Any, site: str) -> None:
    for scheme in ("light", "dark"):
        async with tab(browser, DESKTOP, scheme) as (page, _):
            for name, count in (("performance/", 4), ("install/", 1), ("explanation/connection-states/", 1)):
                await page.go(site + name)
                shown = await page.run(SHOWN_IMAGES)
                assert len(shown) == count
                assert all(f"-{scheme}.svg" in source for source in shown)


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
async def test_search_finds_a_word(browser: Any, site: str, width: int) -> None:
    async with tab(browser, width, "light") as (page, _):
        await page.go(site)
        await page.evaluate("document.querySelector('label[for=__search]').click()")
        await page.until("document.querySelector('.md-search__input') === document.activeElement")
        await page.call("Input.insertText", text="backpressure")
        await page.until("document.querySelectorAll('.md-search-result__item').length > 0")
        await keep_picture(page, f"search-{width}")
        first = await page.evaluate("document.querySelector('.md-search-result__link').href")
        assert first.startswith(site)
