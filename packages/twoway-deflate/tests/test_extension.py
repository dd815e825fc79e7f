from __future__ import annotations

import itertools
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.deflate import DEFAULT_THRESHOLD, PerMessageDeflate
from twoway.deflate._engines import Engine
from twoway.frames import Frame, MessageDecoder, Opcode, PayloadTooBig, ProtocolError, serialize_frame

Pair = tuple[PerMessageDeflate, PerMessageDeflate]
MakePair = Callable[..., Pair]
LONG = b"x" * 100


def make(**options: object) -> PerMessageDeflate:
    return PerMessageDeflate(False, False, 12, 12, **options)  # type: ignore[arg-type]


def exchange(sender: PerMessageDeflate, receiver: PerMessageDeflate, *parts: bytes) -> bytes:
    """Send a message in fragments, always compressed."""
    out = b""
    for number, part in enumerate(parts, 1):
        opcode = Opcode.BINARY if number == 1 else Opcode.CONT
        frame = sender.encode(Frame(opcode, part, number == len(parts)), compress=True)
        assert (frame.rsv1, frame.opcode, frame.fin) == (number == 1, opcode, number == len(parts))
        # No flush leaves more behind than the largest that is accepted by the header.
        assert len(frame.data) <= receiver.max_encoded_size(len(part))
        decoded = receiver.decode(frame, max_size=len(part))
        assert (decoded.rsv1, decoded.opcode, decoded.fin) == (False, opcode, frame.fin)
        out += decoded.data
    return out


# Every engine with every other one, all windows, with and without context.


@pytest.mark.parametrize("bits", range(8, 16))
@pytest.mark.parametrize("forgets", [False, True])
def test_engines_understand_each_other(
    pair: MakePair, messages: list[bytes], engine: Engine, other_engine: Engine, bits: int, forgets: bool
) -> None:
    sender, receiver = pair(bits, forgets, other={"engine": other_engine.name}, engine=engine.name)
    for message in messages:
        assert exchange(sender, receiver, message) == message
        assert (
            exchange(sender, receiver, *(message[at : at + 3000] for at in range(0, len(message) + 1, 3000))) == message
        )


@pytest.mark.feature("tune the memory of compression")
@pytest.mark.parametrize("memory", ["low", "balanced", "high"])
@pytest.mark.parametrize("forgets", [False, True])
def test_presets_and_releases(
    pair: MakePair, messages: list[bytes], engine: Engine, memory: str, forgets: bool
) -> None:
    sender, receiver = pair(12, forgets, memory=memory, engine=engine.name)
    for number, message in enumerate(messages * 2):
        assert exchange(sender, receiver, message, message) == message * 2
        if number % 3 == 2:
            assert sender.release()
            assert receiver.release()


@pytest.mark.feature("tune the memory of compression")
@pytest.mark.parametrize(
    "settings", [{"level": 0}, {"level": 1, "memLevel": 1}, {"level": 2, "memLevel": 9}, {"level": 3, "strategy": 0}]
)
def test_knobs(pair: MakePair, messages: list[bytes], engine: Engine, settings: dict[str, int]) -> None:
    sender, receiver = pair(engine=engine.name, compress_settings=settings, other={})
    for message in messages:
        assert exchange(sender, receiver, message) == message


@pytest.mark.feature("compression: permessage-deflate")
@given(
    st.lists(
        st.tuples(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.sampled_from([True, False, None]))
    ),
    st.integers(1, 50),
    st.sampled_from(["zlib", "zlib-ng", "isal"]),
    st.sampled_from(["low", "balanced", "high"]),
)
def test_round_trip_through_the_decoder(
    messages: list[tuple[list[bytes], bool | None]], cut: int, engine: str, memory: str
) -> None:
    """Messages in fragments, compressed or not, over a byte stream that is cut anywhere."""
    try:
        sender = make(engine=engine, memory=memory, threshold=100)
    except ValueError:
        sender = make(memory=memory)  # the engine is not installed; the pairs above say so
    stream = b""
    for parts, compress in messages:
        for number, part in enumerate(parts):
            opcode = Opcode.CONT if number else Opcode.BINARY
            frame = sender.encode(Frame(opcode, part, number == len(parts) - 1), compress=compress)
            stream += serialize_frame(frame, masked=True)
            stream += serialize_frame(Frame(Opcode.PING, b"between"), masked=True)
    decoder = MessageDecoder(masked=True, extensions=[make()], max_size=1000)
    items = [item for at in range(0, len(stream), cut) for item in decoder.feed(stream[at : at + cut])]
    assert decoder.error is None
    assert [item for item in items if isinstance(item, bytes)] == [b"".join(parts) for parts, _ in messages]


