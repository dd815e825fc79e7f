"""
Measure permessage-deflate: CPU and ratio by payload and engine, or memory by preset and engine.

    python tools/bench/deflate.py               CPU per message and ratio, beside websockets if it is installed
    python tools/bench/deflate.py --equal       the least CPU for messages not larger than those of the default
    python tools/bench/deflate.py --memory      growth of RSS for each connection

Both ends of a message are one connection's: it is decompressed as it came from the peer, and compressed to go back, as
in an echo server. "decode" and "encode" are the extension alone, "echo" is all that a server does between bytes from
the socket and bytes for it: header, masking, UTF-8, events. Each figure comes from a process of its own, for isal slows
down what runs after it in the same process: that makes zlib look a quarter slower than it is.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib.util
import json
import math
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from _payloads import SEED, chat_message, json_message

from twoway.deflate import (
    ENGINES,
    ClientPerMessageDeflateFactory,
    Memory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
    is_installed,
)
from twoway.frames import Opcode, encode_frame
from twoway.protocol import ClientOptions, ServerOptions
from twoway.protocol.testing import connected_pair

MEMORIES: tuple[Memory, ...] = ("low", "balanced", "high")
PAIRS = 2000
BITS: dict[Memory, int] = {"low": 11, "balanced": 12, "high": 15}
LEVELS = {"zlib": range(1, 7), "zlib-ng": range(2, 7), "isal": range(1, 4)}
#: Messages this much larger than those of the default count as equal.
EQUAL = 1.01


class Codec(NamedTuple):
    """What is measured: payload to message, message to payload, and the idle release."""

    decode: Callable[[bytes], bytes]
    encode: Callable[[bytes], bytes]
    release: Callable[[], object]


class Result(NamedTuple):
    """CPU in microseconds per message, and compressed bytes per byte."""

    encode: float
    decode: float
    echo: float
    ratio: float


#: Name of a payload -> what makes one message of it, and how many are made.
PAYLOADS: dict[str, tuple[Callable[[random.Random], bytes], int]] = {
    "JSON 200 B": (partial(json_message, size=200), 2000),
    "JSON 350 B": (partial(json_message, size=350), 1500),
    "JSON 500 B": (partial(json_message, size=500), 1500),
    "JSON 1 KiB": (partial(json_message, size=1024), 1000),
    "JSON 16 KiB": (partial(json_message, size=16384), 80),
    "chat": (chat_message, 2000),
    "random 1 KiB": (partial(random.Random.randbytes, n=1024), 500),
}


def make_messages(kind: str) -> list[bytes]:
    """Make messages of one kind: the same in each run, all different, alike as those of one application are."""
    chance = random.Random(SEED)
    make, count = PAYLOADS[kind]
    return [make(chance) for _ in range(count)]


def theirs() -> Codec:
    """Make the extension of websockets as its servers do, called as its connections call it."""
    extension = their_extension()
    frames = import_module("websockets.frames")
    frame, text = frames.Frame, frames.Opcode.TEXT
    return Codec(
        lambda data: extension.decode(frame(text, data, True, True), max_size=1 << 20).data,
        lambda data: extension.encode(frame(text, data)).data,
        lambda: None,
    )


def their_extension() -> Any:
    """Make the extension of websockets with its default settings."""
    extension = import_module("websockets.extensions.permessage_deflate").PerMessageDeflate
    return extension(False, False, 12, 12, {"memLevel": 5})


def their_echo() -> Callable[[bytes], object]:
    """Make an echo by the protocol of websockets without I/O, after the opening handshake."""
    state = import_module("websockets.protocol").State.OPEN
    protocol = import_module("websockets.server").ServerProtocol(state=state)
    protocol.extensions = [their_extension()]
    protocol.parser = protocol.parse()
    next(protocol.parser)

    def echo(wire: bytes) -> object:
        protocol.receive_data(wire)
        for frame in protocol.events_received():
            protocol.send_text(frame.data.decode().encode())
        return protocol.data_to_send()

    return echo


def split(name: str) -> tuple[str | None, dict[str, int] | None]:
    """Read the name of a row: `(chosen)`, an engine, or `engine@level`."""
    engine, _, level = name.partition("@")
    return None if engine == "(chosen)" else engine, {"level": int(level)} if level else None


def ours(memory: Memory, name: str) -> Codec:
    """Make our extension, called as the codec calls it."""
    engine, settings = split(name)
    extension = PerMessageDeflate(False, False, 12, BITS[memory], settings, memory=memory, engine=engine)
    return Codec(
        lambda data: extension.decode_payload(1, data, True, 0x40, 1 << 20)[0],
        lambda data: extension.encode_payload(Opcode.TEXT, data)[0],
        extension.release,
    )


def our_echo(memory: Memory, name: str) -> Callable[[bytes], object]:
    """Make an echo by our protocol without I/O, after the opening handshake."""
    engine, settings = split(name)
    client = ClientOptions(extensions=[ClientPerMessageDeflateFactory()])
    factory = ServerPerMessageDeflateFactory(
        client_max_window_bits=12, memory=memory, engine=engine, compress_settings=settings
    )
    protocol = connected_pair(client, ServerOptions(extensions=[factory])).server

    def echo(wire: bytes) -> object:
        protocol.receive_data(wire, 0.0)
        for message in protocol.events():
            protocol.send_text(message)  # type: ignore[arg-type]
        return protocol.data_to_send()

    return echo


def make_codec(memory: Memory, name: str) -> Codec:
    """Make what a row of a table is about."""
    return theirs() if name == "websockets" else ours(memory, name)


def make_echo(memory: Memory, name: str) -> Callable[[bytes], object]:
    """Make the same with all that is around it."""
    return their_echo() if name == "websockets" else our_echo(memory, name)


def candidates() -> list[str]:
    """Name the rows of a table; the peer's window has always 12 bits."""
    peers = ["websockets"] if importlib.util.find_spec("websockets") else []
    return [*peers, "(chosen)", *filter(is_installed, ENGINES)]


