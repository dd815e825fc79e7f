"""How much a peer may send before the handshake is refused."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class HTTPLimits:
    """
    Bound every quantity of an HTTP message that the peer chooses.

    Args:
        max_line: Request line, status line, each header and each chunk header, without line end; bytes, > 0.
        max_headers: Fields in a header section or trailer; items, > 0.
        max_header_bytes: All lines of a header section, without line ends, and, counted again, all chunk extensions
            and trailers of a body; bytes, > 0.
        max_body: Body after removal of the chunked coding; bytes, >= 0.

    Raises:
        TypeError: A limit is not an ``int``. A caller's bug.
        ValueError: A limit is too small. A caller's bug.
    """

    max_line: int = 8192
    max_headers: int = 128
    max_header_bytes: int = 65536
    max_body: int = 1048576

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name == "max_body" else 1
            if not isinstance(value, int):
                raise TypeError(f"{field.name} must be an int, not {type(value).__name__}")
            if value < least:
                raise ValueError(f"{field.name} must be at least {least}, not {value}")


DEFAULT_LIMITS = HTTPLimits()
