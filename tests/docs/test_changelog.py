"""The page of the changelog says what is not released yet."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "changelog.md").read_text(encoding="utf-8")


@pytest.fixture
def show(monkeypatch):
    """Have mkdocs' hook look at a page."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "tools"), *sys.path])
    from changelog_page import on_page_markdown

    return lambda name: on_page_markdown(PAGE, SimpleNamespace(file=SimpleNamespace(src_uri=name)), config=None)


def test_all_fragments_are_shown(show):
    page = show("changelog.md")
    fragments = [path.read_text(encoding="utf-8").strip() for path in (ROOT / "changes").glob("*.md")]
    assert all(f"- {fragment}\n" in page for fragment in fragments)
    assert ("## Not released yet" in page) is bool(fragments)
    assert page.endswith(PAGE[PAGE.index("<!-- towncrier") :])


def test_other_pages_are_left_alone(show):
    assert show("index.md") == PAGE
