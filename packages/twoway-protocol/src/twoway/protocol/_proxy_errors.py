"""What users catch about proxies; each names the proxy and where its setting came from, and none holds a password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twoway.http import InvalidProxy as HTTPInvalidProxy
from twoway.http import InvalidProxyStatus as HTTPInvalidProxyStatus
from twoway.http import ProxyError as HTTPProxyError

from ._errors import InvalidHandshake, WebSocketException

if TYPE_CHECKING:
    from twoway.http import Proxy, Response

# Replies of SOCKS after which another attempt may do better: general failure, network or host unreachable, refused,
# expired (RFC 1928 §6); and 91 of SOCKS 4, which says no more than that it failed.
_TRANSIENT_REPLIES = frozenset({1, 3, 4, 5, 6, 91})


class InvalidProxy(WebSocketException, ValueError):
    """
    Report a setting that is no proxy that can be used.

    Attributes:
        proxy: What was given, with credentials hidden.
        msg: What is wrong with it.
        source: Where it came from.
    """

    def __init__(self, proxy: str, msg: str, source: str = "argument") -> None:
        super().__init__(proxy, msg, source)
        self.proxy = proxy
        self.msg = msg
        self.source = source

    def __str__(self) -> str:
        return f"{self.proxy} ({self.source}) isn't a valid proxy: {self.msg}"


class ProxyError(InvalidHandshake):
    """
    Report that a proxy did not make the connection that it was asked for.

    Attributes:
        message: What happened.
        proxy: The proxy, without its password; its ``source`` says where the setting came from.
        transient: Whether it may pass by itself, as far as that is known without the status of an answer.

    What the operating system, TLS or SOCKS reported is chained as ``__cause__``.
    """

    message: str
    proxy: Proxy
    transient: bool

    def __init__(self, message: str, proxy: Proxy, transient: bool = False) -> None:
        super().__init__(message, proxy, transient)
        self.message = message
        self.proxy = proxy
        self.transient = transient

    def __str__(self) -> str:
        return f"proxy {self.proxy} ({self.proxy.source}) {self.message}"


class InvalidProxyMessage(ProxyError):
    """Report that what a proxy answered is not HTTP/1.1, is over a limit, or ended early."""


class InvalidProxyStatus(ProxyError):
    """
    Report that a proxy refused a tunnel.

    Attributes:
        response: What it answered, body included.
        reason: Why there is no further attempt with credentials; None if the status does not ask for them.

    Spec:
        RFC 9110 §9.3.6: any status but 2xx.
    """

    message: str
    proxy: Proxy
    transient: bool

    def __init__(self, response: Response, proxy: Proxy, message: str, reason: str | None = None) -> None:
        InvalidHandshake.__init__(self, response, proxy, message, reason)  # what copies are made with
        self.message = message if reason is None else f"{message}; {reason}"
        self.proxy = proxy
        self.transient = False
        self.response = response
        self.reason = reason


def convert_proxy_error(error: HTTPInvalidProxy | HTTPProxyError, reason: str | None = None) -> WebSocketException:
    """
    Make the error that users catch from one of `twoway.http`.

    Args:
        error: What the setting or the proxy did wrong; kept as ``__cause__``.
        reason: Why there is no further attempt, if the proxy refused.

    Returns:
        An `InvalidProxy`, a `ProxyError` or one of its kinds.
    """
    result: WebSocketException
    if isinstance(error, HTTPInvalidProxy):
        result = InvalidProxy(error.proxy, error.msg, error.source)
    elif isinstance(error, HTTPInvalidProxyStatus):
        result = InvalidProxyStatus(error.response, error.proxy, error.message, reason)
    else:
        result = InvalidProxyMessage(error.message, error.proxy)
    result.__cause__ = error
    return result


def unreachable(error: Exception, proxy: Proxy) -> ProxyError:
    """
    Make the error for a proxy that cannot be talked to.

    Args:
        error: What the operating system or TLS reported; kept as ``__cause__``.
        proxy: The proxy.

    Returns:
        A `ProxyError`.
    """
    result = ProxyError(f"cannot be reached: {error}", proxy.without_password(), transient=True)
    result.__cause__ = error
    return result


def refused_by_socks(error: Exception, proxy: Proxy) -> ProxyError:
    """
    Make the error for a proxy that speaks SOCKS and did not connect.

    Args:
        error: What ``python-socks`` raised; kept as ``__cause__``.
        proxy: The proxy.

    Returns:
        A `ProxyError`; transient if the proxy, or the server behind it, may do better another time.

    Spec:
        RFC 1928 §6.
    """
    # That it hung up is only seen from the name of a class that is not public.
    lost = isinstance(error, OSError) or type(error.__cause__).__name__ == "IncompleteReadError"
    transient = lost or getattr(error, "error_code", None) in _TRANSIENT_REPLIES
    message = f"did not connect: {ascii(str(error) or type(error).__name__)[1:-1]}"
    result = ProxyError(message, proxy.without_password(), transient)
    result.__cause__ = error
    return result