def measure(codec: Codec, incoming: list[bytes], messages: list[bytes]) -> tuple[float, float, float]:
    """Decompress what came and compress it again; return CPU in microseconds per message, and the ratio."""
    clock = time.process_time_ns
    begin = clock()
    for payload in incoming:
        codec.decode(payload)
    middle = clock()
    outgoing = [codec.encode(message) for message in messages]
    end = clock()
    count, compressed = len(messages), sum(map(len, outgoing)) / sum(map(len, messages))
    return (end - middle) / count / 1000, (middle - begin) / count / 1000, compressed


def measure_echo(echo: Callable[[bytes], object], wires: list[bytes]) -> float:
    """Take frames as they come from a client, and write what goes back; return CPU in microseconds per message."""
    begin = time.process_time_ns()
    for wire in wires:
        if not echo(wire):
            raise RuntimeError("nothing was echoed")  # a connection that has failed is fast
    return (time.process_time_ns() - begin) / len(wires) / 1000


def from_peer(messages: list[bytes]) -> list[bytes]:
    """Compress messages as a peer does."""
    peer = PerMessageDeflate(False, False, 12, 12, engine="zlib")
    return [peer.encode_payload(1, message, compress=True)[0] for message in messages]


def best(results: list[Result]) -> Result:
    """Return the least of each figure."""
    return Result(*map(min, zip(*results, strict=True)))


def run_row(memory: Memory, name: str, kind: str) -> Result:
    """Measure one row some times over, after a round that does not count."""
    messages = make_messages(kind)
    incoming = from_peer(messages)
    # Text, for that is what most messages are; random bytes are none.
    wires = [encode_frame(1, payload, True, 0x40, True) for payload in incoming if messages[0].isascii()]
    results = []
    for _ in range(4):
        encode, decode, ratio = measure(make_codec(memory, name), incoming, messages)
        echo = measure_echo(make_echo(memory, name), wires) if wires and "@" not in name else math.nan
        results.append(Result(encode, decode, echo, ratio))
    return best(results[1:])


def call_self(*arguments: str) -> str:
    """Run this program in a process of its own and return its output."""
    program = [sys.executable, __file__, *arguments]
    return subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure_rows(rows: list[tuple[Memory, str]], kind: str, repeat: int) -> list[Result]:
    """Measure rows in processes of their own; the best of several rounds, in turns, so that noise hits all alike."""
    results: dict[tuple[Memory, str], list[Result]] = defaultdict(list)
    for _ in range(repeat):
        for row in rows:
            results[row].append(Result(*json.loads(call_self("--row", *row, kind))))
    return [best(results[row]) for row in rows]


