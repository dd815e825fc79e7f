"""The end of what went over the wire before, from which a new (de)compressor starts: RFC 7692 §7.2.3.2."""

from __future__ import annotations

#: How much of what was sent is remembered at most; bytes.
MAX_HISTORY = 4096


def remember(history: bytearray, data: bytes, size: int) -> None:
    """
    Append bytes to a history.

    Args:
        history: Changed in place.
        data: The bytes; not kept.
        size: How many bytes count; > 0.

    Cost:
        Linear in the smaller of ``data`` and ``size``.
    """
    if len(data) >= size:
        history[:] = data[-size:]
    else:
        history += data
        del history[:-size]
