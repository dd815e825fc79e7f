"""Offers and answers as tables: RFC 7692 §7.1."""

from __future__ import annotations

import pytest

from twoway.deflate._params import Parameters, answer_offer, check_answer, check_bits, smallest_bits
from twoway.frames import NegotiationError

S_NCT, C_NCT = "server_no_context_takeover", "client_no_context_takeover"
S_BITS, C_BITS = "server_max_window_bits", "client_max_window_bits"


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ([], Parameters()),
        ([(S_NCT, None)], Parameters(server_no_context_takeover=True)),
        ([(C_NCT, None)], Parameters(client_no_context_takeover=True)),
        ([(C_BITS, None)], Parameters(client_max_window_bits=True)),
        *(([(S_BITS, str(bits))], Parameters(server_max_window_bits=bits)) for bits in range(8, 16)),
        *(([(C_BITS, str(bits))], Parameters(client_max_window_bits=bits)) for bits in range(8, 16)),
        ([(C_BITS, "8"), (S_BITS, "15"), (C_NCT, None), (S_NCT, None)], Parameters(True, True, 15, 8)),
    ],
)
def test_parse_and_serialize(params: list[tuple[str, str | None]], expected: Parameters) -> None:
    assert Parameters.parse(params) == expected
    assert sorted(Parameters.parse(params).serialize(), key=str) == sorted(params, key=str)


BAD_NUMBERS = [
    "",
    "7",
    "16",
    "08",
    "012",
    "+9",
    "-9",
    " 9",
    "9 ",
    "9.0",
    "1e1",
    "0x9",
    "\u0669",
    "\uff11\uff12",
    "true",
    "99999999999",
]


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ([("unknown", None)], "unknown parameter 'unknown'"),
        ([("Server_No_Context_Takeover", None)], "unknown parameter"),
        ([("server_max_window_bit\xdf", "8")], "unknown parameter 'server_max_window_bit"),
        ([(S_NCT, None), (S_NCT, None)], "duplicate parameter server_no_context_takeover"),
        ([(C_NCT, None), (C_NCT, None)], "duplicate"),
        ([(S_BITS, "10"), (S_BITS, "10")], "duplicate"),
        ([(C_BITS, None), (C_BITS, "10")], "duplicate"),
        ([(S_NCT, "true")], "invalid value 'true' of parameter server_no_context_takeover"),
        ([(S_NCT, "")], "invalid value"),
        ([(C_NCT, "1")], "invalid value"),
        ([(S_BITS, None)], "invalid value None of parameter server_max_window_bits"),
        *(([(name, value)], "invalid value") for name in (S_BITS, C_BITS) for value in BAD_NUMBERS),
    ],
)
def test_malformed(params: list[tuple[str, str | None]], reason: str) -> None:
    with pytest.raises(NegotiationError, match=reason):
        Parameters.parse(params)


P = Parameters


@pytest.mark.parametrize(
    ("offer", "settings", "answer"),
    [
        (P(), P(), P()),
        # Context takeover: whoever asks gets it, and the server may ask unasked.
        (P(True), P(), P(True)),
        (P(False, True), P(), P(False, True)),
        (P(), P(True), P(True)),
        (P(), P(False, True), P(False, True)),
        (P(True, True), P(True, True), P(True, True)),
        # The server's window: the smaller number; it may be answered unasked.
        (P(False, False, 10), P(), P(False, False, 10)),
        (P(False, False, 10), P(False, False, 12), P(False, False, 10)),
        (P(False, False, 14), P(False, False, 12), P(False, False, 12)),
        (P(False, False, 15), P(), P(False, False, 15)),
        (P(False, False, 8), P(False, False, 12), P(False, False, 8)),
        (P(), P(False, False, 12), P(False, False, 12)),
        (P(), P(False, False, 15), P()),
        # The client's window: only if it offers the parameter, and not more than it says.
        (P(), P(False, False, None, 10), P()),
        (P(False, False, None, True), P(), P()),
        (P(False, False, None, True), P(False, False, None, 10), P(False, False, None, 10)),
        (P(False, False, None, True), P(False, False, None, 15), P()),
        (P(False, False, None, 9), P(), P(False, False, None, 9)),
        (P(False, False, None, 9), P(False, False, None, 12), P(False, False, None, 9)),
        (P(False, False, None, 13), P(False, False, None, 12), P(False, False, None, 12)),
        (P(False, False, None, 15), P(), P(False, False, None, 15)),
        (P(False, False, None, 8), P(False, False, None, 12), P(False, False, None, 8)),
        (P(True, True, 9, True), P(False, False, 12, 10), P(True, True, 9, 10)),
    ],
)
def test_answer_of_a_server(offer: Parameters, settings: Parameters, answer: Parameters) -> None:
    assert answer_offer(offer, settings) == answer
    check_answer(offer, answer)  # what our server answers, our client takes