# RFC 7692 §7.2.3: the examples of the specification, byte for byte.

HELLO = bytes.fromhex("f248cdc9c90700")


def decode_bytes(*payloads: str, takeover: bool = True) -> list[bytes]:
    extension = PerMessageDeflate(not takeover, False, 15, 15)
    frames = [Frame(Opcode.TEXT, bytes.fromhex(payload), True, True) for payload in payloads]
    return [extension.decode(frame).data for frame in frames]


@pytest.mark.feature("compression: permessage-deflate")
def test_rfc_one_block() -> None:
    """§7.2.3.1"""
    assert decode_bytes("f248cdc9c90700") == [b"Hello"]
    extension = PerMessageDeflate(False, False, 15, 15, engine="zlib")
    assert extension.encode(Frame(Opcode.TEXT, b"Hello"), compress=True).data == HELLO


@pytest.mark.feature("compression: permessage-deflate")
def test_rfc_fragments() -> None:
    """§7.2.3.1: the same, in two frames."""
    extension = PerMessageDeflate(False, False, 15, 15)
    first = extension.decode(Frame(Opcode.TEXT, bytes.fromhex("f248cd"), False, True))
    second = extension.decode(Frame(Opcode.CONT, bytes.fromhex("c9c90700"), True))
    assert first.data + second.data == b"Hello"


@pytest.mark.feature("compression: permessage-deflate")
def test_rfc_sharing_the_window() -> None:
    """§7.2.3.2"""
    assert decode_bytes("f248cdc9c90700", "f200110000") == [b"Hello", b"Hello"]
    assert decode_bytes("f248cdc9c90700", "f248cdc9c90700") == [b"Hello", b"Hello"]
    extension = PerMessageDeflate(False, False, 15, 15, engine="zlib", memory="high")
    sent = [extension.encode(Frame(Opcode.TEXT, b"Hello"), compress=True).data.hex() for _ in range(2)]
    assert sent == ["f248cdc9c90700", "f200110000"]


def test_rfc_block_without_compression() -> None:
    """§7.2.3.3"""
    assert decode_bytes("000500faff48656c6c6f00") == [b"Hello"]


def test_rfc_final_block() -> None:
    """§7.2.3.4"""
    assert decode_bytes("f348cdc9c9070000", "f248cdc9c90700") == [b"Hello", b"Hello"]


def test_rfc_two_blocks() -> None:
    """§7.2.3.5"""
    assert decode_bytes("f248050000 00ffffcac9c90700") == [b"Hello"]


def test_rfc_empty_message() -> None:
    """§7.2.3.6"""
    assert decode_bytes("00", "f248cdc9c90700") == [b"", b"Hello"]
    extension = PerMessageDeflate(False, False, 15, 15, engine="zlib")
    assert extension.encode(Frame(Opcode.TEXT, b""), compress=True).data == b"\x00"


@pytest.mark.parametrize("parts", [[b""], [b"Hello"], [LONG * 50, b"", b"end"]])
def test_no_block_that_is_sent_is_the_final_one(engine: Engine, parts: list[bytes]) -> None:
    """§7.2.1: so there is nothing to pad, and no stream to begin anew."""
    extension = PerMessageDeflate(False, True, 15, 15, engine=engine.name)
    for fragments in (parts, parts[:1]):
        stream = zlib.decompressobj(-15)
        opcodes = [Opcode.TEXT] + [Opcode.CONT] * (len(fragments) - 1)
        read = b""
        for number, (opcode, part) in enumerate(zip(opcodes, fragments, strict=True), 1):
            frame = extension.encode(Frame(opcode, part, number == len(fragments)), compress=True)
            read += stream.decompress(frame.data)
        assert read + stream.decompress(b"\x00\x00\xff\xff") == b"".join(fragments)
        assert not stream.eof


# What is compressed.


