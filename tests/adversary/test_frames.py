"""Frames that break a rule, from servers and from clients, to clients and to servers of both drivers."""

from __future__ import annotations

import struct

import pytest
from adversary_rig.attack import Framed, table, wait_for_close
from adversary_rig.wire import BINARY, CLOSE, CONT, PING, PONG, RSV1, TEXT, Frame, closing

HI = Frame(TEXT, b"hi")
LATER = Frame(TEXT, b"later")
MIB = 1 << 20


def check(victim, attack):
    result = victim.suffer(attack)
    assert (result.code, result.delivered) == (attack.code, list(attack.delivered))
    assert result.ended == "eof" or attack.code is None or victim.side == "client"
    if attack.echoed:
        assert result.echoes == list(attack.delivered)
    if result.error is not None and attack.code not in (None, 0, 1000, 1001):
        assert isinstance(result.error, victim.driver.module.ConnectionClosedError)
        assert result.error.sent.code == attack.code
    return result


def wrong(*frames, code=1002, delivered=(), **options):
    return Framed([*frames, LATER], code, delivered, **options)


def unmasked(side: str, frame: Frame) -> Frame:
    return Frame(frame.first, frame.payload, masked=side == "client")


@pytest.mark.threat("masking")
@pytest.mark.parametrize("frame", [HI, Frame(BINARY, b"x" * 1000), Frame(PING), closing(1000), Frame(CONT)])
@pytest.mark.parametrize("before", [[], [HI]], ids=["first", "second"])
def test_a_frame_must_be_masked_by_clients_and_by_nobody_else(victim, frame, before):
    bad = unmasked(victim.side, frame)
    result = check(victim, wrong(*before, bad, delivered=["hi"] * len(before)))
    assert all(first not in (PONG,) for first, _ in result.frames)


@pytest.mark.threat("masking")
def test_masking_is_judged_before_the_payload_has_come(victim):
    head = Frame(BINARY, b"", length=1000, masked=victim.side == "client").serialize(True)[:2]
    check(victim, Framed([head], 1002))


@pytest.mark.threat("reserved bits and opcodes")
@table(
    {
        f"{name} {first:#x}": wrong(Frame(first, payload))
        for name, payload in (("empty", b""), ("with payload", b"x" * 200))
        for first in bytes.fromhex("83848586878b8c8d8e8f03070b91a1b29099a821c9c8ca")
    }
    | {
        "RSV1 without compression": wrong(Frame(TEXT | RSV1, b"x"), victim="uncompressed"),
        "RSV1 though nobody compresses": wrong(Frame(TEXT | RSV1, b"x")),
        "huge payload of an unknown opcode": Framed([Frame(0x83, b"", length=1 << 40)], 1002),
        "huge payload behind a reserved bit": Framed([Frame(0x91, b"", length=1 << 40)], 1002),
        "text inside a message": wrong(Frame(0x01, b"a"), Frame(TEXT, b"b")),
        "binary inside a message": wrong(Frame(0x01, b"a"), Frame(0x02, b"b")),
        "continuation of nothing": wrong(Frame(CONT, b"a")),
        "unfinished continuation of nothing": wrong(Frame(0x00, b"a")),
        "continuation of a finished message": wrong(HI, Frame(CONT, b"a"), delivered=["hi"]),
    }
)
def test_what_is_reserved_is_refused(victim, attack):
    check(victim, attack)


@pytest.mark.threat("control frames")
@table(
    {
        f"{name} {first:#x}": attack
        for first in (CLOSE, PING, PONG)
        for name, attack in {
            "126 bytes": wrong(Frame(first, bytes(126))),
            "64 KiB": wrong(Frame(first, bytes(65536))),
            "said to be huge": Framed([Frame(first, b"", length=1 << 40)], 1002),
            "in fragments": wrong(Frame(first & 0x0F, b"\x03\xe8")),
            "in fragments inside a message": wrong(Frame(0x01, b"a"), Frame(first & 0x0F), Frame(CONT)),
            "length in the long form": wrong(Frame(first, b"\x03\xe8", bits=16)),
        }.items()
    }
)
def test_a_control_frame_is_short_and_whole(victim, attack):
    check(victim, attack)


