"""What can be wrong with frames: each error knows the close code that tells the peer."""

from __future__ import annotations

from ._codes import CloseCode


class FrameError(Exception):
    """
    Report frames that break a rule or a limit; the peer's fault.

    Attributes:
        close_code: The code that a Close frame to the peer should carry.

    Spec:
        RFC 6455 §7.1.7, §7.4.1.
    """

    close_code: CloseCode = CloseCode.PROTOCOL_ERROR


class ProtocolError(FrameError):
    """
    Report a frame that RFC 6455 forbids: close code 1002.

    Spec:
        RFC 6455 §5.
    """


class InvalidPayloadError(FrameError):
    """
    Report a payload that is not what its frame says: close code 1007.

    Text that is not UTF-8, for instance.

    Spec:
        RFC 6455 §8.1, RFC 7692 §7.2.2.
    """

    close_code = CloseCode.INVALID_DATA


class PayloadTooBig(FrameError):
    """
    Report a frame or message over its limit: close code 1009.

    Attributes:
        what: What is too big: ``"frame"`` or ``"message"``.
        size: What the peer announced or sent; bytes, or None when it is only known to be over the limit.
        limit: The limit that was passed; bytes.

    Spec:
        RFC 6455 §7.4.1, §10.4.
    """

    close_code = CloseCode.MESSAGE_TOO_BIG

    def __init__(self, what: str, size: int | None, limit: int) -> None:
        self.what = what
        self.size = size
        self.limit = limit
        super().__init__(what, size, limit)

    def __str__(self) -> str:
        size = "" if self.size is None else f" of {self.size} bytes"
        return f"{self.what}{size} is over the limit of {self.limit} bytes"


class TooManyFragments(FrameError):
    """
    Report a message in more fragments than allowed: close code 1009.

    Attributes:
        limit: The largest allowed number of fragments.

    Spec:
        RFC 6455 §5.4, §10.4.
    """

    close_code = CloseCode.MESSAGE_TOO_BIG

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(limit)

    def __str__(self) -> str:
        return f"message in more than {self.limit} fragments"


class NegotiationError(Exception):
    """
    Report extension parameters that an extension factory cannot accept.

    On a server it declines one offer; on a client it fails the opening handshake.

    Spec:
        RFC 6455 §9.1, RFC 7692 §7.1.
    """
