"""What a result depends on: the machine, its system, and the versions of everything that was measured."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path

DISTRIBUTIONS = (
    "websockets",
    "picows",
    "aiohttp",
    "wsproto",
    "websocket-client",
    "uvloop",
    "aiofastnet",
    "zlib-ng",
    "isal",
)
PROGRAM = f"""
import importlib.metadata, json, platform, ssl, zlib
versions = {{platform.python_implementation(): platform.python_version()}}
for name in {DISTRIBUTIONS!r}:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
versions["OpenSSL"] = ssl.OPENSSL_VERSION.split()[1]
versions["zlib"] = zlib.ZLIB_RUNTIME_VERSION
try:
    import twoway.frames
    versions["codec of twoway"] = twoway.frames.IMPLEMENTATION
except ImportError:
    pass
print(json.dumps(versions))
"""


def describe_machine() -> dict[str, str]:
    """Say where this runs."""
    return {
        "processor": _processor(),
        "processors": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} usable",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "C library": " ".join(platform.libc_ver()),
    }


def _processor() -> str:
    found = re.search(r"(?m)^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return found[1] if found else platform.processor() or platform.machine()


def find_versions(python: Path, environment: dict[str, str]) -> dict[str, str]:
    """Ask the Python that runs the peers what it has; a library that is not there is not in the answer."""
    command = [str(python), "-c", PROGRAM]
    answer = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    versions: dict[str, str] = json.loads(answer)
    return versions
