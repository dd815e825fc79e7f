"""The example of docs/howto/proxies.md does what the page says, and its configurations are those of the tests."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "docs" / "examples" / "tunnel.py"
PAGE = (ROOT / "docs" / "howto" / "proxies.md").read_text(encoding="utf-8")
CONFIGS = ROOT / "tests" / "servers" / "server_rig" / "configs"


def test_the_page_shows_the_program_and_its_output(capsys):
    runpy.run_path(str(PROGRAM))
    output = capsys.readouterr().out.replace("\r", "")
    program = PROGRAM.read_text(encoding="utf-8")
    assert f'```python title="docs/examples/tunnel.py"\n{program}```' in PAGE
    assert f"```text\n{output}```" in PAGE


@pytest.mark.parametrize(
    ("language", "config"), [("nginx", "nginx.conf"), ("haproxy", "haproxy.cfg"), ("apache", "apache.conf")]
)
def test_the_directives_on_the_page_are_those_that_are_tested(language, config):
    tested = {line.split()[0] for line in (CONFIGS / config).read_text(encoding="utf-8").splitlines() if line.split()}
    (block,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    shown = {line.split()[0] for line in block.splitlines() if line.split() and not line.lstrip().startswith("#")}
    assert shown <= tested
