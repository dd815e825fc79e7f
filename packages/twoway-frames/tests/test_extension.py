"""The pipeline of extensions, with toys: RFC 6455 §9."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from twoway.frames import (
    ClientExtensionFactory,
    Close,
    Extension,
    Fragment,
    Frame,
    FrameError,
    InvalidPayloadError,
    MessageDecoder,
    Opcode,
    PayloadTooBig,
    Ping,
    ProtocolError,
    ServerExtensionFactory,
    TooManyFragments,
    encode_frame,
    encode_header,
    serialize_frame,
)

ON_FIRST_FRAMES = {Opcode.TEXT: 0x20, Opcode.BINARY: 0x20}
ON_ALL_FRAMES = {**ON_FIRST_FRAMES, Opcode.CONT: 0x20}


class Toy(Extension):
    """Pass frames on, and note what comes by."""

    name = "x-toy"

    def __init__(self) -> None:
        self.seen: list[tuple[Frame, int | None]] = []

    def encode(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        return frame

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        self.seen.append((frame, max_size))
        return frame


class Upper(Toy):
    """Shout: messages whose first frame has RSV2 come out in capitals."""

    name = "x-upper"
    reserved_bits: Mapping[int, int] = ON_FIRST_FRAMES
    decodes_unmarked = False

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        super().decode(frame, max_size=max_size)
        return frame.replace(data=frame.data.upper(), rsv2=False)


class Twice(Toy):
    """Send each byte twice: the wire carries twice the size."""

    name = "x-twice"

    def encode(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        return frame.replace(data=bytes(octet for octet in frame.data for _ in range(2)))

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        super().decode(frame, max_size=max_size)
        if len(frame.data) % 2:
            raise InvalidPayloadError("odd number of bytes")
        if max_size is not None and len(frame.data) > 2 * max_size:
            raise PayloadTooBig("message", None, max_size)
        return frame.replace(data=frame.data[::2])

    def max_encoded_size(self, max_size: int) -> int:
        return 2 * max_size


class Tail(Toy):
    """Put three bytes behind each payload."""

    name = "x-tail"

    def encode(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        return frame.replace(data=frame.data + b"!!!")

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        super().decode(frame, max_size=max_size)
        if not frame.data.endswith(b"!!!"):
            raise ProtocolError("no tail")
        return frame.replace(data=frame.data[:-3])

    def max_encoded_size(self, max_size: int) -> int:
        return max_size + 3


class Bomb(Toy):
    """Inflate without looking at the limit."""

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        return frame.replace(data=frame.data * 1000)

    def max_encoded_size(self, max_size: int) -> int:
        return max_size + 100


class Marked(Toy):
    """Allow reserved bits, and leave them as they are."""

    reserved_bits = ON_ALL_FRAMES


# What an extension gets to see


def test_marked_messages_are_transformed_others_are_not() -> None:
    extension = Upper()
    decoder = MessageDecoder(extensions=[extension])
    wire = (
        encode_frame(1, "straße", rsv=0x20)
        + encode_frame(1, "plain")
        + encode_frame(2, b"bytes", rsv=0x20, masked=True)
    )
    assert decoder.feed(wire) == ["STRAßE", "plain", b"BYTES"]
    assert extension.seen == [
        (Frame(Opcode.TEXT, "straße".encode(), rsv2=True), 1 << 20),
        (Frame(Opcode.BINARY, b"bytes", rsv2=True), 1 << 20),
    ]


def test_all_frames_of_a_marked_message_are_transformed() -> None:
    extension = Upper()
    wire = (
        encode_frame(1, "a€"[:1], False, 0x20)
        + encode_frame(9, b"ping")
        + encode_frame(0, "€".encode()[:1], False)
        + encode_frame(0, "€".encode()[1:] + b"z")
        + encode_frame(1, "b", False)
        + encode_frame(0, "c")
    )
    assert MessageDecoder(extensions=[extension]).feed(wire) == [Ping(b"ping"), "A€Z", "bc"]
    assert [frame.opcode for frame, _ in extension.seen] == [Opcode.TEXT, Opcode.CONT, Opcode.CONT]
    assert [frame.fin for frame, _ in extension.seen] == [False, False, True]


def test_fragments_are_transformed_too() -> None:
    wire = encode_frame(1, "ab", False, 0x20) + encode_frame(0, "c") + encode_frame(1, "x", rsv=0x20)
    decoder = MessageDecoder(extensions=[Upper()], fragments=True)
    assert decoder.feed(wire) == [Fragment("AB", first=True), Fragment("C", final=True), "X"]


def test_an_extension_can_ask_for_unmarked_messages() -> None:
    extension = Toy()
    assert extension.decodes_unmarked
    decoder = MessageDecoder(extensions=[extension])
    assert decoder.feed(
        encode_frame(1, "a") + encode_frame(9, b"") + encode_frame(2, b"", False) + encode_frame(0, b"b")
    ) == [
        "a",
        Ping(),
        b"b",
    ]
    assert [frame.data for frame, _ in extension.seen] == [b"a", b"", b"b"]


def test_control_frames_pass_by_the_extensions() -> None:
    extension = Toy()
    decoder = MessageDecoder(extensions=[extension])
    assert decoder.feed(encode_frame(9, b"p") + encode_frame(8, b"\x03\xe8")) == [Ping(b"p"), Close(1000)]
    assert extension.seen == []


# Reserved bits


@pytest.mark.parametrize("first", [0xC1, 0x91, 0xE1, 0xA9, 0xA8])
def test_bits_that_no_extension_lists_are_refused_at_the_header(first: int) -> None:
    extension = Upper()
    decoder = MessageDecoder(extensions=[extension])
    decoder.feed(bytes([first, 0x05]))
    assert isinstance(decoder.error, ProtocolError)
    assert extension.seen == []


def test_bits_are_listed_for_each_opcode() -> None:
    decoder = MessageDecoder(extensions=[Upper()])
    decoder.feed(encode_frame(1, "a", False, 0x20) + encode_header(0, 5, rsv=0x20))
    assert str(decoder.error) == "reserved bits set in a CONT frame without an extension that allows them"


@pytest.mark.parametrize(
    "wire", [encode_frame(1, "a", rsv=0x20), encode_frame(1, "a", False) + encode_frame(0, "", rsv=0x20)]
)
def test_bits_that_no_extension_took_are_refused(wire: bytes) -> None:
    decoder = MessageDecoder(extensions=[Marked()])
    assert decoder.feed(wire) == []
    assert isinstance(decoder.error, ProtocolError)
    assert str(decoder.error) == "reserved bits set that no extension took"


def test_bits_in_the_middle_of_an_unmarked_message_are_refused() -> None:
    class Late(Upper):
        reserved_bits = ON_ALL_FRAMES

    decoder = MessageDecoder(extensions=[Late()])
    assert decoder.feed(
        encode_frame(1, "a", rsv=0x20) + encode_frame(1, "b", False) + encode_header(0, 5, rsv=0x20)
    ) == ["A"]
    assert str(decoder.error) == "reserved bits set in a continuation frame of a message without them"


def test_the_bits_of_several_extensions_add_up() -> None:
    class Lower(Toy):
        reserved_bits: Mapping[int, int] = {Opcode.TEXT: 0x10, Opcode.BINARY: 0x10}

        def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
            return frame.replace(data=frame.data.lower(), rsv3=False) if frame.rsv3 else frame

    wire = encode_frame(1, "Ab", rsv=0x30) + encode_frame(1, "Ab", rsv=0x10)
    assert MessageDecoder(extensions=[Lower(), Twice()]).feed(encode_frame(1, "AAbb", rsv=0x10)) == ["ab"]
    decoder = MessageDecoder(extensions=[Lower()])
    assert decoder.feed(wire) == []
    assert isinstance(decoder.error, ProtocolError)


# Order, sizes


def send(extensions: list[Extension], payload: bytes) -> bytes:
    frame = Frame(Opcode.BINARY, payload)
    for extension in extensions:
        frame = extension.encode(frame)
    return serialize_frame(frame, masked=False)


@pytest.mark.parametrize("pipeline", [(Twice, Tail), (Tail, Twice), (Tail, Tail, Twice), (Twice, Toy, Tail, Twice)])
def test_what_the_extensions_encode_in_order_is_decoded_in_reverse(pipeline: tuple[type[Toy], ...]) -> None:
    """A message of exactly the limit passes whatever the order, and one byte more does not."""
    wire = send([toy() for toy in pipeline], b"12345")
    for limit in (5, 6, None):
        decoder = MessageDecoder(extensions=[toy() for toy in pipeline], max_size=limit)
        assert decoder.feed(wire) == [b"12345"]
    decoder = MessageDecoder(extensions=[toy() for toy in pipeline], max_size=4)
    assert decoder.feed(wire) == []
    assert isinstance(decoder.error, PayloadTooBig)
    assert decoder.error.limit == 4


def test_each_extension_is_told_its_own_limit() -> None:
    first, second = Twice(), Tail()
    decoder = MessageDecoder(extensions=[first, second], max_size=10)
    decoder.feed(encode_frame(2, b"aabb!!!", False) + encode_frame(0, b"cc!!!"))
    assert [max_size for _, max_size in second.seen] == [20, 16]
    assert [max_size for _, max_size in first.seen] == [10, 8]


def test_no_limit_is_told_as_none() -> None:
    extension = Toy()
    assert MessageDecoder(extensions=[extension], max_size=None).feed(encode_frame(2, b"a")) == [b"a"]
    assert extension.seen == [(Frame(Opcode.BINARY, b"a"), None)]


def test_the_smaller_limit_is_told() -> None:
    extension = Toy()
    decoder = MessageDecoder(extensions=[extension], max_size=10, max_fragment_size=4)
    decoder.feed(encode_frame(2, bytes(4), False) + encode_frame(0, bytes(4), False) + encode_frame(0, bytes(2)))
    assert [max_size for _, max_size in extension.seen] == [4, 4, 2]
    assert decoder.error is None


@pytest.mark.parametrize(("pipeline", "on_the_wire"), [((Twice, Tail), 23), ((Tail, Twice), 26)])
def test_the_size_on_the_wire_is_judged_at_the_header(pipeline: tuple[type[Toy], ...], on_the_wire: int) -> None:
    decoder = MessageDecoder(extensions=[toy() for toy in pipeline], max_size=10)
    decoder.feed(encode_header(2, on_the_wire))
    assert decoder.error is None
    decoder = MessageDecoder(extensions=[toy() for toy in pipeline], max_size=10)
    decoder.feed(encode_header(2, on_the_wire + 1))
    assert isinstance(decoder.error, PayloadTooBig)


def test_decoded_sizes_add_up_over_fragments() -> None:
    decoder = MessageDecoder(extensions=[Twice()], max_size=3)
    assert decoder.feed(encode_frame(2, b"aabb", False) + encode_frame(0, b"cc")) == [b"abc"]
    decoder.feed(encode_frame(2, b"aabb", False) + encode_header(0, 3))
    assert isinstance(decoder.error, PayloadTooBig)
    assert (decoder.error.size, decoder.error.limit) == (5, 3)


@pytest.mark.parametrize(("what", "option"), [("message", "max_size"), ("frame", "max_fragment_size")])
def test_an_extension_that_ignores_the_limit_cannot_exceed_it(what: str, option: str) -> None:
    decoder = MessageDecoder(extensions=[Bomb()], **{option: 1000})  # type: ignore[arg-type]
    assert decoder.feed(encode_frame(2, b"a")) == [b"a" * 1000]
    decoder = MessageDecoder(extensions=[Bomb()], **{option: 999})  # type: ignore[arg-type]
    assert decoder.feed(encode_frame(2, b"a")) == []
    assert isinstance(decoder.error, PayloadTooBig)
    assert (decoder.error.what, decoder.error.size, decoder.error.limit) == (what, 1000, 999)


def test_fragments_are_counted_before_they_are_transformed() -> None:
    extension = Toy()
    decoder = MessageDecoder(extensions=[extension], max_fragments=2)
    decoder.feed(encode_frame(2, b"", False) + encode_frame(0, b"", False) + encode_frame(0, b"", False))
    assert isinstance(decoder.error, TooManyFragments)
    assert len(extension.seen) == 2


# Errors and cuts


@pytest.mark.parametrize(
    ("wire", "error", "close_code"),
    [
        (encode_frame(2, b"aab"), InvalidPayloadError, 1007),
        (encode_frame(1, b"\xff\xff"), InvalidPayloadError, 1007),
        (encode_frame(1, b"aa", False) + encode_frame(0, b"b"), InvalidPayloadError, 1007),
        (encode_frame(2, b"aabbccddee"), PayloadTooBig, 1009),
    ],
)
def test_errors_of_an_extension(
    wire: bytes,
    error: type[FrameError],
    close_code: int,
    cuttings: Callable[[bytes], Iterator[list[bytes]]],
    outcome: Callable[..., tuple[object, ...]],
) -> None:
    data = encode_frame(1, "ookk") + wire + encode_frame(2, b"later!")
    for pieces in cuttings(data):
        items, kind, _, code, incomplete = outcome(MessageDecoder(extensions=[Twice()], max_size=4), pieces)
        assert items == [(str, "ok")]
        assert (kind, code, incomplete) == (error, close_code, False)


def test_every_cutting_gives_the_same(
    cuttings: Callable[[bytes], Iterator[list[bytes]]], outcome: Callable[..., tuple[object, ...]]
) -> None:
    data = (
        encode_frame(1, "ab", False, 0x20, masked=True)
        + encode_frame(9, b"p")
        + encode_frame(0, "c")
        + encode_frame(2, b"d")
    )
    for pieces in cuttings(data):
        items, *_ = outcome(MessageDecoder(extensions=[Upper()]), pieces)
        assert items == [(Ping, Ping(b"p")), (str, "ABC"), (bytes, b"d")]


# Without frames


class Hasty(Extension):
    """Do what `Upper` does, and send in capitals too, without frames."""

    name = "x-hasty"
    reserved_bits = ON_FIRST_FRAMES
    decodes_unmarked = False

    def encode(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        raise NotImplementedError

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        raise NotImplementedError

    def encode_payload(
        self, opcode: int, data: bytes, fin: bool = True, rsv: int = 0, compress: bool | None = None
    ) -> tuple[bytes, int]:
        return data.upper(), rsv | 0x20 if opcode else rsv

    def decode_payload(
        self, opcode: int, data: bytes, fin: bool = True, rsv: int = 0, max_size: int | None = None
    ) -> tuple[bytes, int]:
        return data.upper(), rsv & ~0x20


def test_the_codec_needs_only_what_does_without_frames() -> None:
    wire = encode_frame(1, "ab", False, 0x20) + encode_frame(0, "c") + encode_frame(1, "x")
    assert MessageDecoder(extensions=[Hasty()]).feed(wire) == ["ABC", "x"]
    # Beside one that is called with frames, in both places.
    wire = encode_frame(1, "aabb", False, 0x20) + encode_frame(0, "cc")
    for pipeline in ([Hasty(), Twice()], [Twice(), Hasty()]):
        assert MessageDecoder(extensions=pipeline).feed(wire) == ["ABC"]


def test_the_same_with_frames_and_without() -> None:
    extension = Tail()
    assert extension.encode_payload(2, b"a", False, 0x50) == (b"a!!!", 0x50)
    assert extension.decode_payload(0, b"a!!!", True, 0x20, 7) == (b"a", 0x20)
    assert extension.seen == [(Frame(Opcode.CONT, b"a!!!", rsv2=True), 7)]
    assert Upper().decode_payload(1, b"a", rsv=0x30) == (b"A", 0x10)


# The interface


def test_defaults_of_the_interface() -> None:
    extension = Toy()
    frame = Frame(Opcode.TEXT, b"a")
    assert dict(extension.reserved_bits) == {}
    assert extension.max_encoded_size(7) == 7
    assert extension.shared_key() is None
    assert extension.encode_shared(frame) is frame
    extension.adopt_shared(frame)
    assert extension.release() is True
    extension.close()


@pytest.mark.parametrize("interface", [Extension, ClientExtensionFactory, ServerExtensionFactory])
def test_interfaces_must_be_filled_in(interface: type) -> None:
    with pytest.raises(TypeError, match="abstract"):
        interface()


class Buggy(Toy):
    name = "x-buggy"

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        raise LookupError("oops")


def test_the_bug_of_an_extension_comes_out_and_ends_the_stream() -> None:
    decoder = MessageDecoder(extensions=[Buggy()])
    with pytest.raises(LookupError, match="oops"):
        decoder.feed(encode_frame(9, b"before") + encode_frame(1, "a") + encode_frame(1, "b"))
    assert decoder.error is None
    assert not decoder.incomplete
    assert decoder.feed(encode_frame(1, "later")) == [Ping(b"before")]
    assert decoder.feed(encode_frame(1, "later")) == []
