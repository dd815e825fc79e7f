"""Header sections: one pass over the lines, every line judged before the next one is looked at."""

from __future__ import annotations

import re

from ._buffer import Buffer, Steps
from ._errors import LimitError, ParseError
from ._grammar import shorten
from ._head import FIELD, collect
from ._headers import Headers
from ._limits import HTTPLimits
from ._native import split_fields

_match_field = re.compile(FIELD).fullmatch


def read_fields(buffer: Buffer, limits: HTTPLimits, budget: int) -> Steps[Headers]:
    """
    Read a header section or a trailer, up to its blank line.

    Args:
        buffer: Where to read.
        limits: Limits on lines and fields.
        budget: Most bytes of all lines, within ``limits.max_header_bytes``.

    Returns:
        The fields.

    Raises:
        LimitError: There are too many, or they are too long. Status 431.
        ParseError: One is malformed, or the connection was closed before the end.

    Spec:
        RFC 9112 §5, §6.3.
    """
    # Nearly always all lines are there, and as they should be: then they are judged in one go.
    lines = buffer.peek_lines(min(budget, limits.max_line))
    if (found := split_fields(lines, limits.max_headers)) is not None:
        buffer.take(len(lines) + 2)
        return Headers._trusted(*found)
    fields: list[str] = []
    while True:
        # The smaller of both limits decides, so that the error does not depend on how the bytes are cut.
        if budget < limits.max_line:
            take = (budget, "headers", limits.max_header_bytes, 431)
        else:
            take = (limits.max_line, "header line", limits.max_line, 431)
        while (line := buffer.take_line(*take)) is None:
            if buffer.eof:
                raise ParseError("connection closed while reading HTTP headers")
            yield
        if not line:
            return Headers._trusted(*collect(fields))
        budget -= len(line)
        if len(fields) == limits.max_headers:
            raise LimitError("header count", limits.max_headers)
        if _match_field(line) is None:
            raise ParseError(f"malformed HTTP header line: {shorten(_redact(line))}")
        fields.append(line.decode("latin-1"))


def _redact(line: bytes) -> bytes:
    # A malformed Authorization or Cookie line would put a secret into logs: show the name only.
    name, colon, _ = line.partition(b":")
    return name + colon + b" ..." if colon else line
