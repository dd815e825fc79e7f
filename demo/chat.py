"""
A chat on one port: the page comes by plain HTTP, the conversation by WebSocket.

    python demo/chat.py                        runs the server; Ctrl-C stops it
    python demo/chat.py client --name Ada      joins from a terminal
    python demo/chat.py --check                runs server and clients through a scripted conversation; exits 0 or 1

They need twoway-asyncio. `python3 tools/dev.py demo`, with the same arguments, installs it from this repository.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress

from check import run_check
from server import HOST, listen, port_of
from terminal import run_client

PORT = 8765


async def run_server(port: int) -> int:
    """Serve until Ctrl-C or SIGTERM; then everybody is told (1001) and the connections are closed."""
    async with listen(port) as server:
        task = asyncio.current_task()
        assert task is not None
        with suppress(NotImplementedError):  # Windows has no SIGTERM to speak of
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        port = port_of(server)
        options = "" if port == PORT else f" --uri ws://{HOST}:{port}/ws"
        join = f"python3 tools/dev.py demo client --name Ada{options}"
        print(f"Open http://{HOST}:{port}/ to chat, or join from a terminal: {join} (Ctrl-C stops)", flush=True)
        await server.serve_forever()
    return 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="A chat server with its page, and a client for the terminal.")
    parser.add_argument("--port", type=int, help=f"where to listen; default {PORT}, 0 takes a free one")
    parser.add_argument("--check", action="store_true", help="run a scripted conversation and exit with 0 or 1")
    commands = parser.add_subparsers(dest="command")
    client = commands.add_parser("client", help="join from this terminal")
    client.add_argument("--name", required=True, help="who you are")
    client.add_argument("--uri", default=f"ws://{HOST}:{PORT}/ws", help="where the chat is; default %(default)s")
    return parser.parse_args()


def choose(arguments: argparse.Namespace) -> Coroutine[None, None, int]:
    """Return what is to be run; it returns the exit status."""
    if arguments.command == "client":
        return run_client(arguments.uri, arguments.name)
    if arguments.check:
        return run_check(arguments.port or 0)
    return run_server(PORT if arguments.port is None else arguments.port)


def main() -> int:
    """Run the command line."""
    arguments = parse_arguments()
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.INFO)
    try:
        return asyncio.run(choose(arguments))
    except (KeyboardInterrupt, asyncio.CancelledError):  # Ctrl-C, SIGTERM
        print("Stopped.")
        return 1 if arguments.check else 0
    except OSError as exc:
        print(f"That did not work: {exc}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
