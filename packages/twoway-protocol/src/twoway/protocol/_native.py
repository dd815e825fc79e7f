"""The compiled twins of what every message goes through, where `twoway.frames` uses compiled code."""

from __future__ import annotations

from twoway.frames import Opcode, get_twins

from ._inbox import Inbox, check_marks, convert
from ._path import ProtocolPath
from ._state import State

__all__ = ["Inbox", "ProtocolPath"]

# The twins have the same attributes, arguments, results and errors.
globals().update(
    get_twins(
        "protocol",
        BINARY=Opcode.BINARY,
        Inbox=Inbox,
        OPEN=State.OPEN,
        ProtocolPath=ProtocolPath,
        TEXT=Opcode.TEXT,
        check_marks=check_marks,
        convert=convert,
    )
)
