"""The examples in the READMEs and the documentation are Python, and what they import from twoway exists."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("packages/*/README.md")), *sorted(ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"^( *)```python[^\n]*\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
SHOWN = re.compile(r'^( *)```\w+ title="([^"]+)"\n(.*?)^\1```', re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")


def blocks(page: Path):
    for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
        indentation = len(match[1])
        yield "\n".join(line[indentation:] for line in match[2].splitlines())


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_examples_import_what_exists(page):
    for block in blocks(page):
        # Examples may await at the top level, as in the interactive interpreter of asyncio.
        tree = compile(block, name(page), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("twoway"):
                module = importlib.import_module(node.module)
                assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page):
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_are_shown_as_they_are(page):
    """A block with a title is that file, and so what a test runs; the README and the pages show the same ones."""
    for indentation, title, block in SHOWN.findall(page.read_text(encoding="utf-8")):
        lines = (line.removeprefix(indentation) for line in block.splitlines())
        assert "\n".join(lines) + "\n" == (ROOT / title).read_text(encoding="utf-8"), title


@pytest.mark.parametrize("package", sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")))
def test_readme_names_every_distribution(package):
    assert f"pip install {package}`" in (ROOT / "README.md").read_text(encoding="utf-8")
