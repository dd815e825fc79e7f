"""The example of docs/howto/proxies.md does what the page says."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "docs" / "examples" / "tunnel.py"
PAGE = (ROOT / "docs" / "howto" / "proxies.md").read_text(encoding="utf-8")


def test_the_page_shows_the_program_and_its_output(capsys):
    runpy.run_path(str(PROGRAM))
    output = capsys.readouterr().out.replace("\r", "")
    program = PROGRAM.read_text(encoding="utf-8")
    assert f'```python title="docs/examples/tunnel.py"\n{program}```' in PAGE
    assert f"```text\n{output}```" in PAGE
