"""
Print what idle connections cost a server: memory, threads and descriptors, for threads and for asyncio.

    python tools/bench/idle_connections.py [--connections N]

The server runs in a process of its own; its handlers receive and get nothing. The stacks of their threads are counted
apart: what they occupy, not what is set aside for them. Linux only: the figures are those of /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import resource
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from twoway.threading import connect, serve

COLUMNS = ("threading", "asyncio")


def run_threading() -> None:
    """Serve with threads: print the port, then the figures for each line of the standard input."""

    def handler(connection: Any) -> None:
        for _ in connection:
            pass

    with serve(handler, "127.0.0.1", 0, max_threads=None, compression=None, backlog=1000) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        for _ in sys.stdin:
            print(*figures(), flush=True)
        os._exit(0)


async def run_asyncio() -> None:
    """Do the same with asyncio."""
    import twoway.asyncio

    async def handler(connection: Any) -> None:
        async for _ in connection:
            pass

    options: dict[str, Any] = {"compression": None, "backlog": 1000}
    async with twoway.asyncio.serve(handler, "127.0.0.1", 0, **options) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(*figures(), flush=True)
        os._exit(0)


def figures() -> tuple[int, int, int, int]:
    """Return resident memory in KiB, that of it in stacks, threads and descriptors."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    resident = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert resident is not None
    return int(resident[1]), _stacks(), threading.active_count(), len(os.listdir("/proc/self/fd"))


def _stacks() -> int:
    """Return what the stacks of threads occupy; KiB. They are mappings of the size that the system sets for them."""
    size = resource.getrlimit(resource.RLIMIT_STACK)[0]
    wanted = 8192 if size == resource.RLIM_INFINITY else size // 1024
    found = 0
    for mapping in re.split(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(encoding="utf-8")):
        facts = dict(re.findall(r"(?m)^(\w+):\s+(\d+) kB", mapping))
        name = mapping.partition("\n")[0].split()[5:]
        if facts and not name and wanted - 64 <= int(facts["Size"]) <= wanted:
            found += int(facts["Rss"])
    return found


def measure(kind: str, number: int) -> list[int]:
    """Return how much each figure grows with so many connections."""
    command = [sys.executable, __file__, "--as-server", kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        uri = f"ws://127.0.0.1:{int(server.stdout.readline())}/"

        def ask() -> list[int]:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write("\n")
            server.stdin.flush()
            return [int(text) for text in server.stdout.readline().split()]

        with connect(uri, compression=None) as first:
            first.ping().wait()
            before = ask()
            with ExitStack() as stack:
                for _ in range(number):
                    connection = connect(uri, compression=None, ping_interval=None).connect()
                    stack.callback(connection.abort)
                    connection.ping().wait()  # its handler is there
                after = ask()
        server.kill()
    return [late - early for early, late in zip(before, after, strict=True)]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="What idle connections cost a server.")
    parser.add_argument("--connections", type=int, default=1000, help="default: %(default)s")
    parser.add_argument("--as-server", choices=COLUMNS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_server == "threading":
        run_threading()
    elif options.as_server == "asyncio":
        asyncio.run(run_asyncio())
    else:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, options.connections + 200)), hard))
        print(f"{options.connections} idle connections; for each:")
        for kind in COLUMNS:
            grown = measure(kind, options.connections)
            memory, stacks, threads, descriptors = (value / options.connections for value in grown)
            print(
                f"  {kind:10} {memory:6.1f} KiB, of it {stacks:5.1f} KiB in stacks: {memory - stacks:5.1f} KiB without;"
                f" {threads:.2f} threads, {descriptors:.2f} descriptors"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
