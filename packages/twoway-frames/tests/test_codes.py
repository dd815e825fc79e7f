from __future__ import annotations

import pytest

from twoway.frames import (
    CLOSE_CODE_MEANINGS,
    CONTROL_OPCODES,
    DATA_OPCODES,
    OK_CLOSE_CODES,
    CloseCode,
    Opcode,
    describe_close_code,
    is_valid_close_code,
)

# RFC 6455 §7.4.1, §7.4.2 and the IANA registry: what may stand in a Close frame.
VALID = {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


def test_opcodes_are_those_of_the_rfc() -> None:
    assert {opcode.name: opcode.value for opcode in Opcode} == {
        "CONT": 0, "TEXT": 1, "BINARY": 2, "CLOSE": 8, "PING": 9, "PONG": 10,
    }  # fmt: skip


def test_each_opcode_is_either_data_or_control() -> None:
    assert frozenset(Opcode) == DATA_OPCODES | CONTROL_OPCODES
    assert not DATA_OPCODES & CONTROL_OPCODES
    assert all(opcode & 0x8 for opcode in CONTROL_OPCODES)


def test_valid_close_codes_for_every_16_bit_number() -> None:
    assert {code for code in range(65536) if is_valid_close_code(code)} == VALID


@pytest.mark.parametrize("code", [-1, 65536, 10**20])
def test_no_other_number_is_a_valid_close_code(code: int) -> None:
    assert not is_valid_close_code(code)


def test_every_close_code_has_a_meaning() -> None:
    assert {int(code) for code in CloseCode} == set(CLOSE_CODE_MEANINGS) - {1004}


def test_ok_close_codes() -> None:
    assert {int(code) for code in OK_CLOSE_CODES} == {1000, 1001, 1005}


def test_meanings_cannot_be_changed_by_a_user() -> None:
    with pytest.raises(TypeError):
        CLOSE_CODE_MEANINGS[1000] = "nonsense"  # type: ignore[index]


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (0, "never used"), (999, "never used"),
        (1000, "OK"), (CloseCode.GOING_AWAY, "going away"), (1004, "reserved"), (1006, "connection closed abnormally"),
        (1015, "TLS handshake failure"), (1016, "reserved for the protocol"), (2999, "reserved for the protocol"),
        (3000, "registered"), (3999, "registered"), (4000, "private use"), (4999, "private use"),
        (5000, "out of range"), (65535, "out of range"), (-1, "out of range"),
    ],
)  # fmt: skip
def test_describe_close_code(code: int, meaning: str) -> None:
    assert describe_close_code(code) == meaning
