"""
Be a peer that a test controls, in a process of its own.

    python peer.py asyncio|threading client
    python peer.py asyncio|threading server HOST PORT[,PORT OF TLS]
    python peer.py asyncio|threading echo HOST PORT             a server that echoes
    python peer.py asyncio|threading load URI CLIENT ...        clients that connect again whenever they have to
    python peer.py asyncio|threading watch HOST PORT            a server that tells how connections end
    python peer.py asyncio|threading hold ACT URI ...           clients that tell it, and receive, send or close

Lines of JSON go both ways; `Peer` is the other end. The environment variable ``FAULT_RIG_TLS`` names a folder with the
files ``ca``, ``chain`` and ``key``.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import logging
import os
import signal
import ssl
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fault_rig import with_asyncio, with_hold, with_load, with_threading
from fault_rig.workload import LIMITS


def client_context(folder: Path) -> ssl.SSLContext:
    """Trust the authority of the tests."""
    return ssl.create_default_context(cafile=folder / "ca")


def server_context(folder: Path) -> ssl.SSLContext:
    """Be the server that the authority of the tests vouches for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "chain", folder / "key")
    return context


def contexts() -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """Return what clients and servers need for TLS, if the test has made certificates."""
    if "FAULT_RIG_TLS" not in os.environ:
        return None, None
    folder = Path(os.environ["FAULT_RIG_TLS"])
    return client_context(folder), server_context(folder)


def run_asyncio(role: str, rest: list[str]) -> None:
    """Play a role with `twoway.asyncio`."""
    for_client, for_server = contexts()
    match role:
        case "client":
            asyncio.run(with_asyncio.run_client(for_client))
        case "load":
            asyncio.run(with_load.run_in_tasks(rest[0], rest[1:]))
        case "watch":
            asyncio.run(with_hold.serve(rest[0], int(rest[1])))
        case "hold":
            asyncio.run(with_hold.hold_all(rest[0], rest[1:]))
        case "server" | "echo":
            ports = list(zip(map(int, rest[1].split(",")), (None, for_server), strict=False))
            handler = with_asyncio.handle if role == "server" else with_asyncio.echo
            asyncio.run(with_asyncio.run_server(handler, rest[0], ports, LIMITS))


def run_threading(role: str, rest: list[str]) -> None:
    """Play a role with `twoway.threading`."""
    for_client, for_server = contexts()
    gc.disable()  # not with asyncio, whose own TLS leaves a cycle where a handshake of TLS fails
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # one thread waits for it
    match role:
        case "client":
            with_threading.run_client(for_client)
        case "load":
            with_load.run_in_threads(rest[0], rest[1:])
        case "watch":
            with_hold.serve_in_threads(rest[0], int(rest[1]))
        case "hold":
            with_hold.hold_all_in_threads(rest[0], rest[1:])
        case "server" | "echo":
            ports = list(zip(map(int, rest[1].split(",")), (None, for_server), strict=False))
            handler = with_threading.handle if role == "server" else with_threading.echo
            with_threading.run_server(handler, rest[0], ports, LIMITS)


def main() -> None:
    """Run the command line."""
    faulthandler.register(signal.SIGUSR1)  # the test asks for this when it has waited for too long
    logging.basicConfig(level=logging.ERROR)
    driver, role, *rest = sys.argv[1:]
    (run_asyncio if driver == "asyncio" else run_threading)(role, rest)


if __name__ == "__main__":
    main()
