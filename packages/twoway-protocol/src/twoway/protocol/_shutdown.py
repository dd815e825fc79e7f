"""What the shutdown of a server came to."""

from __future__ import annotations

from twoway.frames import Record


class ShutdownReport(Record):
    """
    Tell what ``Server.shutdown`` of a driver came to.

    Args:
        closed: Connections that ended with a complete closing handshake.
        aborted: Connections that were open, too, and ended without one.
        refused: Opening handshakes that were answered with 503.
        cancelled: Handlers that still ran when the time was over, and were cancelled.
        abandoned: Handlers, and callbacks of the opening handshake, that ignored that and still run.

    Spec:
        RFC 6455 §7.1.2, §7.1.4.
    """

    __slots__ = ("closed", "aborted", "refused", "cancelled", "abandoned")

    closed: int
    aborted: int
    refused: int
    cancelled: int
    abandoned: int

    def __init__(self, closed: int, aborted: int, refused: int, cancelled: int, abandoned: int) -> None:
        super().__init__(closed, aborted, refused, cancelled, abandoned)