@pytest.mark.feature("choose compression for each message")
@pytest.mark.parametrize(
    ("size", "threshold", "answer", "compress", "expected"),
    [
        # Without a wish: the threshold, then the function.
        (99, 100, None, None, False),
        (100, 100, None, None, True),
        (0, 0, None, None, True),
        (99, 100, True, None, False),
        (100, 100, True, None, True),
        (100, 100, False, None, False),
        # A wish counts more than both.
        (1, 100, False, True, True),
        (0, 100, None, True, True),
        (200, 100, True, False, False),
        (200, 100, None, False, False),
    ],
)
def test_what_is_compressed(
    size: int, threshold: int, answer: bool | None, compress: bool | None, expected: bool
) -> None:
    decide = None if answer is None else lambda opcode, data: answer
    extension = make(threshold=threshold, decide=decide)
    frame = Frame(Opcode.TEXT, b"x" * size)
    encoded = extension.encode(frame, compress=compress)
    assert encoded.rsv1 is expected
    assert (encoded is frame) is not expected
    assert extension.encode_shared(frame, compress=compress).rsv1 is expected


@pytest.mark.feature("choose compression for each message")
def test_default_threshold() -> None:
    extension = PerMessageDeflate(False, False, 12, 12)
    assert not extension.encode(Frame(Opcode.TEXT, b"x" * (DEFAULT_THRESHOLD - 1))).rsv1
    assert extension.encode(Frame(Opcode.TEXT, b"x" * DEFAULT_THRESHOLD)).rsv1


def test_the_function_sees_opcode_and_payload() -> None:
    seen = []
    extension = make(threshold=0, decide=lambda opcode, data: seen.append((opcode, data)))
    for opcode, data in ((Opcode.TEXT, b"text"), (Opcode.BINARY, b"")):
        assert not extension.encode(Frame(opcode, data)).rsv1
    assert seen == [(Opcode.TEXT, b"text"), (Opcode.BINARY, b"")]


@pytest.mark.parametrize("compressed", [True, False])
def test_the_first_frame_decides_for_the_message(compressed: bool) -> None:
    sender, receiver = make(), make()
    parts = [LONG, b"", b"y" * 5] if compressed else [b"short", LONG, b""]
    frames = [sender.encode(Frame(Opcode.CONT if at else Opcode.TEXT, part, at == 2)) for at, part in enumerate(parts)]
    assert [frame.rsv1 for frame in frames] == [compressed, False, False]
    assert b"".join(receiver.decode(frame).data for frame in frames) == b"".join(parts)
    assert exchange(sender, receiver, LONG) == LONG


@pytest.mark.feature("compression: permessage-deflate")
def test_messages_of_both_kinds_in_turns() -> None:
    sender, receiver = make(), make()
    for compress in (True, False, True, True, False, False, True):
        frame = sender.encode(Frame(Opcode.TEXT, LONG), compress=compress)
        assert frame.rsv1 is compress
        assert receiver.decode(frame).data == LONG


def test_control_frames_are_left_alone() -> None:
    extension = make(threshold=0)
    for opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE):
        frame = Frame(opcode, LONG)
        assert extension.encode(frame, compress=True) is frame
        assert extension.encode_shared(frame, compress=True) is frame
        assert extension.decode(frame) is frame


def test_control_frames_between_fragments() -> None:
    sender, receiver = make(), make()
    ping = Frame(Opcode.PING, LONG)
    first = sender.encode(Frame(Opcode.TEXT, LONG, False))
    assert sender.encode(ping) is ping
    second = sender.encode(Frame(Opcode.CONT, LONG))
    assert receiver.decode(first).data == LONG
    assert receiver.decode(ping) is ping
    assert receiver.decode(second).data == LONG


def test_other_reserved_bits_are_left_alone() -> None:
    sender, receiver = make(), make()
    frame = sender.encode(Frame(Opcode.TEXT, LONG, rsv2=True, rsv3=True))
    assert (frame.rsv1, frame.rsv2, frame.rsv3) == (True, True, True)
    frame = receiver.decode(frame)
    assert (frame.rsv1, frame.rsv2, frame.rsv3) == (False, True, True)


