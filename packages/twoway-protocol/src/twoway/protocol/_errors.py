"""What users catch; errors of the layers below are converted here and nowhere else."""

from __future__ import annotations

from twoway.frames import OK_CLOSE_CODES, Close, CloseCode
from twoway.http import (
    HeaderError,
    HTTPError,
    LimitError,
    MethodError,
    OriginError,
    Response,
    StatusError,
    UpgradeError,
    VersionError,
)

from ._state import Cause


class WebSocketException(Exception):
    """Be the base of every error that concerns a connection."""


class ConnectionClosed(WebSocketException):
    """
    Report that the connection is closed, or closing, and say why.

    Attributes:
        rcvd: The Close frame that was received, None if there was none.
        sent: The Close frame that was sent, None if there was none.
        rcvd_then_sent: Whether the peer's frame came first; None unless there are both.
        cause: Why the connection ended.

    An error of the operating system, or the error in the peer's bytes, is chained as ``__cause__``.

    Spec:
        RFC 6455 §7.1.4 to §7.1.6.
    """

    def __init__(
        self,
        rcvd: Close | None = None,
        sent: Close | None = None,
        rcvd_then_sent: bool | None = None,
        cause: Cause = Cause.VANISHED,
    ) -> None:
        super().__init__(rcvd, sent, rcvd_then_sent, cause)
        self.rcvd = rcvd
        self.sent = sent
        self.rcvd_then_sent = rcvd_then_sent
        self.cause = cause

    @property
    def code(self) -> int:
        """Give the close code of the connection: the one received, else 1006 (RFC 6455 §7.1.5)."""
        return CloseCode.ABNORMAL_CLOSURE if self.rcvd is None else self.rcvd.code

    @property
    def reason(self) -> str:
        """Give the close reason of the connection: the one received, else an empty string (RFC 6455 §7.1.6)."""
        return "" if self.rcvd is None else self.rcvd.reason

    def __str__(self) -> str:
        frames = (("received", self.rcvd), ("sent", self.sent))
        parts = [f"{verb} {close}" for verb, close in frames if close is not None]
        if self.rcvd_then_sent is False:
            parts.reverse()
        return f"{self.cause.value}; {', then '.join(parts) or 'no Close frame received or sent'}"


class ConnectionClosedOK(ConnectionClosed):
    """
    Report an orderly end: both Close frames carry 1000, 1001 or no code.

    Spec:
        RFC 6455 §7.1.2.
    """


class ConnectionClosedError(ConnectionClosed):
    """
    Report any other end of the connection.

    Spec:
        RFC 6455 §7.1.7, §7.2.1.
    """


class InvalidState(WebSocketException, RuntimeError):
    """Report a call that the state of the connection does not allow; a caller's bug."""


class ConcurrencyError(WebSocketException, RuntimeError):
    """Report two calls at the same time of which the connection allows one; a caller's bug."""


class InvalidURI(WebSocketException, ValueError):
    """
    Report something that is not a WebSocket URI.

    Attributes:
        uri: What was given, with credentials hidden.
        msg: What is wrong with it.

    Spec:
        RFC 6455 §3.
    """

    def __init__(self, uri: str, msg: str) -> None:
        super().__init__(uri, msg)
        self.uri = uri
        self.msg = msg

    def __str__(self) -> str:
        return f"{self.uri} isn't a valid URI: {self.msg}"


class InvalidHandshake(WebSocketException):
    """
    Report that the opening handshake failed.

    Spec:
        RFC 6455 §4.
    """


class SecurityError(InvalidHandshake):
    """Report that the peer's handshake is over a limit."""


class InvalidMessage(InvalidHandshake):
    """Report that the peer's handshake is not HTTP/1.1, or ended early."""


class InvalidStatus(InvalidHandshake):
    """
    Report that the server refused the handshake.

    Attributes:
        response: What it answered, body included.
        reason: Why there is no further attempt, after a redirect or a request for credentials; None if neither.

    Spec:
        RFC 6455 §4.1: any status but 101.
    """

    def __init__(self, response: Response, reason: str | None = None) -> None:
        super().__init__(response, reason)
        self.response = response
        self.reason = reason

    def __str__(self) -> str:
        line = f"server rejected WebSocket connection: HTTP {self.response.status_code}"
        return line if self.reason is None else f"{line}; {self.reason}"


class InvalidHeader(InvalidHandshake):
    """
    Report a header that is missing, repeated, malformed or not acceptable.

    Attributes:
        name: Name of the header.
        value: What the peer sent; None when missing, or not to be shown.
    """

    def __init__(self, name: str, value: str | None = None, message: str | None = None) -> None:
        super().__init__(name, value, message)
        self.name = name
        self.value = value
        self.message: str = message or (
            f"missing {name} header" if value is None else f"invalid {name} header: {value!r}"
        )

    def __str__(self) -> str:
        return self.message


class InvalidUpgrade(InvalidHeader):
    """Report an Upgrade or Connection header that does not ask for, or grant, WebSocket."""


class InvalidOrigin(InvalidHeader):
    """Report an Origin header that the server does not accept."""


class InvalidNegotiation(InvalidHandshake):
    """Report extensions or a subprotocol that were not offered, or do not fit."""


# HTTP error -> what the user gets. More specific classes stand first.
_KINDS: tuple[tuple[type[HTTPError], type[InvalidHandshake]], ...] = (
    (OriginError, InvalidOrigin),
    (UpgradeError, InvalidUpgrade),
    (HeaderError, InvalidHeader),
    (LimitError, SecurityError),
    (MethodError, InvalidMessage),
    (VersionError, InvalidMessage),
    (StatusError, InvalidStatus),
)


def convert_http_error(error: HTTPError) -> InvalidHandshake:
    """
    Make the error that users catch from one of `twoway.http`.

    Args:
        error: What the parser or the handshake found; kept as ``__cause__``.

    Returns:
        An `InvalidHandshake` or one of its kinds.
    """
    kind = next((kind for source, kind in _KINDS if isinstance(error, source)), InvalidMessage)
    result: InvalidHandshake
    if isinstance(error, StatusError):
        result = InvalidStatus(error.response, getattr(error, "reason", None))  # those of `twoway.auth` have one
    elif isinstance(error, (HeaderError, UpgradeError)) and issubclass(kind, InvalidHeader):
        result = kind(error.name, error.value, str(error))
    else:
        result = kind(str(error))
    result.__cause__ = error
    return result


def make_connection_closed(
    rcvd: Close | None, sent: Close | None, rcvd_then_sent: bool | None, cause: Cause, error: BaseException | None
) -> ConnectionClosed:
    """
    Make the exception that tells how a connection ended.

    Args:
        rcvd: The Close frame that was received.
        sent: The Close frame that was sent.
        rcvd_then_sent: Whether the received one came first; None unless there are both.
        cause: Why the connection ended.
        error: What is behind it; becomes ``__cause__``.

    Returns:
        `ConnectionClosedOK` if both frames carry 1000, 1001 or no code, else `ConnectionClosedError`.

    Spec:
        RFC 6455 §7.1.4 to §7.1.6.
    """
    orderly = rcvd is not None and sent is not None and {rcvd.code, sent.code} <= OK_CLOSE_CODES
    exc = (ConnectionClosedOK if orderly else ConnectionClosedError)(rcvd, sent, rcvd_then_sent, cause)
    exc.__cause__ = error
    return exc
