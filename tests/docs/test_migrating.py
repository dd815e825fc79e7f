"""The pages for those who come from elsewhere show the programs that tests run with both libraries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHOWN = re.compile(r'^( *)```python title="docs/examples/([^"]+)"\n(.*?)^ *```', re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("migrating*.md")))
def test_pages_show_the_programs_as_they_are(page):
    shown = SHOWN.findall((DOCS / page).read_text(encoding="utf-8"))
    assert shown
    for indentation, name, program in shown:
        lines = (line.removeprefix(indentation) for line in program.splitlines())
        assert "\n".join(lines) + "\n" == (DOCS / "examples" / name).read_text(encoding="utf-8")


def test_no_program_is_left_out():
    shown = {
        name for page in DOCS.glob("migrating*.md") for _, name, _ in SHOWN.findall(page.read_text(encoding="utf-8"))
    }
    folders = ("migrated", "from_aiohttp", "from_websocket_client")
    files = (path for folder in folders for path in DOCS.glob(f"examples/{folder}/*.py"))
    programs = {path.relative_to(DOCS / "examples").as_posix() for path in files}
    assert shown == programs
