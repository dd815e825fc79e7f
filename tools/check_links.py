"""
Ask for each page elsewhere that the documentation links to; by hand, before a release, for it needs a network.

    python tools/check_links.py

Links inside of the documentation are checked by each build.
"""

from __future__ import annotations

import re
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from _workspace import ROOT

LINK = re.compile(r"(?:\]\(|<)(https?://[^)>\s#]+)")
#: Seconds for each.
DEADLINE = 20


def links() -> dict[str, str]:
    """Return address without fragment -> a page that has it."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("packages/*/README.md"), *ROOT.glob("docs/**/*.md")]
    return {
        url: page.relative_to(ROOT).as_posix()
        for page in pages
        for url in LINK.findall(_prose(page.read_text(encoding="utf-8")))
    }


def _prose(text: str) -> str:
    return re.sub(r"^( *)```.*?^\1```", "", text, flags=re.DOTALL | re.MULTILINE)


def ask(url: str) -> str:
    """Return what is wrong with a page; nothing if it is there."""
    request = urllib.request.Request(url, headers={"User-Agent": "Mozilla/5.0"})
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE):
            return ""
    except (OSError, ValueError) as exc:
        return str(exc)


def main() -> int:
    """Print what is wrong; return the exit status."""
    found = {url: page for url, page in links().items() if "127.0.0.1" not in url and "localhost" not in url}
    with ThreadPoolExecutor(4) as pool:
        wrong = {url: why for url, why in zip(found, pool.map(ask, found), strict=True) if why}
    for url, why in wrong.items():
        print(f"{found[url]}: {url}: {why}")
    print(f"links: {len(found)} elsewhere, {len(wrong)} wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
