"""What docs/explanation/what-is-new.md says about other libraries is what they do, in the versions that it names."""

from __future__ import annotations

import importlib
import re
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("websockets", "aiohttp", "websocket-client")


@pytest.mark.timeout(180)
def test_other_libraries_do_what_the_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools")
    claims = importlib.import_module("claims")
    named = dict(re.findall(r"`([\w-]+)` (\d[\d.]+\d)", claims.PAGE.read_text(encoding="utf-8")))
    same = [library for library in LIBRARIES if version(library) == named[library]]
    if not same:
        pytest.skip("all of them have other versions than those that the page names")
    assert claims.differences(same) == {}
