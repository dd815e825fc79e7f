"""Header sections: one pass over the lines, every line judged before the next one is looked at."""

from __future__ import annotations

import re

from ._buffer import Buffer, Steps
from ._errors import LimitError, ParseError
from ._grammar import TEXT, TOKEN, shorten
from ._headers import Headers
from ._limits import HTTPLimits

# RFC 9112 §5: no space before the colon, no obs-fold (a line that starts with a space has no name). The spaces around
# the value are stripped afterwards: a pattern for them would overlap the pattern of the value and backtrack.
_FIELD = f"{TOKEN}:{TEXT}".encode("latin-1")
_match_field = re.compile(_FIELD).fullmatch
_match_lines = re.compile(rb"(?:%b\r\n)++" % _FIELD).fullmatch

# As written -> the name and its lower-case form: one object for all connections, which keep their headers.
_KNOWN = {
    written: (written, name.lower())
    for name in (
        "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection",
        "Content-Length", "Content-Type", "Cookie", "Date", "Host", "Origin", "Pragma", "Sec-Fetch-Dest",
        "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "Sec-WebSocket-Key",
        "Sec-WebSocket-Protocol", "Sec-WebSocket-Version", "Server", "Upgrade", "User-Agent", "X-Forwarded-For",
    )
    for written in (name, name.lower())
}  # fmt: skip


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
    if 0 < lines.count(b"\n") <= limits.max_headers and _match_lines(lines) is not None:
        buffer.take(len(lines) + 2)
        return _collect(lines.decode("latin-1").split("\r\n")[:-1])
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
            return _collect(fields)
        budget -= len(line)
        if len(fields) == limits.max_headers:
            raise LimitError("header count", limits.max_headers)
        if _match_field(line) is None:
            raise ParseError(f"malformed HTTP header line: {shorten(_redact(line))}")
        fields.append(line.decode("latin-1"))


def _collect(fields: list[str]) -> Headers:
    items: list[tuple[str, str]] = []
    index: dict[str, list[str]] = {}
    for field in fields:
        written, _, value = field.partition(":")
        name, key = _KNOWN.get(written) or (written, written.lower())
        value = value.strip(" \t")
        items.append((name, value))
        if key in index:
            index[key].append(value)
        else:
            index[key] = [value]
    return Headers._trusted(items, index)


def _redact(line: bytes) -> bytes:
    # A malformed Authorization or Cookie line would put a secret into logs: show the name only.
    name, colon, _ = line.partition(b":")
    return name + colon + b" ..." if colon else line
