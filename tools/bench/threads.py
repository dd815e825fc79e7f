"""
Measure request and response over loopback: CPU per round trip of synchronous clients, or of servers with threads.

    python tools/bench/threads.py               clients, beside websockets.sync and websocket-client where installed
    python tools/bench/threads.py --servers     servers, beside websockets.sync

The process that is measured and its peer are pinned to one CPU, so that wake-ups between CPUs do not hide the library.
The peer is a plain socket that knows the size of each frame. So is the limit, "bare socket", but it makes and reads its
frames with twoway.frames, as the library does. Each figure comes from a process of its own; they take turns, and the
median counts. Compression is off.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from twoway.frames import MessageDecoder, Opcode, encode_frame

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
WARM_UP = 500  # round trips that are not measured
LIMIT = "bare socket"
OURS = "twoway.threading"


# Plain sockets


def read_head(sock: socket.socket) -> bytes:
    """Read the head of an HTTP message, byte by byte, for nothing may be taken of what follows."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte:
            raise EOFError
        head += byte
    return head


def open_client(port: int) -> socket.socket:
    """Connect, and shake hands; the answer is not looked at."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    fields = b"Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    sock.sendall(b"GET / HTTP/1.1\r\n" + fields + b"Sec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n\r\n")
    read_head(sock)
    return sock


def accept_client(listener: socket.socket) -> socket.socket:
    """Take a connection, and shake hands."""
    sock, _ = listener.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = read_head(sock).split(b"\r\n")
    key = next(line.split(b": ")[1] for line in lines if line.lower().startswith(b"sec-websocket-key: "))
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept
    sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"\r\n\r\n")
    return sock


def fixed_frame(size: int, masked: bool) -> bytes:
    """Give a binary frame of zeros; so is its masking key."""
    return encode_frame(Opcode.BINARY, bytes(size), masked=masked, key=bytes(4) if masked else None)


def read_exactly(sock: socket.socket, size: int) -> bool:
    """Read so many bytes, in one call almost always; tell whether they came, and are no Close frame."""
    data = sock.recv(size)
    if data and data[0] & 0x0F == Opcode.CLOSE:
        return False
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            return False
        data += more
    return True


def echo_fixed(sock: socket.socket, size: int) -> None:
    """Answer each frame with one of the same size: the peer of the clients."""
    asked, answer = len(fixed_frame(size, masked=True)), fixed_frame(size, masked=False)
    while read_exactly(sock, asked):
        sock.sendall(answer)


def echo_framed(sock: socket.socket) -> None:
    """Answer each message with itself: the limit for the servers."""
    decoder = MessageDecoder(masked=True)
    while data := sock.recv(65536):
        for message in decoder.feed(data):
            if not isinstance(message, bytes):
                return
            sock.sendall(encode_frame(Opcode.BINARY, message))


# Clients: each connects, and gives a function that makes one round trip, and one that closes

Client = tuple[Callable[[], object], Callable[[], object]]


def client_bare(port: int, message: bytes) -> Client:
    """Do what has to be done, with no library around it."""
    sock = open_client(port)
    decoder = MessageDecoder(masked=False)

    def exchange() -> None:
        sock.sendall(encode_frame(Opcode.BINARY, message, masked=True))
        while not decoder.feed(sock.recv(65536)):
            pass

    return exchange, sock.close


def client_twoway(port: int, message: bytes) -> Client:
    """Use this library."""
    from twoway.threading import connect

    websocket = connect(f"ws://127.0.0.1:{port}/", compression=None, max_size=None).connect()

    def exchange() -> None:
        websocket.send(message)
        websocket.recv()

    return exchange, websocket.abort


def client_websockets(port: int, message: bytes) -> Client:
    """Use websockets.sync."""
    connect = import_module("websockets.sync.client").connect
    websocket = connect(f"ws://127.0.0.1:{port}/", compression=None, max_size=None, proxy=None)

    def exchange() -> None:
        websocket.send(message)
        websocket.recv()

    return exchange, websocket.socket.close


def client_websocket_client(port: int, message: bytes) -> Client:
    """Use websocket-client."""
    connection = import_module("websocket").create_connection(
        f"ws://127.0.0.1:{port}/", sockopt=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
    )

    def exchange() -> None:
        connection.send_binary(message)
        connection.recv()

    return exchange, connection.sock.close


CLIENTS: dict[str, Callable[[int, bytes], Client]] = {
    LIMIT: client_bare,
    OURS: client_twoway,
    "websockets.sync": client_websockets,
    "websocket-client": client_websocket_client,
}
MODULES = {"websockets.sync": "websockets", "websocket-client": "websocket"}


# Servers: each listens, and gives its port


def server_fixed(size: int) -> int:
    """Be the peer of the clients."""
    return _serve_in_threads(lambda sock: echo_fixed(sock, size))


def server_bare(size: int) -> int:
    """Do what has to be done, with no library around it."""
    return _serve_in_threads(echo_framed)


def _serve_in_threads(handle: Callable[[socket.socket], None]) -> int:
    listener = socket.create_server(("127.0.0.1", 0))

    def run(sock: socket.socket) -> None:
        with sock:
            handle(sock)

    def accept() -> None:
        while True:
            threading.Thread(target=run, args=(accept_client(listener),), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return int(listener.getsockname()[1])


def echo(connection: Any) -> None:
    """Handle a connection of a library."""
    for message in connection:
        connection.send(message)


def server_twoway(size: int) -> int:
    """Use this library."""
    from twoway.threading import serve

    server = serve(echo, "127.0.0.1", 0, compression=None, max_size=None)
    return int(server.sockets[0].getsockname()[1])


def server_websockets(size: int) -> int:
    """Use websockets.sync."""
    serve = import_module("websockets.sync.server").serve
    server = serve(echo, "127.0.0.1", 0, compression=None, max_size=None)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.socket.getsockname()[1])


SERVERS: dict[str, Callable[[int], int]] = {
    LIMIT: server_bare,
    OURS: server_twoway,
    "websockets.sync": server_websockets,
}


# Processes


def run_server(name: str, size: int) -> None:
    """Serve, print the port, and then the CPU time for each line of the standard input."""
    listen = server_fixed if name == "peer" else SERVERS[name]
    print(listen(size), flush=True)
    for _ in sys.stdin:
        print(time.process_time(), flush=True)


def run_client(name: str, port: int, size: int, count: int) -> float:
    """Exchange messages; return CPU microseconds per round trip."""
    exchange, close = CLIENTS[name](port, bytes(size))
    for _ in range(WARM_UP):
        exchange()
    before = time.process_time()
    for _ in range(count):
        exchange()
    spent = time.process_time() - before
    close()
    return spent / count * 1e6


def start_server(name: str, size: int) -> tuple[subprocess.Popen[str], int]:
    """Start a server in a process of its own; return the process and the port."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--as-server", name, "--size", str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def measure_client(name: str, size: int, count: int) -> float:
    """Return the CPU microseconds per round trip of a client."""
    server, port = start_server("peer", size)
    try:
        command = [sys.executable, __file__, "--as-client", name, "--port", str(port)]
        options = ["--size", str(size), "--count", str(count)]
        return float(subprocess.run([*command, *options], capture_output=True, text=True, check=True).stdout)
    finally:
        server.kill()
        server.communicate()