@pytest.mark.threat("lengths")
@table(
    {
        "top bit": Framed([Frame(BINARY, b"", length=1 << 63)], 1002),
        "all bits": Framed([Frame(BINARY, b"", length=(1 << 64) - 1)], 1002),
        "largest": Framed([Frame(BINARY, b"", length=(1 << 63) - 1)], 1009),
        "over 32 bits": Framed([Frame(BINARY, b"", length=(1 << 32) + 5)], 1009),
        "at 31 bits": Framed([Frame(BINARY, b"", length=1 << 31)], 1009),
        "sum over 64 bits": Framed([Frame(0x02, b"x"), Frame(CONT, b"", length=(1 << 63) - 1)], 1009),
        "sum over the limit": Framed([Frame(0x02, bytes(MIB)), Frame(CONT, b"", length=1)], 1009),
        "16 bits for 125": wrong(Frame(BINARY, bytes(125), bits=16)),
        "16 bits for none": wrong(Frame(BINARY, b"", bits=16)),
        "64 bits for 126": wrong(Frame(BINARY, bytes(126), bits=64)),
        "64 bits for 65535": wrong(Frame(BINARY, bytes(65535), bits=64)),
        "64 bits for none": wrong(Frame(BINARY, b"", bits=64)),
    }
)
def test_a_length_is_what_it_must_be(victim, attack):
    check(victim, attack)


NO_UTF8 = {
    "lone continuation": b"\x80",
    "no such byte": b"\xff",
    "overlong slash": b"\xc0\xaf",
    "overlong NUL": b"\xe0\x80\x80",
    "surrogate": b"\xed\xa0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "cut character": b"\xe2\x82",
    "cut by another": b"\xe2\x82a",
    "after good text": "κόσμε".encode() + b"\xed\xa0\x80edited",
}


@pytest.mark.threat("invalid UTF-8")
@table(
    {name: wrong(Frame(TEXT, data), code=1007) for name, data in NO_UTF8.items()}
    | {
        f"{name} in fragments": wrong(Frame(0x01, data[:1]), Frame(0x00), Frame(CONT, data[1:]), code=1007)
        for name, data in NO_UTF8.items()
    }
    | {f"{name} in a close reason": wrong(closing(1000, b"why " + data), code=1007) for name, data in NO_UTF8.items()}
    | {
        "in a frame that is not whole": Framed([Frame(TEXT, b"\xff", length=1000)], 1007),
        "in a message that is not whole": Framed([Frame(0x01, b"ab\xed"), Frame(0x00, b"\xa0")], 1007),
        "in the last byte of a large message": wrong(Frame(TEXT, b"a" * 300_000 + b"\xff"), code=1007),
        "cut by a ping": wrong(Frame(0x01, b"\xe2"), Frame(PING), Frame(CONT, b"\x28\xa1"), code=1007),
    }
)
def test_text_is_strict_utf8_and_judged_at_the_first_bad_byte(victim, attack):
    check(victim, attack)


@pytest.mark.threat("invalid UTF-8")
def test_a_character_may_be_cut_between_frames(victim):
    frames = [Frame(0x01, b"\xf0\x9f"), Frame(PING), Frame(0x00, b""), Frame(CONT, b"\x98\x80"), Frame(CLOSE)]

    def act(peer):
        peer.send_frames(frames[:-1])
        peer.wait_for_frames(2)
        peer.send_frames(frames[-1:])
        wait_for_close(peer)

    result = victim.meet(act)
    assert (result.code, result.delivered, result.echoes) == (0, ["😀"], ["😀"])


ALLOWED = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
FORBIDDEN = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65535]


@pytest.mark.threat("close frames")
@table(
    {f"code {code}": wrong(closing(code)) for code in FORBIDDEN}
    | {
        "one byte": wrong(Frame(CLOSE, b"\x03")),
        "reason too long": wrong(Frame(CLOSE, struct.pack("!H", 1000) + bytes(124))),
        "code as text": wrong(Frame(CLOSE, b"1000")),
    }
    | {f"good code {code}": wrong(closing(code, b"bye"), code=code) for code in ALLOWED}
    | {
        "none": wrong(Frame(CLOSE), code=0),
        "message after it": wrong(closing(1000), HI, HI, code=1000),
        "message before and after it": wrong(HI, closing(4000), HI, code=4000, delivered=["hi"], echoed=False),
        "violation after it": wrong(closing(1000), Frame(0x83), Frame(TEXT, b"\xff"), code=1000),
        "ping after it": wrong(closing(1000), Frame(PING, b"x"), code=1000),
        "inside a message": wrong(Frame(0x01, b"never whole"), closing(1000), code=1000),
        "many": Framed([closing(1000)] * 10_000, 1000),
        "many different ones": Framed([closing(code) for code in ALLOWED] * 100, 1000),
        "garbage after it": Framed([closing(1000), bytes(range(256)) * 100], 1000),
    }
)
def test_a_close_frame_is_judged_and_the_last_word(victim, attack):
    check(victim, attack)
