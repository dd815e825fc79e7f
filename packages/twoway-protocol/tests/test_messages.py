"""Messages to frames."""

from __future__ import annotations

import array
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.frames import FrameDecoder, MessageDecoder, Opcode
from twoway.protocol import InvalidState
from twoway.protocol._messages import MessageEncoder

TEXT, BINARY = Opcode.TEXT, Opcode.BINARY


@pytest.fixture(params=[True, False])
def masked(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.feature("send a message")
@pytest.mark.parametrize(
    ("opcode", "data", "message"),
    [
        (TEXT, "héllo", "héllo"),
        (TEXT, "héllo".encode(), "héllo"),
        (TEXT, "", ""),
        (BINARY, b"\x00\xff", b"\x00\xff"),
        (BINARY, bytearray(b"ab"), b"ab"),
        (BINARY, memoryview(b"abcdef")[::2], b"ace"),
        (BINARY, memoryview(array.array("H", [1, 2])), array.array("H", [1, 2]).tobytes()),
    ],
)
def test_whole_messages(masked: bool, opcode: Opcode, data: Any, message: object) -> None:
    encoder = MessageEncoder(masked, ())
    assert MessageDecoder(masked=masked).feed(encoder.start(opcode, data, True, None)) == [message]
    assert not encoder.in_message


@pytest.mark.feature("send a message in fragments")
def test_fragments(masked: bool) -> None:
    encoder = MessageEncoder(masked, ())
    data = encoder.start(TEXT, "a", False, None)
    assert encoder.in_message
    data += encoder.go_on(b"b", False) + encoder.go_on("", False) + encoder.go_on("c", True)
    assert not encoder.in_message
    frames = FrameDecoder(masked=masked).feed(data)
    assert [(frame.opcode, frame.data, frame.fin) for frame in frames] == [
        (TEXT, b"a", False),
        (Opcode.CONT, b"b", False),
        (Opcode.CONT, b"", False),
        (Opcode.CONT, b"c", True),
    ]


@pytest.mark.feature("send a message in fragments")
def test_order_of_calls() -> None:
    encoder = MessageEncoder(False, ())
    with pytest.raises(InvalidState, match="no fragmented message is being sent"):
        encoder.go_on("x", True)
    encoder.start(BINARY, b"x", False, None)
    for opcode in (TEXT, BINARY):
        with pytest.raises(InvalidState, match="a fragmented message is being sent: finish it"):
            encoder.start(opcode, b"x", True, None)
    encoder.go_on(b"", True)
    with pytest.raises(InvalidState):
        encoder.go_on(b"", True)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("opcode", "data", "kind", "message"),
    [
        (BINARY, "x", TypeError, "data must be bytes-like in a binary message, not str"),
        (BINARY, 1, TypeError, "data must be str or bytes-like, not int"),
        (TEXT, ["x"], TypeError, "data must be str or bytes-like, not list"),
        (TEXT, None, TypeError, "data must be str or bytes-like, not NoneType"),
        (TEXT, b"\xff", ValueError, "data of a text message must be UTF-8: "),
        (TEXT, b"\xe2\x82", ValueError, "data of a text message must be UTF-8: "),
        (TEXT, "a\ud800", ValueError, "data must be text without lone surrogates: "),
    ],
)
@pytest.mark.parametrize("extended", [True, False])
def test_wrong_data(
    rot: Any, extended: bool, first: bool, opcode: Opcode, data: Any, kind: type[Exception], message: str
) -> None:
    extension = rot().process_response_params([("turn", "1")], ())
    encoder = MessageEncoder(False, [extension] if extended else ())
    if not first:
        encoder.start(opcode, b"", False, None)
    with pytest.raises(kind) as caught:
        encoder.start(opcode, data, True, None) if first else encoder.go_on(data, True)
    assert str(caught.value).startswith(message)
    # The mistake has changed nothing.
    assert encoder.start(TEXT, "a", True, None) if first else encoder.go_on(b"a", True)


@pytest.mark.feature("force text or binary on send")
def test_text_as_bytes_may_be_cut_within_a_character() -> None:
    encoder = MessageEncoder(False, ())
    pieces = ["€".encode()[:1], b"", "€".encode()[1:2], "€x\U0001f600".encode()[2:-1], "\U0001f600".encode()[-1:]]
    data = encoder.start(TEXT, pieces[0], False, None)
    data += b"".join(encoder.go_on(piece, False) for piece in pieces[1:]) + encoder.go_on("é", True)
    assert MessageDecoder().feed(data) == ["€x\U0001f600é"]


def test_empty_text_does_not_complete_a_character() -> None:
    encoder = MessageEncoder(False, ())
    encoder.start(TEXT, b"\xe2", False, None)
    for data, fin in (("x", False), ("", True), (b"", True), (b"x", False), (b"\xff", False)):
        with pytest.raises(ValueError, match=r"^data (of a text message must be UTF-8|must be bytes that complete)"):
            encoder.go_on(data, fin)
    encoder.go_on("", False)
    with pytest.raises(ValueError, match="must be UTF-8"):
        encoder.go_on(b"x", False)
    encoder.go_on(b"\x82\xac", True)
    encoder.start(TEXT, b"x", True, None)  # nothing is left of the message before


PIECES = st.lists(
    st.text(max_size=3)
    | st.binary(max_size=3)
    | st.sampled_from([b"\xe2", b"\x82", b"\xac", b"\xf0\x9f", b"\x98", b"\xed", b"\xa0", b"\x80"]),
    min_size=1,
    max_size=12,
)


@given(PIECES)
def test_whatever_may_be_sent_can_be_read(pieces: list[str | bytes]) -> None:
    encoder, decoder = MessageEncoder(False, ()), MessageDecoder(fragments=True)
    begun = False
    for piece in pieces:
        try:
            data = encoder.go_on(piece, False) if begun else encoder.start(TEXT, piece, False, None)
        except ValueError:
            continue
        begun = True
        decoder.feed(data)
        assert decoder.error is None


def test_extensions_in_order(rot: Any) -> None:
    first = rot(1, bit=0x20).process_response_params([("turn", "1")], ())
    second = rot(2, bit=0x10).process_response_params([("turn", "2")], ())
    encoder = MessageEncoder(False, [first, second])
    data = encoder.start(TEXT, "abc", False, False) + encoder.go_on(b"x", True)
    frames = FrameDecoder(masked=False, reserved_bits=0x70).feed(data)
    assert [(frame.data, frame.rsv1, frame.rsv2, frame.rsv3) for frame in frames] == [
        (b"def", False, True, True),
        (b"{", False, False, False),
    ]
    # What the sender wants holds for the whole message, for each extension.
    assert first.calls == second.calls == [False, False]
    assert MessageDecoder(extensions=[first, second]).feed(data) == ["abcx"]


def test_extensions_get_bytes(rot: Any, make_buffer: Callable[[bytes], object]) -> None:
    extension = rot(1).process_response_params([("turn", "1")], ())
    data: Any = make_buffer(b"abc")
    assert MessageEncoder(False, [extension]).start(BINARY, data, True, None)[2:] == b"bcd"


@pytest.fixture(params=[bytes, bytearray, memoryview])
def make_buffer(request: pytest.FixtureRequest) -> Callable[[bytes], object]:
    make: Callable[[bytes], object] = request.param
    return make
