"""Opcodes and close codes as data: RFC 6455 §5.2, §7.4 and the IANA registry behind them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class Opcode(IntEnum):
    """
    Name the kind of a frame.

    Values above 7 are control frames; those that are not listed are reserved and refused.

    Spec:
        RFC 6455 §5.2, §11.8.
    """

    CONT = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class CloseCode(IntEnum):
    """
    Name the status code of a closing handshake.

    Spec:
        RFC 6455 §7.4.1, §11.7 and the IANA WebSocket Close Code Number Registry.
    """

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS_RCVD = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015


#: Frames that carry messages, CONT being the ones after the first.
DATA_OPCODES = frozenset({Opcode.CONT, Opcode.TEXT, Opcode.BINARY})
#: Frames about the connection; they may stand between the frames of a message.
CONTROL_OPCODES = frozenset({Opcode.CLOSE, Opcode.PING, Opcode.PONG})

# RFC 6455 §7.4.1: 1004 is reserved; 1005, 1006 and 1015 describe a missing Close frame and never stand in one.
_NEVER_ON_THE_WIRE = frozenset({1004, 1005, 1006, 1015})

#: Codes that stand for a connection which did what it was meant to do.
OK_CLOSE_CODES = frozenset({CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD})

#: Close code -> a short phrase, for every code up to 1015, also for those that may not be sent.
CLOSE_CODE_MEANINGS: Mapping[int, str] = MappingProxyType(
    {
        1000: "OK",
        1001: "going away",
        1002: "protocol error",
        1003: "unsupported data",
        1004: "reserved",
        1005: "no status received",
        1006: "connection closed abnormally",
        1007: "invalid frame payload data",
        1008: "policy violation",
        1009: "message too big",
        1010: "mandatory extension",
        1011: "internal error",
        1012: "service restart",
        1013: "try again later",
        1014: "bad gateway",
        1015: "TLS handshake failure",
    }
)

# (first, last, meaning) of the ranges that RFC 6455 §7.4.2 hands out.
_CLOSE_CODE_RANGES = (
    (0, 999, "never used"),
    (1000, 2999, "reserved for the protocol"),
    (3000, 3999, "registered"),
    (4000, 4999, "private use"),
)


def is_valid_close_code(code: int) -> bool:
    """
    Tell whether a Close frame may carry a code.

    The answer is the same for sending and for receiving.

    Args:
        code: Any integer.

    Returns:
        True for 1000-1003, 1007-1014 and 3000-4999.

    Spec:
        RFC 6455 §7.4.1, §7.4.2.
    """
    return 3000 <= code <= 4999 or (code in CLOSE_CODE_MEANINGS and code not in _NEVER_ON_THE_WIRE)


def describe_close_code(code: int) -> str:
    """
    Say in words what a close code means.

    Args:
        code: Any integer, also one that may not be sent.

    Returns:
        A short phrase without the number, such as ``"going away"``.

    Spec:
        RFC 6455 §7.4.1, §7.4.2.
    """
    if code in CLOSE_CODE_MEANINGS:
        return CLOSE_CODE_MEANINGS[code]
    return next((meaning for first, last, meaning in _CLOSE_CODE_RANGES if first <= code <= last), "out of range")