def test_a_server_can_require_a_small_window() -> None:
    settings = P(False, False, None, 12)
    with pytest.raises(NegotiationError, match="client_max_window_bits is not offered"):
        answer_offer(P(), settings, require_client_max_window_bits=True)
    assert answer_offer(P(False, False, None, True), settings, True).client_max_window_bits == 12
    assert answer_offer(P(), P(False, False, None, 15), True) == P()  # every client does with 15


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (P(), P()),
        (P(), P(True, True, 8)),
        (P(False, True), P()),  # RFC 7692 §7.1.1.2: a hint
        (P(False, False, 12), P(False, False, 12)),
        (P(False, False, 12), P(False, False, 8)),
        (P(False, False, 15), P()),  # nobody has a larger one
        (P(False, False, None, True), P()),
        (P(False, False, None, True), P(False, False, None, 15)),
        (P(False, False, None, True), P(False, False, None, 8)),
        (P(False, False, None, 10), P(False, False, None, 10)),
        (P(False, False, None, 10), P(False, False, None, 9)),
        (P(False, False, None, 10), P()),
    ],
)
def test_answers_that_a_client_takes(offer: Parameters, answer: Parameters) -> None:
    check_answer(offer, answer)


@pytest.mark.parametrize(
    ("offer", "answer", "reason"),
    [
        (P(True), P(), "missing server_no_context_takeover"),
        (P(False, False, 12), P(), "missing server_max_window_bits"),
        (P(False, False, 12), P(False, False, 13), "server_max_window_bits is larger than offered"),
        (P(), P(False, False, None, 12), "client_max_window_bits was not offered"),
        (P(False, False, None, 10), P(False, False, None, 11), "client_max_window_bits is larger than offered"),
        (P(False, False, None, True), P(False, False, None, True), "client_max_window_bits without a value"),
    ],
)
def test_answers_that_fail_the_handshake(offer: Parameters, answer: Parameters, reason: str) -> None:
    with pytest.raises(NegotiationError, match=reason):
        check_answer(offer, answer)


def test_a_client_can_forgive_what_is_missing() -> None:
    check_answer(
        P(True, False, 12), P(), require_server_no_context_takeover=False, require_server_max_window_bits=False
    )
    with pytest.raises(NegotiationError, match="larger"):
        check_answer(P(False, False, 12), P(False, False, 13), False, False)


def test_smallest_bits() -> None:
    assert smallest_bits(None) == smallest_bits(True, None) == 15
    assert smallest_bits(12, None, 9, True) == 9


@pytest.mark.parametrize("bits", [True, "12", 12.0, None])
def test_bits_of_a_wrong_type(bits: object) -> None:
    with pytest.raises(TypeError, match="some_bits must be an int from 8 to 15"):
        check_bits("some_bits", bits)


@pytest.mark.parametrize("bits", [-1, 0, 7, 16])
def test_bits_out_of_range(bits: int) -> None:
    with pytest.raises(ValueError, match="some_bits must be from 8 to 15"):
        check_bits("some_bits", bits)
