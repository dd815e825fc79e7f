"""A package index made of files (PEP 503), for a `pip install` that is written as users write it."""

from __future__ import annotations

import hashlib
from html import escape
from pathlib import Path

from packaging.utils import canonicalize_name

PAGE = "<!DOCTYPE html>\n<html><body>\n{links}\n</body></html>\n"


def make(dists: Path, folder: Path) -> str:
    """
    Write an index of the distributions in a folder, third parties included.

    Args:
        dists: What tools/build.py has made; the pages link to these files.
        folder: Where the pages go; made.

    Returns:
        Its address, as ``--index-url`` takes it.
    """
    projects: dict[str, list[Path]] = {}
    for path in sorted([*dists.glob("*.whl"), *dists.glob("*.tar.gz"), *dists.glob("third-party/*.whl")]):
        projects.setdefault(canonicalize_name(path.name.partition("-")[0]), []).append(path.resolve())
    for project, paths in projects.items():
        _write(folder / project, [_link(path.as_uri(), path.name, path) for path in paths])
    _write(folder, [_link(f"{project}/", project) for project in projects])
    return f"{folder.resolve().as_uri()}/"


def _link(address: str, text: str, path: Path | None = None) -> str:
    digest = f"#sha256={hashlib.sha256(path.read_bytes()).hexdigest()}" if path else ""
    return f'<a href="{escape(address)}{digest}">{escape(text)}</a>'


def _write(folder: Path, links: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(PAGE.format(links="<br>\n".join(links)), encoding="utf-8")
