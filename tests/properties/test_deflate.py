"""Compressed messages come back whole, whatever was agreed, and a limit is exact."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from twoway.deflate import ClientPerMessageDeflateFactory, PerMessageDeflate, ServerPerMessageDeflateFactory
from twoway.frames import InvalidPayloadError, MessageDecoder, NegotiationError, Opcode, PayloadTooBig, encode_frame

BITS = st.none() | st.integers(8, 15)
SETTINGS = st.fixed_dictionaries(
    {}, optional={name: st.booleans() for name in ("server_no_context_takeover", "client_no_context_takeover")}
)
PAYLOADS = st.binary(max_size=400) | st.text("abé€", max_size=300).map(str.encode) | st.integers(0, 40_000).map(bytes)
CUTS = st.lists(st.floats(0, 1), max_size=4)


def cut(data: bytes, places: list[float]) -> list[bytes]:
    positions = sorted(int(place * len(data)) for place in places)
    return [data[start:end] for start, end in pairwise([0, *positions, len(data)])]


def compress(extension: PerMessageDeflate, data: bytes, places: list[float]) -> bytes:
    """Make the frames of a message."""
    parts, wire = cut(data, places), b""
    for number, part in enumerate(parts):
        opcode = Opcode.CONT if number else Opcode.BINARY
        payload, rsv = extension.encode_payload(opcode, part, number == len(parts) - 1, 0, True)
        wire += encode_frame(opcode, payload, number == len(parts) - 1, rsv, False)
    return wire


@given(
    ours=SETTINGS, theirs=SETTINGS, our_bits=BITS, their_bits=BITS, places=CUTS, messages=st.lists(PAYLOADS, max_size=6)
)
def test_messages_come_back_whatever_was_agreed(ours, theirs, our_bits, their_bits, places, messages) -> None:
    client_factory = ClientPerMessageDeflateFactory(server_max_window_bits=their_bits, threshold=0, **ours)
    server_factory = ServerPerMessageDeflateFactory(server_max_window_bits=our_bits, threshold=0, **theirs)
    offer = list(client_factory.get_request_params())
    try:
        answer, server = server_factory.process_request_params(offer, [])
    except NegotiationError:
        return
    client = client_factory.process_response_params(answer, [])
    for sender, receiver in ((client, server), (server, client)):
        decoder = MessageDecoder(masked=False, extensions=[receiver])
        for message in messages:
            assert decoder.feed(compress(sender, message, places)) == [message]
            assert decoder.error is None


@given(size=st.integers(0, 5000), over=st.integers(-3, 3), places=CUTS, zero=st.booleans())
def test_the_limit_is_exact(size: int, over: int, places: list[float], zero: bool) -> None:
    data = bytes(size) if zero else bytes(number * number % 251 for number in range(size))
    limit = max(0, size + over)
    decoder = MessageDecoder(masked=False, extensions=[PerMessageDeflate(False, False, 15, 15)], max_size=limit)
    items = decoder.feed(compress(PerMessageDeflate(False, False, 15, 15, threshold=0), data, places))
    assert (items == [data]) is (size <= limit)
    assert isinstance(decoder.error, PayloadTooBig) is (size > limit)


@given(data=st.binary(max_size=60), places=CUTS)
def test_broken_data_is_an_error_with_a_close_code(data: bytes, places: list[float]) -> None:
    outcomes = []
    wire = encode_frame(Opcode.BINARY, data, True, 0x40, False)
    for pieces in ([wire], cut(wire, places)):
        decoder = MessageDecoder(masked=False, extensions=[PerMessageDeflate(False, False, 15, 15)], max_size=10_000)
        items = [item for piece in pieces for item in decoder.feed(piece)]
        assert decoder.error is None or isinstance(decoder.error, (InvalidPayloadError, PayloadTooBig))
        outcomes.append((items, str(decoder.error)))
    assert outcomes[0] == outcomes[1]


@given(message=PAYLOADS, at=st.integers(0, 300), flip=st.integers(1, 255))
def test_a_flipped_byte_leads_to_a_message_or_to_an_error(message: bytes, at: int, flip: int) -> None:
    wire = bytearray(compress(PerMessageDeflate(False, False, 15, 15, threshold=0), message, []))
    wire[at % len(wire)] ^= flip
    decoder = MessageDecoder(masked=False, extensions=[PerMessageDeflate(False, False, 15, 15)])
    decoder.feed(bytes(wire))
    assert decoder.error is None or decoder.error.close_code in (1002, 1007, 1009)
