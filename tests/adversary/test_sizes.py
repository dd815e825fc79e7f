"""Messages that are too large, in too many pieces, too slow, or that grow when they are decompressed."""

from __future__ import annotations

import os
import zlib

import pytest
from adversary_rig.attack import Framed, table, wait_for_close
from adversary_rig.memory import peak
from adversary_rig.wire import BINARY, CLOSE, CONT, PING, RSV1, TEXT, Frame, closing, deflate, zeros

MIB = 1 << 20
GIB = 1 << 30
#: What one connection may need at its worst, with the messages of its own tests; bytes.
ROOM = 12 * MIB


def check(victim, attack):
    result = victim.suffer(attack)
    assert (result.code, result.delivered) == (attack.code, list(attack.delivered))
    return result


def without_end(first, frame, times):
    """Begin a message, and go on for as long as somebody listens."""

    def act(peer):
        peer.send_frames([first])
        data = frame.serialize(peer.client)
        for _ in range(times):
            peer.send(data * max(1, 10_000 // len(data)))
            if peer.ended:
                break
        wait_for_close(peer)

    return Framed(act, 1009)


def received(victim, frames, size, compressed=False):
    """Send frames of one message, which must come back, and close."""

    def act(peer):
        peer.send_frames(frames)
        peer.wait_for_frames(1)
        peer.send_frames([closing(1000)])
        wait_for_close(peer)

    result = victim.meet(act, compressed)
    assert (result.code, len(result.delivered)) == (1000, 1)
    first, payload = result.frames[0]
    if first & RSV1:
        payload = zlib.decompress(payload + b"\x00\x00\xff\xff\x03\x00", -15)
    assert len(payload) == size


@pytest.mark.threat("huge messages")
@pytest.mark.parametrize("frames", [[Frame(BINARY, bytes(MIB))], [Frame(0x02, bytes(MIB - 1)), Frame(CONT, b"x")]])
def test_a_message_at_the_limit_arrives(victim, frames):
    received(victim, frames, MIB)


@pytest.mark.threat("huge messages")
@table(
    {
        "one byte more, not even sent": Framed([Frame(BINARY, b"", length=MIB + 1)], 1009),
        "text of one byte more": Framed([Frame(TEXT, b"", length=MIB + 1)], 1009),
        "a gigabyte": Framed([Frame(BINARY, b"", length=GIB)], 1009),
        "over fragments": Framed(
            [Frame(0x02, bytes(65536)), *[Frame(0x00, bytes(65536))] * 15, Frame(CONT, b"x")], 1009
        ),
        "over fragments, not even sent": Framed([Frame(0x01, b"x"), Frame(0x00, b"", length=MIB)], 1009),
        "fragments without end": without_end(Frame(0x02, b"x"), Frame(0x00, bytes(MIB // 8)), 500),
        "characters of several bytes": Framed([Frame(TEXT, "é".encode() * (MIB // 2) + b"x")], 1009),
    }
)
def test_a_message_over_the_limit_is_refused_at_its_header(victim, attack):
    assert peak(lambda: check(victim, attack)) < ROOM


@pytest.mark.threat("fragment floods")
@pytest.mark.parametrize("middle", [Frame(0x00), Frame(0x00, b"x")], ids=["empty", "one byte"])
def test_a_message_in_as_many_fragments_as_allowed_arrives(victim, middle):
    received(victim, [Frame(0x02), *[middle] * 4094, Frame(CONT)], 4094 * len(middle.payload))


@pytest.mark.threat("fragment floods")
@table(
    {
        "one more, empty": Framed([Frame(0x02), *[Frame(0x00)] * 4096], 1009),
        "one more, of one byte": Framed([Frame(0x01, b"x"), *[Frame(0x00, b"x")] * 4095, Frame(CONT, b"x")], 1009),
        "without end": without_end(Frame(0x02), Frame(0x00), 1000),
        "with pings between": Framed([Frame(0x02), *[Frame(0x00), Frame(PING)] * 4096], 1009),
        "compressed": Framed([Frame(0x42), *[Frame(0x00)] * 4096], 1009, compressed=True),
    }
)
def test_more_fragments_are_refused_empty_ones_too(victim, attack):
    assert peak(lambda: check(victim, attack)) < ROOM


@pytest.mark.threat("slow frames")
@pytest.mark.parametrize(("size", "piece"), [(1500, 1), (100_000, 97)])
def test_a_legal_frame_in_thousands_of_pieces_arrives(victim, size, piece):
    text = "é".encode() * (size // 2)

    def act(peer):
        peer.drip(Frame(TEXT, text).serialize(peer.client), piece)
        peer.drip(Frame(0x02, text).serialize(peer.client), piece)
        peer.drip(Frame(CONT, b"").serialize(peer.client))
        peer.wait_for_frames(2)
        peer.send_frames([closing(1000)])
        wait_for_close(peer)

    result = victim.meet(act)
    assert result.code == 1000
    assert [payload for _, payload in result.frames[:2]] == [text, text]


RANDOM = os.urandom(3000)
BOMB = zeros(200 * MIB)


@pytest.mark.threat("decompression bombs")
@pytest.mark.parametrize("size", [MIB - 1, MIB])
def test_a_compressed_message_at_the_limit_arrives_whole(victim, size):
    received(victim, [Frame(BINARY | RSV1, zeros(size))], size, compressed=True)


def bomb(*frames):
    return Framed(frames, 1009, compressed=True)


@pytest.mark.threat("decompression bombs")
@table(
    {
        "one byte over": bomb(Frame(BINARY | RSV1, zeros(MIB + 1))),
        "two bytes over": bomb(Frame(BINARY | RSV1, zeros(MIB + 2))),
        "twice": bomb(Frame(TEXT | RSV1, zeros(2 * MIB))),
        "200 MiB": bomb(Frame(BINARY | RSV1, BOMB)),
        "200 MiB of text": bomb(Frame(TEXT | RSV1, BOMB)),
        "in two fragments": bomb(Frame(0x42, BOMB[:1500]), Frame(CONT, BOMB[1500:])),
        "in fragments of one byte": bomb(Frame(0x42), *(Frame(0x00, BOMB[at : at + 1]) for at in range(4000))),
        "over fragments by one byte": bomb(
            Frame(0x42, deflate(bytes(MIB), tail=True)), Frame(CONT, deflate(b"x", tail=False))
        ),
        "behind a final block": bomb(Frame(BINARY | RSV1, deflate(b"x", final=True) + BOMB)),
        "of final blocks": bomb(Frame(BINARY | RSV1, deflate(bytes(MIB // 8), final=True) * 9)),
        "in the last bytes": bomb(Frame(BINARY | RSV1, deflate(RANDOM, tail=True) + BOMB)),
    }
)
def test_a_bomb_is_refused_before_it_has_grown(victim, attack):
    assert peak(lambda: check(victim, attack)) < ROOM


def packed(*payloads, code=1007, delivered=()):
    frames = [Frame(BINARY | RSV1, payload) for payload in payloads]
    return Framed([*frames, Frame(TEXT, b"later")], code, delivered, compressed=True)


@pytest.mark.threat("broken compressed data")
@table(
    {
        "garbage": packed(b"\xff\xff\xff"),
        "reserved block": packed(b"\x07"),
        "cut": packed(deflate(RANDOM)[:-100]),
        "stored block that lies": packed(b"\x00\x05\x00\x00\x00hello"),
        "refers to what was never there": packed(b"\x62\x00\x11\x00"),
        "behind a good one": packed(deflate(b"hello"), b"\xff", delivered=[b"hello"]),
        "1025 final blocks": packed(b"\x03\x00" * 1026),
        "text that is no UTF-8": Framed([Frame(TEXT | RSV1, deflate(b"\xff"))], 1007, compressed=True),
        "continuation with RSV1": Framed([Frame(0x42, deflate(b"a")), Frame(CONT | RSV1, b"")], 1002, compressed=True),
        "ping with RSV1": Framed([Frame(PING | RSV1, b"")], 1002, compressed=True),
        "close with RSV1": Framed([Frame(CLOSE | RSV1, b"")], 1002, compressed=True),
        "RSV2": Framed([Frame(TEXT | 0x20, b"")], 1002, compressed=True),
        "RSV1 and RSV3": Framed([Frame(TEXT | 0x50, b"")], 1002, compressed=True),
    }
)
def test_broken_compressed_data_fails_the_connection(victim, attack):
    check(victim, attack)


@pytest.mark.threat("broken compressed data")
@table(
    {
        "final block": packed(deflate(b"hello", final=True) + b"\0", code=1000, delivered=[b"hello"]),
        "final blocks in each message": packed(
            *[deflate(b"hello", final=True) + b"\0"] * 3, code=1000, delivered=[b"hello"] * 3
        ),
        "more behind a final block": packed(
            deflate(b"hel", final=True) + deflate(b"lo"), code=1000, delivered=[b"hello"]
        ),
        "empty": packed(b"\0", code=1000, delivered=[b""]),
        "nothing at all": packed(b"", code=1000, delivered=[b""]),
        "tail that was left on": packed(deflate(b"hello", tail=True) + b"\0", code=1000, delivered=[b"hello"]),
    }
)
def test_what_is_only_unusual_is_delivered_whole(victim, attack):
    def act(peer):
        peer.send_frames(attack.frames[:-1])
        peer.wait_for_frames(len(attack.delivered))
        peer.send_frames([closing(1000)])
        wait_for_close(peer)

    check(victim, Framed(act, attack.code, attack.delivered, compressed=True))
