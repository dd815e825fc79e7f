"""
Measure the WebSocket protocols of uvicorn beside ours: CPU time of the server for each echoed message.

    python tools/bench/asgi.py [--rounds N] [--seconds S] [--loop NAME] [--folder FOLDER]

Each protocol runs the same ASGI application, which sends back what it gets, under uvicorn as it is configured by
default, but without compression. What is measured is pinned to one CPU and the load to another; protocols take turns,
and the median counts. It needs uvicorn and twoway-uvicorn; of httptools, uvloop, websockets and wsproto it takes
what is installed. twoway-speedups is used where it is installed. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import importlib.util
import statistics
import sys
from pathlib import Path
from typing import Any

from _processes import FailedError, cpus, free_port, run, running
from _setup import ROOT, build_load

# Name of a protocol for uvicorn -> module that it needs.
PROTOCOLS = {
    "twoway.uvicorn:WebSocketProtocol": "twoway.uvicorn",
    "websockets-sansio": "websockets",
    "websockets": "websockets",
    "wsproto": "wsproto",
}
# Title -> connections, messages in flight on each, size of a message in bytes.
CELLS = {
    "32 x 1, 256 B": (32, 1, 256),
    "8 x 32, 256 B": (8, 32, 256),
    "16 x 4, 8 KiB": (16, 4, 8192),
    "4 x 2, 64 KiB": (4, 2, 65536),
}
DISTRIBUTIONS = ("uvicorn", "uvloop", "httptools", "websockets", "wsproto")


# The server


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Send back what comes."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        if event.get("text") is not None:
            await send({"type": "websocket.send", "text": event["text"]})
        else:
            await send({"type": "websocket.send", "bytes": event["bytes"]})


async def serve(protocol: str, port: int) -> None:
    """Serve, and print a line as soon as that is so."""
    import uvicorn

    config = uvicorn.Config(
        app, port=port, ws=protocol, log_level="critical", lifespan="off", ws_per_message_deflate=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await serving


def serve_forever(options: argparse.Namespace) -> None:
    """Be the server, until the process is killed."""
    loop = importlib.import_module(options.loop)
    with asyncio.Runner(loop_factory=loop.new_event_loop) as runner:
        runner.run(serve(options.serve, options.port))


# The measurement


def measure(load: Path, protocol: str, options: argparse.Namespace) -> dict[str, float]:
    """Measure all cells with one server; microseconds."""
    port, figures = free_port(), {}
    command = [sys.executable, __file__, "--serve", protocol, "--port", str(port), "--loop", options.loop]
    with running(command, cpus()[0]) as server:
        for cell, (connections, depth, size) in CELLS.items():
            shape = ("--connections", connections, "--depth", depth, "--size", size, "--seconds", options.seconds)
            command = [load, "load", "--port", port, "--pid", server.pid, *shape]
            figures[cell] = float(run([*map(str, command)], cpus()[1])["cpu_us"])
    return figures


def table(results: dict[str, list[dict[str, float]]]) -> list[str]:
    """Give the lines of the table."""
    lines = [" ".join([f"{'CPU microseconds a message':34}", *(f"{cell:>14}" for cell in CELLS)])]
    for protocol, rounds in results.items():
        medians = [statistics.median(figures[cell] for figures in rounds) for cell in CELLS]
        lines.append(" ".join([f"{protocol:34}", *(f"{median:14.2f}" for median in medians)]))
    return lines


def describe(loop: str) -> str:
    """Say what was measured."""
    from twoway.frames import IMPLEMENTATION

    installed = {name: importlib.util.find_spec(name) for name in DISTRIBUTIONS}
    versions = [f"{name} {importlib.metadata.version(name)}" for name, spec in installed.items() if spec]
    return ", ".join([f"Python {sys.version.split()[0]}", *versions, f"twoway: {IMPLEMENTATION}", f"loop: {loop}"])


def read_options() -> argparse.Namespace:
    """Read the command line."""
    default = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    parser = argparse.ArgumentParser(description="Measure WebSocket protocols of uvicorn.")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--seconds", type=float, default=1, help="of one measurement (default: %(default)s)")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default=default, help="default: %(default)s")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench", help="of the load generator")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Run the command line."""
    options = read_options()
    if options.serve:
        serve_forever(options)
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    load, _ = build_load(options.folder)
    names = [name for name, module in PROTOCOLS.items() if importlib.util.find_spec(module.partition(".")[0])]
    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(options.rounds):
        for name, rounds in results.items():
            try:
                rounds.append(measure(load, name, options))
            except FailedError as exc:
                raise SystemExit(f"{name}: {exc}") from exc
    print(describe(options.loop), *table(results), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
