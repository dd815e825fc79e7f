"""The server and the client of the README, as they are written, talk to each other."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def test_client_and_server_of_the_readme(serve, run):
    server, client = re.findall(r'```python title="[^"]+"\n(.*?)```', README.read_text(encoding="utf-8"), re.DOTALL)
    serve(server)
    assert run(client) == "Hello\nb'\\x00\\x01'\n"
