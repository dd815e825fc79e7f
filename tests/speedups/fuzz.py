"""
Feed mutated streams to both implementations of the codec and stop at the first difference.

    python tests/speedups/fuzz.py [--runs N | --seconds S] [--seed N] [--save FOLDER]
    python tests/speedups/fuzz.py FILE ...             run inputs once, for instance one that --save has kept

The compiled codec must be in use; built by ``tools/speedups.py --sanitize`` it also shows wrong memory accesses. The
first three bytes of an input choose the options, the rest is the stream; `corpus` has the seeds.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from twoway import frames
from twoway.frames import _decoder

CORPUS = Path(__file__).with_name("corpus")
LIMITS = (None, 0, 5, 125, 126, 300, 1 << 20, 1 << 64)
INTERESTING = bytes.fromhex("00017d7e7f8081828388898afefffdc0c2e0edf0f4bf")


def options(head: bytes) -> tuple[dict[str, Any], int]:
    """Read the arguments of a decoder, and how the stream is cut."""
    a, b, c = head.ljust(3, b"\0")[:3]
    arguments = {
        "masked": (None, True, False, None)[a & 3],
        "fragments": bool(a & 4),
        "max_fragments": (None, 0, 2, 4096)[a >> 3 & 3],
        "max_size": LIMITS[b & 7],
        "max_fragment_size": LIMITS[b >> 3 & 7],
    }
    return arguments, (1 << 20, 1, 2, 3, 7, 16, 125, 1000)[c & 7]


def outcome(make: Callable[..., Any], arguments: dict[str, Any], wire: bytes, size: int) -> list[object]:
    """Feed a decoder; give everything that can be seen of it."""
    decoder, seen = make(**arguments), []
    for start in range(0, len(wire), size):
        items = decoder.feed(wire[start : start + size])
        error = decoder.error
        seen.append(([(type(item), item) for item in items], type(error), str(error), decoder.incomplete))
    return seen


def differs(data: bytes) -> bool:
    """Run one input through the decoders of messages and of frames."""
    arguments, size = options(data)
    wire = data[3:]
    few = {name: arguments[name] for name in ("masked", "max_size")}
    pairs = [
        (_decoder.MessageDecoder, frames.MessageDecoder, arguments),
        (_decoder.FrameDecoder, frames.FrameDecoder, few),
    ]
    return any(outcome(pure, given, wire, size) != outcome(twin, given, wire, size) for pure, twin, given in pairs)


def mutate(chance: random.Random, data: bytes, other: bytes) -> bytes:
    """Make a few small changes, or join two inputs."""
    result = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(result) + 1)
        match chance.randrange(6):
            case 0 if at < len(result):
                result[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(result):
                result[at] = chance.choice(INTERESTING)
            case 2:
                result[at:at] = chance.choice(INTERESTING).to_bytes() * chance.choice((1, 1, 2, 8, 130))
            case 3:
                del result[at : at + chance.choice((1, 2, 4, 100))]
            case 4:
                result[at:] = other[chance.randrange(len(other) + 1) :]
            case 5:
                result[at:at] = chance.randbytes(chance.choice((1, 2, 8)))
    return bytes(result[:70_000])


def inputs(chance: random.Random) -> Iterator[bytes]:
    """Yield the seeds and then mutations without end; now and then one of them becomes a seed."""
    pool = [path.read_bytes() for path in sorted(CORPUS.iterdir())]
    yield from pool
    while True:
        data = mutate(chance, chance.choice(pool), chance.choice(pool))
        yield data
        if not chance.randrange(50):
            pool[chance.randrange(len(pool) // 2, len(pool))] = data


def report(data: bytes, save: Path | None) -> int:
    """Show an input that makes a difference; return the exit status."""
    print(f"DIFFERENCE: {data[:2000].hex(' ')}", file=sys.stderr)
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        path = save / f"{abs(hash(data)):x}.bin"
        path.write_bytes(data)
        print(f"saved as {path}", file=sys.stderr)
    return 1


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Look for differences between the pure and the compiled codec.")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--runs", type=int, default=sys.maxsize)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--save", type=Path, default=None, metavar="FOLDER")
    arguments = parser.parse_args()
    faulthandler.enable()
    if frames.IMPLEMENTATION != "compiled":
        raise SystemExit("the compiled codec is not in use: there is nothing to compare")
    source = inputs(random.Random(arguments.seed))
    if arguments.files:
        source = iter([path.read_bytes() for path in arguments.files])
    end, runs = time.monotonic() + arguments.seconds, 0
    for data in source:
        if runs >= arguments.runs or time.monotonic() > end:
            break
        runs += 1
        if differs(data):
            return report(data, arguments.save)
    print(f"{runs} runs, no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())