@pytest.mark.parametrize("opcode", [Opcode.CONT, Opcode.PING, Opcode.PONG, Opcode.CLOSE])
def test_rsv1_stands_in_first_frames_only(opcode: Opcode) -> None:
    extension = make()
    extension.decode(make().encode(Frame(Opcode.TEXT, LONG, False)))
    with pytest.raises(ProtocolError, match=f"RSV1 set in a {opcode.name} frame") as info:
        extension.decode(Frame(opcode, b"", True, True))
    assert info.value.close_code == 1002


def test_payloads_without_frames_are_the_same() -> None:
    sender, receiver = make(), make()
    assert sender.encode_payload(1, LONG, True, 0x30, False) == (LONG, 0x30)
    for opcode, fin, before, expected in ((1, True, 0, 0x40), (2, False, 0x30, 0x70), (0, True, 0x10, 0x10)):
        payload, rsv = sender.encode_payload(opcode, LONG, fin, before)
        assert rsv == expected
        assert payload != LONG
        assert receiver.decode_payload(opcode, payload, fin, rsv, 100) == (LONG, before)
    payload, rsv = receiver.decode_payload(1, LONG, True, 0x20)
    assert payload is LONG
    assert rsv == 0x20


def test_limit_of_one_frame() -> None:
    frame = make().encode(Frame(Opcode.TEXT, LONG))
    assert make().decode(frame, max_size=100).data == LONG
    with pytest.raises(PayloadTooBig):
        make().decode(frame, max_size=99)


def test_one_message_of_exactly_the_limit_passes_the_decoder(engine: Engine, messages: list[bytes]) -> None:
    """Also when compression made it larger: the limit is for the message."""
    for level, message in itertools.product((0, 1), messages):
        sender = make(engine=engine.name, compress_settings={"level": level, "memLevel": 1})
        stream = serialize_frame(sender.encode(Frame(Opcode.BINARY, message), compress=True), masked=False)
        decoder = MessageDecoder(masked=False, extensions=[make()], max_size=len(message))
        assert decoder.feed(stream) == [message]
        decoder = MessageDecoder(masked=False, extensions=[make()], max_size=max(len(message) - 1, 0))
        assert decoder.feed(stream) == ([] if message else [b""])


# Memory.


def test_release_is_put_off_inside_a_message() -> None:
    sender, receiver = make(), make()
    first = sender.encode(Frame(Opcode.TEXT, LONG, False))
    assert receiver.decode(first).data == LONG
    assert not sender.release()
    assert not receiver.release()
    assert receiver.decode(sender.encode(Frame(Opcode.CONT, LONG))).data == LONG
    assert sender.release()
    assert receiver.release()
    assert exchange(sender, receiver, LONG) == LONG


def test_close() -> None:
    extension = make()
    extension.encode(Frame(Opcode.TEXT, LONG, False))
    extension.close()
    assert extension.release()


# One frame for many connections.


@pytest.mark.feature("broadcast")
def test_a_shared_frame_is_for_all_with_an_equal_key(engine: Engine, messages: list[bytes]) -> None:
    ends = [(make(engine=engine.name), make()) for _ in range(3)]
    # The third one is asked to forget by its client, which does not change a frame that refers to nothing.
    ends[2] = PerMessageDeflate(False, True, 12, 12, engine=engine.name), PerMessageDeflate(True, False, 12, 12)
    assert len({sender.shared_key() for sender, _ in ends}) == 1
    for number, message in enumerate(messages):
        for sender, receiver in ends[:number]:  # so that their contexts differ
            assert exchange(sender, receiver, message) == message
        shared = ends[number % 3][0].encode_shared(Frame(Opcode.BINARY, message), compress=True)
        for sender, receiver in ends:
            sender.adopt_shared(shared)
            assert receiver.decode(shared, max_size=len(message)).data == message
        for sender, receiver in ends:
            assert exchange(sender, receiver, message) == message


def test_a_shared_frame_that_is_not_compressed_changes_nothing() -> None:
    sender, receiver = make(), make()
    exchange(sender, receiver, LONG)
    sizes = []
    for compress in (False, True):
        shared = make().encode_shared(Frame(Opcode.TEXT, bytes(range(256))), compress=compress)
        sender.adopt_shared(shared)
        assert receiver.decode(shared).data == bytes(range(256))
        frame = sender.encode(Frame(Opcode.TEXT, LONG + b"!"))
        sizes.append(len(frame.data))
        assert receiver.decode(frame).data == LONG + b"!"
    assert sizes[0] < sizes[1]


