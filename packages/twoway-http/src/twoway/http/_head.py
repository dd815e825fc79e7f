"""Heads that come whole and are as they should be, as nearly all are: judged and taken apart in one pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from ._grammar import TEXT, TOKEN, split_host

Fields: TypeAlias = tuple[list[tuple[str, str]], dict[str, list[str]]]
"""What `Headers` hold: names and values in order, and the values of each name in lower case."""

# RFC 9112 §5: no space before the colon, no obs-fold (a line that starts with a space has no name). The spaces around
# the value are stripped afterwards: a pattern for them would overlap the pattern of the value and backtrack.
FIELD = f"{TOKEN}:{TEXT}".encode("latin-1")
_LINE = rb"(?:%b\r\n)" % FIELD
_match_fields = re.compile(rb"%b++" % _LINE).fullmatch
# RFC 9112 §3: the target in origin-form; RFC 9110 §7.1: a fragment is no part of it.
_match_request = re.compile(
    rb"(%b) (/[\x21\x22\x24-\x7e]*+) (HTTP/1\.[01])\r\n(%b++)\r\n" % (TOKEN.encode("ascii"), _LINE)
).match

# As written -> the name and its lower-case form: one object for all connections, which keep their headers.
KNOWN: Mapping[str, tuple[str, str]] = {
    written: (written, name.lower())
    for name in (
        "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection",
        "Content-Length", "Content-Type", "Cookie", "Date", "Host", "Origin", "Pragma", "Sec-Fetch-Dest",
        "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "Sec-WebSocket-Key",
        "Sec-WebSocket-Protocol", "Sec-WebSocket-Version", "Server", "Upgrade", "User-Agent", "X-Forwarded-For",
    )
    for written in (name, name.lower())
}  # fmt: skip


def split_request(
    data: bytes, max_line: int, max_headers: int, max_header_bytes: int
) -> tuple[str, str, str, list[tuple[str, str]], dict[str, list[str]], int] | None:
    """
    Take apart a request that is whole, has nothing wrong with it, and declares no body.

    Args:
        data: Where it begins, and perhaps more.
        max_line: Most bytes of the request line, and of all fields with their line ends.
        max_headers: Most fields.
        max_header_bytes: Most bytes of all fields with their line ends.

    Returns:
        Method, path, version, the two halves of `Fields`, and how many bytes that was; ``None`` for all that somebody
        has to look at line by line, be it right or wrong.

    Spec:
        RFC 9112 §3, §3.2, §5.
    """
    if (match := _match_request(data)) is None:
        return None
    line, start, end = match.end(3), match.start(4), match.end(4)
    if line > max_line or end - start > min(max_line, max_header_bytes) or data.count(b"\n", start, end) > max_headers:
        return None
    items, index = collect(match[4].decode("latin-1").split("\r\n")[:-1])
    hosts = index.get("host", ())
    if len(hosts) != 1 or split_host(hosts[0]) is None or "content-length" in index or "transfer-encoding" in index:
        return None
    return match[1].decode("ascii"), match[2].decode("ascii"), match[3].decode("ascii"), items, index, match.end()


def split_fields(lines: bytes, max_headers: int) -> Fields | None:
    """
    Take apart the lines of a header section that have nothing wrong with them.

    Args:
        lines: Whole lines, each with its CR LF.
        max_headers: Most lines.

    Returns:
        The fields; ``None`` where there are no lines, or some that somebody has to look at one by one.

    Spec:
        RFC 9112 §5.
    """
    if _match_fields(lines) is None or lines.count(b"\n") > max_headers:
        return None
    return collect(lines.decode("latin-1").split("\r\n")[:-1])


def collect(lines: list[str]) -> Fields:
    """
    Take apart lines that were found to be fields.

    Args:
        lines: Fields without their line ends.

    Returns:
        The fields.
    """
    items: list[tuple[str, str]] = []
    index: dict[str, list[str]] = {}
    for line in lines:
        written, _, value = line.partition(":")
        name, key = KNOWN.get(written) or (written, written.lower())
        value = value.strip(" \t")
        items.append((name, value))
        if key in index:
            index[key].append(value)
        else:
            index[key] = [value]
    return items, index