def show_cpu(kinds: list[str], memory: Memory, repeat: int) -> None:
    """Print the table of CPU and ratio."""
    print(f"Python {sys.version.split()[0]}, preset {memory}; CPU in microseconds per message, best of {repeat}")
    print(f"{'payload':13} {'engine':11} {'decode':>8} {'encode':>8} {'sum':>8} {'ratio':>7} {'echo':>8}")
    for kind in kinds:
        names = candidates()
        for name, row in zip(names, measure_rows([(memory, name) for name in names], kind, repeat), strict=True):
            print(
                f"{kind:13} {name:11} {row.decode:8.1f} {row.encode:8.1f} {row.encode + row.decode:8.1f}"
                f" {row.ratio:7.3f} {row.echo:8.1f}",
                flush=True,
            )


def show_equal(kinds: list[str], repeat: int) -> None:
    """Print which level and window of each engine takes the least CPU for messages as small as those of the default."""
    print(f"encoding, at most {EQUAL - 1:.0%} larger than by zlib with the default preset; best of {repeat}")
    print(f"{'payload':13} {'engine':11} {'bits':>4} {'encode':>8} {'of zlib':>8} {'ratio':>7}")
    rows: list[tuple[Memory, str]] = [("balanced", "zlib")]
    for engine in filter(is_installed, ENGINES):
        rows += [(memory, f"{engine}@{level}") for memory in ("balanced", "high") for level in LEVELS[engine]]
    for kind in kinds:
        results = dict(zip(rows, measure_rows(rows, kind, repeat), strict=True))
        default = results.pop(("balanced", "zlib"))
        for engine in filter(is_installed, ENGINES):
            fits = {
                row: result
                for row, result in results.items()
                if row[1].startswith(f"{engine}@") and result.ratio <= default.ratio * EQUAL
            }
            if not fits:
                print(f"{kind:13} {engine:11} none")
                continue
            (memory, name), found = min(fits.items(), key=lambda item: item[1].encode)
            print(
                f"{kind:13} {name:11} {BITS[memory]:4} {found.encode:8.1f} {found.encode / default.encode:8.2f}"
                f" {found.ratio:7.3f}",
                flush=True,
            )


def resident() -> int:
    """Return the resident memory of this process; bytes; Linux only."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grow(memory: Memory, name: str, count: int, release: bool) -> float:
    """Return the growth of RSS in KiB by each connection that has received and sent so many messages."""
    chance = random.Random(SEED)
    messages = [json_message(chance, 500) for _ in range(count)]
    incoming = from_peer(messages)
    if messages:
        measure(make_codec(memory, name), incoming, messages)  # what is imported and cached once
    connections = []
    gc.collect()
    before = resident()
    for _ in range(PAIRS):
        codec = make_codec(memory, name)
        connections.append(codec)
        if messages:
            measure(codec, incoming, messages)
    after = resident()
    if release:
        # What was freed goes back to the system only in whole pages; what counts is what later connections can use.
        for codec in connections:
            codec.release()
        _trim()
        after = resident()
    return (after - before) / PAIRS / 1024


def _trim() -> None:
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


def show_memory() -> None:
    """Print the table of memory."""
    cases = (("none", 0, ""), ("1 message", 1, ""), ("50 messages", 50, ""), ("50, released", 50, "release"))
    print(f"growth of RSS for each of {PAIRS} connections, KiB; messages of 500 bytes of JSON in both directions")
    print(f"{'preset':10} {'engine':11}", *(f"{title:>13}" for title, _, _ in cases))
    for memory in MEMORIES:
        for name in candidates():
            if name == "websockets" and memory != "balanced":
                continue
            figures = []
            for _, count, release in cases:
                figures.append(f"{float(call_self('--grow', memory, name, str(count), release)):13.1f}")
            print(f"{memory if name != 'websockets' else '-':10} {name:11}", *figures, flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure permessage-deflate.")
    parser.add_argument("--memory", action="store_true", help="measure memory, not CPU")
    parser.add_argument("--equal", action="store_true", help="look for the least CPU at an equal ratio")
    parser.add_argument("--preset", choices=MEMORIES, default="balanced", help="for the table of CPU")
    parser.add_argument("--repeat", type=int, default=5, help="rounds for the tables of CPU")
    parser.add_argument("--payload", default="", help="only payloads whose name has this in it")
    parser.add_argument("--row", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--grow", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    kinds = [kind for kind in PAYLOADS if arguments.payload in kind]
    if arguments.grow:
        memory, name, count, release = arguments.grow
        print(grow(memory, name, int(count), bool(release)))
    elif arguments.row:
        print(json.dumps(run_row(*arguments.row)))
    elif arguments.equal:
        show_equal(kinds, arguments.repeat)
    elif arguments.memory:
        show_memory()
    else:
        show_cpu(kinds, arguments.preset, arguments.repeat)


if __name__ == "__main__":
    main()
