"""
Measure permessage-deflate: CPU and ratio by payload and engine, or memory by preset and engine.

    python tools/bench/deflate.py               CPU per message and ratio, beside websockets if it is installed
    python tools/bench/deflate.py --memory      growth of RSS for each connection, in fresh processes

Both ends of a message are one connection's: it is decompressed as it came from the peer, and compressed to go back, as
in an echo server. Nothing but the extension is measured: no masking, no UTF-8, no socket.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib.util
import json
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import NamedTuple

from twoway.deflate import ENGINES, Memory, PerMessageDeflate, is_installed
from twoway.frames import Opcode

MEMORIES: tuple[Memory, ...] = ("low", "balanced", "high")
PAIRS = 2000
TEXT = """
    the a and to of in it is that you for on with as was at be this have from or not are but what all when we there can
    an your which their said if will each about how up out them then she many some so these would other into has more
    her two like him see time could no make than first been its who now people my made over did down only way find use
    may water long little very after words called just where most know get through back much before go good new write
"""
WORDS = TEXT.split()


class Payloads(NamedTuple):
    """Messages of one kind: all different, alike as those of one application are."""

    name: str
    messages: list[bytes]


class Codec(NamedTuple):
    """What is measured: payload to message, message to payload, and the idle release."""

    decode: Callable[[bytes], bytes]
    encode: Callable[[bytes], bytes]
    release: Callable[[], object]


class Result(NamedTuple):
    """CPU in microseconds per message, and compressed bytes per byte."""

    encode: float
    decode: float
    ratio: float


def json_message(chance: random.Random, size: int) -> bytes:
    """Make a message as a trading or telemetry feed sends it, of about so many bytes."""
    items: list[dict[str, object]] = []
    message = {
        "type": chance.choice(("update", "snapshot", "trade")),
        "sequence": chance.randrange(10**7),
        "symbol": "".join(chance.choices("ABCDEFGH", k=4)),
        "time": f"2026-03-{chance.randrange(1, 29):02}T12:{chance.randrange(60):02}:{chance.randrange(60):02}Z",
        "items": items,
    }
    while len(json.dumps(message)) < size - 30:
        items.append(
            {
                "price": chance.randrange(100000) / 100,
                "quantity": chance.randrange(500),
                "side": chance.choice(("buy", "sell")),
            }
        )
    return json.dumps(message).encode()


def chat_message(chance: random.Random) -> bytes:
    """Make a line of chat in JSON, 80 to 250 bytes."""
    text = " ".join(chance.choices(WORDS, k=chance.randrange(3, 35)))
    user = chance.choice(("ada", "grace", "edsger", "barbara", "donald", "radia"))
    return json.dumps({"user": user, "room": "lobby", "text": text.capitalize() + "."}).encode()


def payloads() -> list[Payloads]:
    """Make the messages of every kind, the same in each run."""
    chance = random.Random(7692)
    return [
        Payloads("JSON 200 B", [json_message(chance, 200) for _ in range(2000)]),
        Payloads("JSON 500 B", [json_message(chance, 500) for _ in range(1500)]),
        Payloads("JSON 1 KiB", [json_message(chance, 1024) for _ in range(1000)]),
        Payloads("JSON 16 KiB", [json_message(chance, 16384) for _ in range(80)]),
        Payloads("chat", [chat_message(chance) for _ in range(2000)]),
        Payloads("random 1 KiB", [chance.randbytes(1024) for _ in range(500)]),
    ]


def theirs() -> Codec:
    """Make the extension of websockets as its servers do, called as its connections call it."""
    extension = import_module("websockets.extensions.permessage_deflate").PerMessageDeflate(
        False, False, 12, 12, {"memLevel": 5}
    )
    frames = import_module("websockets.frames")
    frame, text = frames.Frame, frames.Opcode.TEXT
    return Codec(
        lambda data: extension.decode(frame(text, data, True, True), max_size=1 << 20).data,
        lambda data: extension.encode(frame(text, data)).data,
        lambda: None,
    )


def ours(memory: Memory, engine: str | None) -> Codec:
    """Make our extension, called as the codec calls it."""
    bits = {"low": 11, "balanced": 12, "high": 15}[memory]
    extension = PerMessageDeflate(False, False, 12, bits, memory=memory, engine=engine)
    return Codec(
        lambda data: extension.decode_payload(Opcode.TEXT, data, True, 0x40, 1 << 20)[0],
        lambda data: extension.encode_payload(Opcode.TEXT, data)[0],
        extension.release,
    )


def candidates(memory: Memory) -> dict[str, Callable[[], Codec]]:
    """Return what makes an extension for each engine; the peer's window has always 12 bits."""
    makers: dict[str, Callable[[], Codec]] = {}
    if importlib.util.find_spec("websockets"):
        makers["websockets"] = theirs
    makers["(chosen)"] = partial(ours, memory, None)
    return makers | {engine: partial(ours, memory, engine) for engine in ENGINES if is_installed(engine)}


