"""
Install the peers of the interoperability tests unless they are here: a browser (chromium) and the package ws for node.

    python tools/peers.py

chromium comes from apt-get where that is possible, otherwise a message says what to install. ws goes to .tox/peers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".tox" / "peers"
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
WS = "ws@8"


def run(*command: str) -> None:
    """Run a command and show its output only if it fails."""
    print("$", *command, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{result.stdout}{result.stderr}\npeers: {command[0]} failed")


def browser() -> str | None:
    """Return the path of a browser, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def install_browser() -> None:
    """Install chromium with apt-get, or say why not."""
    if not shutil.which("apt-get") or (hasattr(os, "geteuid") and os.geteuid() != 0):
        raise SystemExit(f"peers: the interoperability tests need a browser on the path: one of {', '.join(BROWSERS)}")
    run("apt-get", "update", "-q")
    run("apt-get", "install", "-y", "-q", "--no-install-recommends", "chromium")


def install_ws() -> None:
    """Install the package ws for node."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("peers: the interoperability tests need node and npm on the path")
    PEERS.mkdir(parents=True, exist_ok=True)
    # npm would wait five minutes for a silent server before it tries again.
    run(npm, "install", "--silent", "--no-audit", "--no-fund", "--fetch-timeout=30000", "--prefix", str(PEERS), WS)


def main() -> int:
    """Install what is missing and print what there is."""
    if browser() is None:
        install_browser()
    if not (PEERS / "node_modules" / "ws").is_dir():
        install_ws()
    print(f"peers: {browser()} and {PEERS.relative_to(ROOT).as_posix()}/node_modules/ws")
    return 0


if __name__ == "__main__":
    sys.exit(main())