def measure_server(name: str, size: int, count: int) -> float:
    """Return the CPU microseconds per message of a server, with one connection."""
    server, port = start_server(name, size)
    asked, answer = fixed_frame(size, masked=True), len(fixed_frame(size, masked=False))
    try:
        with open_client(port) as sock:
            spent = []
            for number in (WARM_UP, count):
                for _ in range(number):
                    sock.sendall(asked)
                    if not read_exactly(sock, answer):
                        raise SystemExit(f"{name} ended the connection")
                assert server.stdin is not None
                assert server.stdout is not None
                server.stdin.write("\n")
                server.stdin.flush()
                spent.append(float(server.stdout.readline()))
        return (spent[1] - spent[0]) / count * 1e6
    finally:
        server.kill()
        server.communicate()


def compare(names: list[str], size: int, count: int, rounds: int, measure: Callable[[str, int, int], float]) -> None:
    """Measure in turn, and print a line for each."""
    results: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            results[name].append(measure(name, size, count))
    medians = {name: statistics.median(values) for name, values in results.items()}
    print(f"\n{size} bytes, {count} round trips, median of {rounds}")
    for name in names:
        factors = " ".join(f"{medians[name] / medians[base]:6.2f}" for base in names)
        print(f"  {name:18} {medians[name]:8.1f} us   {factors}")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="CPU per round trip of synchronous clients and servers.")
    parser.add_argument("--servers", action="store_true", help="measure servers instead of clients")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256], help="bytes (default: 256)")
    parser.add_argument("--count", type=int, default=10_000, help="round trips (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    for hidden, kind in (("--as-server", str), ("--as-client", str), ("--port", int), ("--size", int)):
        parser.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_server:
        run_server(options.as_server, options.size)
    elif options.as_client:
        print(run_client(options.as_client, options.port, options.size, options.count))
    else:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the processes that follow inherit it
        every = SERVERS if options.servers else CLIENTS
        names = [name for name in every if name not in MODULES or importlib.util.find_spec(MODULES[name])]
        print("CPU per round trip, and how many times that of " + ", ".join(names))
        for size in options.sizes:
            compare(names, size, options.count, options.rounds, measure_server if options.servers else measure_client)
    return 0


if __name__ == "__main__":
    sys.exit(main())