def measure(codec: Codec, incoming: list[bytes], messages: list[bytes]) -> Result:
    """Decompress what came and compress it again, once for each message."""
    clock = time.process_time_ns
    begin = clock()
    for payload in incoming:
        codec.decode(payload)
    middle = clock()
    outgoing = [codec.encode(message) for message in messages]
    end = clock()
    count, size = len(messages), sum(map(len, messages))
    compressed = sum(map(len, outgoing)) / size
    return Result((end - middle) / count / 1000, (middle - begin) / count / 1000, compressed)


def from_peer(messages: list[bytes]) -> list[bytes]:
    """Compress messages as a peer does."""
    peer = PerMessageDeflate(False, False, 12, 12, engine="zlib")
    return [peer.encode_payload(1, message, compress=True)[0] for message in messages]


def show_cpu(memory: Memory, repeat: int) -> None:
    """Print the table of CPU and ratio; the best of several rounds, in turns, so that noise hits all alike."""
    print(f"Python {sys.version.split()[0]}, preset {memory}; CPU in microseconds per message, best of {repeat}")
    print(f"{'payload':13} {'engine':11} {'decode':>8} {'encode':>8} {'sum':>8} {'ratio':>7}")
    for kind in payloads():
        incoming = from_peer(kind.messages)
        results: dict[str, list[Result]] = defaultdict(list)
        for _ in range(repeat):
            for name, make in candidates(memory).items():
                results[name].append(measure(make(), incoming, kind.messages))
        for name, rounds in results.items():
            encode, decode = min(each.encode for each in rounds), min(each.decode for each in rounds)
            ratio = rounds[0].ratio
            print(
                f"{kind.name:13} {name:11} {decode:8.1f} {encode:8.1f} {encode + decode:8.1f} {ratio:7.3f}", flush=True
            )


def resident() -> int:
    """Return the resident memory of this process; bytes; Linux only."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def grow(memory: Memory, name: str, count: int, release: bool) -> float:
    """Return the growth of RSS in KiB by each connection that has received and sent so many messages."""
    make = candidates(memory)[name]
    chance = random.Random(7692)
    messages = [json_message(chance, 500) for _ in range(count)]
    incoming = from_peer(messages)
    if messages:
        measure(make(), incoming, messages)  # what is imported and cached once
    connections = []
    gc.collect()
    before = resident()
    for _ in range(PAIRS):
        codec = make()
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
    """Print the table of memory; each figure comes from a process of its own."""
    cases = (("none", 0, ""), ("1 message", 1, ""), ("50 messages", 50, ""), ("50, released", 50, "release"))
    print(f"growth of RSS for each of {PAIRS} connections, KiB; messages of 500 bytes of JSON in both directions")
    print(f"{'preset':10} {'engine':11}", *(f"{title:>13}" for title, _, _ in cases))
    for memory in MEMORIES:
        for name in candidates(memory):
            if name == "websockets" and memory != "balanced":
                continue
            figures = []
            for _, count, release in cases:
                program = [sys.executable, __file__, "--grow", memory, name, str(count), release]
                output = subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True)
                figures.append(f"{float(output.stdout):13.1f}")
            print(f"{memory if name != 'websockets' else '-':10} {name:11}", *figures, flush=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure permessage-deflate.")
    parser.add_argument("--memory", action="store_true", help="measure memory, not CPU")
    parser.add_argument("--preset", choices=MEMORIES, default="balanced", help="for the table of CPU")
    parser.add_argument("--repeat", type=int, default=5, help="rounds for the table of CPU")
    parser.add_argument("--grow", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.grow:
        memory, name, count, release = arguments.grow
        print(grow(memory, name, int(count), bool(release)))
    elif arguments.memory:
        show_memory()
    else:
        show_cpu(arguments.preset, arguments.repeat)


if __name__ == "__main__":
    main()
