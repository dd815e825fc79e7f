"""A connection does the same with the compiled codec as with the pure one, whatever bytes come."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.deflate import PerMessageDeflate
from twoway.frames import IMPLEMENTATION, Opcode, encode_frame

sys.path.insert(0, str(Path(__file__).parent))

from reference_process import transcript

PROGRAM = Path(__file__).with_name("reference_process.py")
Ask = Callable[[list[bytes], bool, int], object]

OPCODES = st.sampled_from([Opcode.TEXT, Opcode.BINARY])
PAYLOADS = st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | st.sampled_from([0xFF, 70_000]).map(bytes)


@st.composite
def message(draw: st.DrawFn) -> bytes:
    """Make a good message: in some frames, perhaps compressed."""
    opcode, payload = draw(OPCODES), draw(PAYLOADS)
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
    parts = [payload[start:end] for start, end in pairwise([0, *cuts, len(payload)])]
    extension = PerMessageDeflate(False, False, 15, 15, threshold=0)
    compress = draw(st.booleans())
    wire = b""
    for number, part in enumerate(parts):
        fin, rsv = number == len(parts) - 1, 0
        if compress:
            part, rsv = extension.encode_payload(Opcode.CONT if number else opcode, part, fin, 0, True)
        wire += encode_frame(Opcode.CONT if number else opcode, part, fin, rsv, True)
    return wire


CONTROL = st.builds(
    lambda opcode, payload: encode_frame(opcode, payload, True, 0, True),
    st.sampled_from([Opcode.PING, Opcode.PONG, Opcode.CLOSE]),
    st.binary(max_size=125) | st.sampled_from([b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03\xed", b"\x03\xe8\xff"]),
)
WIRES = st.lists(message() | message() | CONTROL | st.binary(max_size=30), max_size=6).map(b"".join)


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Give what the reference does, in a process of its own."""
    if IMPLEMENTATION == "pure":
        pytest.skip("NOT TESTED HERE: the compiled codec is not in use")
    environment = {**os.environ, "TWOWAY_PURE": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    arguments = [sys.executable, str(PROGRAM)]
    with subprocess.Popen(
        arguments, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "pure\n"

        def ask(pieces: list[bytes], fragments: bool, max_size: int) -> object:
            print(json.dumps([[piece.hex() for piece in pieces], fragments, max_size]), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        yield ask
        process.stdin.close()


@given(
    wire=WIRES,
    places=st.lists(st.floats(0, 1), max_size=6),
    fragments=st.booleans(),
    max_size=st.sampled_from([50, 1 << 20]),
)
def test_both_implementations_say_and_do_the_same(
    ask: Ask, wire: bytes, places: list[float], fragments: bool, max_size: int
) -> None:
    cuts = sorted(int(place * len(wire)) for place in places)
    pieces = [wire[start:end] for start, end in pairwise([0, *cuts, len(wire)])]
    assert transcript(pieces, fragments, max_size) == ask(pieces, fragments, max_size)
