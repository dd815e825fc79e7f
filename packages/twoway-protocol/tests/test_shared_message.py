"""A message that is serialized once for many connections."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest

from twoway.frames import Extension, Frame, MessageDecoder, Opcode
from twoway.protocol import InvalidState, SharedMessage
from twoway.protocol._messages import MessageEncoder
from twoway.protocol.testing import connected_pair


class Shout(Extension):
    """Upper-case what is sent; counts what it does."""

    name = "x-shout"

    def __init__(self, key: Hashable = "shout") -> None:
        self.key = key
        self.encoded = 0
        self.adopted: list[bytes] = []

    def encode(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        self.encoded += 1
        return frame.replace(data=frame.data.upper() + str(compress).encode())

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        return frame

    def shared_key(self) -> Hashable:
        return self.key

    def adopt_shared(self, frame: Frame) -> None:
        self.adopted.append(frame.data)


class Twice(Shout):
    """Double what is sent."""

    name = "x-twice"

    def encode(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        self.encoded += 1
        return frame.replace(data=frame.data * 2)


def read(wire: bytes, masked: bool = False) -> list[Any]:
    return MessageDecoder(masked=masked).feed(wire)


@pytest.mark.feature("broadcast")
def test_servers_with_equal_settings_write_the_same_object() -> None:
    message = SharedMessage("a" * 100)
    first, second = (MessageEncoder(False, ()).start_shared(message) for _ in range(2))
    assert first is second
    assert read(first) == ["a" * 100]


def test_clients_mask_each_frame_with_a_key_of_its_own() -> None:
    message = SharedMessage(b"a" * 100)
    first, second = (MessageEncoder(True, ()).start_shared(message) for _ in range(2))
    assert first != second
    assert read(first, True) == read(second, True) == [b"a" * 100]


@pytest.mark.feature("broadcast")
def test_an_extension_encodes_once_and_all_of_its_kind_adopt() -> None:
    message = SharedMessage("ab", compress=True)
    shouts = [Shout(), Shout()]
    wires = [MessageEncoder(False, [shout]).start_shared(message) for shout in shouts]
    assert wires[0] is wires[1]
    assert read(wires[0]) == ["ABTrue"]
    assert [shout.encoded for shout in shouts] == [1, 0]
    assert [shout.adopted for shout in shouts] == [[b"ABTrue"], [b"ABTrue"]]


def test_each_extension_adopts_the_frame_that_it_would_have_made() -> None:
    shout, twice = Shout(), Twice()
    wire = MessageEncoder(False, [shout, twice]).start_shared(SharedMessage("a"))
    assert read(wire) == ["ANoneANone"]
    assert (shout.adopted, twice.adopted) == ([b"ANone"], [b"ANoneANone"])


@pytest.mark.feature("broadcast")
def test_different_settings_do_not_share() -> None:
    message = SharedMessage("a")
    shouts = [Shout("one"), Shout("other")]
    for shout in shouts:
        MessageEncoder(False, [shout]).start_shared(message)
    assert [shout.encoded for shout in shouts] == [1, 1]


def test_an_extension_that_cannot_share_encodes_for_itself() -> None:
    message = SharedMessage("a")
    shouts = [Shout(None), Shout(None)]
    for shout in shouts:
        assert read(MessageEncoder(False, [shout]).start_shared(message)) == ["ANone"]
    assert [(shout.encoded, shout.adopted) for shout in shouts] == [(1, []), (1, [])]


@pytest.mark.feature("broadcast")
@pytest.mark.parametrize("masked", [True, False])
def test_a_shared_message_does_not_stand_inside_a_fragmented_one(masked: bool) -> None:
    encoder = MessageEncoder(masked, ())
    encoder.start(Opcode.TEXT, "a", False, None)
    with pytest.raises(InvalidState, match="fragmented message"):
        encoder.start_shared(SharedMessage("b"))


@pytest.mark.feature("force text or binary on send")
@pytest.mark.parametrize(
    ("message", "text", "opcode", "data"),
    [
        ("é", None, Opcode.TEXT, "é".encode()),
        ("é", False, Opcode.BINARY, "é".encode()),
        (b"a", None, Opcode.BINARY, b"a"),
        (bytearray(b"a"), True, Opcode.TEXT, b"a"),
        (memoryview(b"abc")[::2], None, Opcode.BINARY, b"ac"),
    ],
)
def test_kinds_of_messages(message: Any, text: bool | None, opcode: Opcode, data: bytes) -> None:
    shared = SharedMessage(message, text=text)
    assert (shared.opcode, shared.data) == (opcode, data)


@pytest.mark.parametrize(
    ("message", "text", "error", "says"),
    [
        (1, None, TypeError, "message must be str or bytes-like, not int"),
        (["a"], None, TypeError, "message must be str or bytes-like, not list"),
        (b"\xff", True, ValueError, "message must be UTF-8"),
        ("\ud800", None, ValueError, "message must be text without lone surrogates"),
        ("\ud800", False, ValueError, "message must be text without lone surrogates"),
    ],
)
def test_wrong_messages(message: Any, text: bool | None, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        SharedMessage(message, text=text)


def test_a_connection_sends_it() -> None:
    pairs = [connected_pair(), connected_pair()]
    message = SharedMessage("news")
    for pair in pairs:
        assert not pair.server.in_message
        pair.server.send_shared(message)
        pair.exchange()
        assert pair.client_events() == ["news"]
    pairs[0].server.send_text("a", fin=False)
    assert pairs[0].server.in_message
