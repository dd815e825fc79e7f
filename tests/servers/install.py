"""
Install the servers that the tests start, unless they are here.

    python tests/servers/install.py [PROGRAM ...]

They come from apt-get, which needs root; where that is not possible, a message names what is missing. Nothing is left
running: the tests start servers themselves, with configurations and ports of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Seconds; an installation that takes longer hangs.
DEADLINE = 900
# Program -> Debian's package. apache2-bin is apache2 without the service.
PROGRAMS = {
    "apache2": "apache2-bin",
    "htpasswd": "apache2-utils",
    "nginx": "nginx",
    "haproxy": "haproxy",
    "squid": "squid",
    "danted": "dante-server",
    "microsocks": "microsocks",
    "curl": "curl",
}
# What other tests need; installed when it is named.
OTHERS = {"ip": "iproute2"}
# Daemons are not on the path of everybody.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
# What Debian's packages ask before they start a service.
POLICY = Path("/usr/sbin/policy-rc.d")


def program(name: str) -> str | None:
    """Return the path of a program, or None."""
    return shutil.which(name, path=PATH)


def missing(names: Iterable[str]) -> list[str]:
    """Return which programs are not here."""
    return [name for name in names if program(name) is None]


def run(*command: str) -> None:
    """Run a command; show its output only if it fails."""
    print("$", *command, flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PATH": PATH}
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
    raise SystemExit(f"{why}\nThe tests that need them cannot run.")


@contextmanager
def no_services() -> Iterator[None]:
    """Keep packages from starting what they bring, unless the machine has its own rule."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def main() -> int:
    """Install what is missing and print what there is."""
    packages = PROGRAMS | OTHERS
    names = sys.argv[1:] or list(PROGRAMS)
    if absent := missing(names):
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            fail(f"Not on the path: {', '.join(absent)}. Only root gets them from here, where there is apt-get.")
        with no_services():
            run("apt-get", "update", "-q")
            run("apt-get", "install", "-y", "-q", "--no-install-recommends", *(packages[name] for name in absent))
        if absent := missing(names):
            fail(f"Still not on the path after their installation: {', '.join(absent)}.")
    print(f"programs: {', '.join(str(program(name)) for name in names)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
