"""
Show what is not released yet on the page of the changelog: a hook of mkdocs, named in mkdocs.yml.

What stands there comes from the fragments in ``changes``, by their kind; a release moves them into the page itself.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from _workspace import ROOT


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    """Add a section to the changelog; mkdocs calls this for each page."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["towncrier"]
    if page.file.src_uri != settings["filename"].removeprefix("docs/"):
        return markdown
    unreleased = "\n".join(_section(settings))
    return markdown.replace(settings["start_string"], f"{unreleased}\n{settings['start_string']}")


def _section(settings: dict[str, Any]) -> Iterator[str]:
    folder = ROOT / settings["directory"]
    kinds = [(kind["name"], sorted(folder.glob(f"*.{kind['directory']}*.md"))) for kind in settings["type"]]
    if any(fragments for _, fragments in kinds):
        yield "## Not released yet\n"
    for name, fragments in kinds:
        if fragments:
            yield f"### {name}\n"
            yield from (f"- {path.read_text(encoding='utf-8').strip()}" for path in fragments)
            yield ""
