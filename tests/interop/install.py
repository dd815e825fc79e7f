"""
Install the peers that are no Python packages, unless they are here: chromium, node, npm, and the package ws for node.

    python tests/interop/install.py

Programs come from apt-get where that is possible, otherwise a message names what is missing. ws goes to .tox/peers, so
that nothing changes in the source tree. Fails when something cannot be had: without peers there is nothing to test.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".tox" / "peers"
WS = PEERS / "node_modules" / "ws"
WS_VERSION = "8.23.0"
# Seconds; an installation that takes longer hangs.
DEADLINE = 900

# What is needed -> names it has on the path, and what Debian calls it. Other vendors' nodejs comes with npm.
PROGRAMS = {
    "a browser": (["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"], "chromium"),
    "node": (["node", "nodejs"], "nodejs"),
    "npm": (["npm"], "npm"),
}


def program(what: str) -> str | None:
    """Return the path of a program, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS[what][0])), None)


def missing() -> list[str]:
    """Return which programs are not here."""
    return [what for what in PROGRAMS if program(what) is None]


def run(*command: str) -> None:
    """Run a command; show its output only if it fails."""
    print("$", *command, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    result = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    if result.returncode:
        fail(f"{result.stdout}{result.stderr}\n{command[0]} failed with status {result.returncode}")


def fail(why: str) -> None:
    """Stop with a message."""
    raise SystemExit(f"{why}\nThe interoperability tests cannot run without their peers.")


def install_programs() -> None:
    """Install the programs that are missing; npm in a second step, for it may have come with node."""
    if not missing():
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        fail(
            f"Not on the path: {', '.join(missing())}. Only root, and only where there is apt-get, gets them from here."
        )
    run("apt-get", "update", "-q")
    for group in (["a browser", "node"], ["npm"]):
        if wanted := [PROGRAMS[what][1] for what in group if what in missing()]:
            run("apt-get", "install", "-y", "-q", "--no-install-recommends", *wanted)
    if missing():
        fail(f"Still not on the path after their installation: {', '.join(missing())}.")


def install_ws() -> None:
    """Install the package ws for node, in the version that the tests were written with."""
    manifest = WS / "package.json"
    if manifest.is_file() and json.loads(manifest.read_text(encoding="utf-8"))["version"] == WS_VERSION:
        return
    PEERS.mkdir(parents=True, exist_ok=True)
    npm = program("npm") or "npm"
    run(npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(PEERS), f"ws@{WS_VERSION}")
    if not manifest.is_file():
        fail(f"npm succeeded, but {manifest} is not there.")


def main() -> int:
    """Install what is missing and print what there is."""
    install_programs()
    install_ws()
    print(f"peers: {program('a browser')}, {program('node')}, ws {WS_VERSION} in {PEERS.relative_to(ROOT).as_posix()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