def test_keys_differ_where_frames_would() -> None:
    others = [
        make(),
        PerMessageDeflate(False, False, 12, 11),
        make(memory="high"),
        make(compress_settings={"level": 1}),
        make(threshold=0),
        make(decide=lambda opcode, data: True),
    ]
    assert len({extension.shared_key() for extension in others}) == len(others)


def test_a_shared_frame_is_a_whole_message() -> None:
    for frame in (Frame(Opcode.TEXT, LONG, False), Frame(Opcode.CONT, LONG)):
        with pytest.raises(ValueError, match="frame must be a whole message"):
            make().encode_shared(frame)


def test_a_shared_frame_does_not_go_inside_a_message() -> None:
    sender = make()
    sender.encode(Frame(Opcode.TEXT, LONG, False))
    with pytest.raises(RuntimeError, match="inside a fragmented message"):
        sender.adopt_shared(make().encode_shared(Frame(Opcode.TEXT, LONG)))


# What it says of itself.


def test_attributes_and_descriptions() -> None:
    extension = PerMessageDeflate(True, False, 9, 15, engine="zlib")
    assert extension.remote_no_context_takeover is True
    assert extension.local_no_context_takeover is False
    assert extension.remote_max_window_bits == 9
    assert extension.local_max_window_bits == 15
    assert extension.engine == extension.receiving_engine == "zlib"
    assert str(extension) == (
        "permessage-deflate: sends by zlib with 15 window bits;"
        " receives by zlib with 9 window bits, no context takeover"
    )
    assert repr(extension) == (
        "PerMessageDeflate(remote_no_context_takeover=True, local_no_context_takeover=False,"
        " remote_max_window_bits=9, local_max_window_bits=15, engine='zlib', receiving_engine='zlib')"
    )


@pytest.mark.parametrize(
    ("options", "error", "reason"),
    [
        ({"threshold": -1}, ValueError, "threshold must be >= 0"),
        ({"threshold": None}, TypeError, "threshold must be an int, not None"),
        ({"threshold": 1.5}, TypeError, "threshold must be an int"),
        ({"decide": "always"}, TypeError, "decide must be callable or None, not str"),
        ({"engine": "zopfli"}, ValueError, "engine must be"),
        ({"memory": "tiny"}, ValueError, "memory must be"),
        ({"compress_settings": {"wbits": 9}}, ValueError, "compress_settings must"),
    ],
)
def test_wrong_arguments(options: dict[str, object], error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        make(**options)


@pytest.mark.parametrize("bits", [7, 16])
def test_wrong_windows(bits: int) -> None:
    with pytest.raises(ValueError, match="remote_max_window_bits"):
        PerMessageDeflate(False, False, bits, 12)
    with pytest.raises(ValueError, match="local_max_window_bits"):
        PerMessageDeflate(False, False, 12, bits)


def test_sending_and_receiving_in_two_threads_while_a_third_releases(pair: MakePair, messages: list[bytes]) -> None:
    ours, theirs = pair()
    incoming = [theirs.encode(Frame(Opcode.BINARY, message), compress=True) for message in messages * 10]
    done = threading.Event()

    def send() -> list[Frame]:
        halves = ((message[:99], message[99:]) for message in messages * 10)
        frames = ((Frame(Opcode.BINARY, head, False), Frame(Opcode.CONT, tail)) for head, tail in halves)
        return [ours.encode(frame, compress=True) for both in frames for frame in both]

    def receive() -> list[bytes]:
        return [ours.decode(frame, max_size=1 << 20).data for frame in incoming]

    def release() -> None:
        while not done.is_set():
            ours.release()

    with ThreadPoolExecutor(3) as executor:
        released = executor.submit(release)
        sent, received = executor.submit(send), executor.submit(receive)
        try:
            assert received.result() == messages * 10
            halves = [theirs.decode(frame, max_size=1 << 20).data for frame in sent.result()]
        finally:
            done.set()
    released.result()
    assert [head + tail for head, tail in zip(halves[::2], halves[1::2], strict=True)] == messages * 10
