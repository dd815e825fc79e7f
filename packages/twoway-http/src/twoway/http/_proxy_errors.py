"""Errors of proxies; each names the proxy and where its setting came from, and none holds a password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._errors import hide_credentials
from ._grammar import shorten

if TYPE_CHECKING:
    from ._message import Response
    from ._proxy import Proxy


class InvalidProxy(ValueError):
    """
    Say that a string is no proxy that can be used.

    Args:
        proxy: The string; kept with its credentials hidden.
        msg: What is wrong with it.
        source: Where it came from.

    Attributes:
        proxy: The string, credentials hidden.
        msg: What is wrong with it.
        source: Where it came from.
    """

    def __init__(self, proxy: str, msg: str, source: str = "argument") -> None:
        self.proxy: str = hide_credentials(proxy)
        self.msg = msg
        self.source = source
        super().__init__(self.proxy, msg, source)

    def __str__(self) -> str:
        return f"{shorten(self.proxy)} ({self.source}) is not a proxy: {self.msg}"


class ProxyError(Exception):
    """
    Say that a proxy did not make the connection that it was asked for.

    Args:
        message: What happened; text from the proxy only in shortened ``repr`` form.
        proxy: The proxy; kept without its password.

    Attributes:
        message: What happened.
        proxy: The proxy, without its password.
    """

    def __init__(self, message: str, proxy: Proxy) -> None:
        self.message = message
        self.proxy: Proxy = proxy.without_password()
        super().__init__(message, self.proxy)

    def __str__(self) -> str:
        return f"proxy {self.proxy} ({self.proxy.source}) {self.message}"


class InvalidProxyMessage(ProxyError):
    """
    Say that what a proxy answered is not HTTP/1.1, is over a limit, or ended early; the details are ``__cause__``.

    Args:
        message: What happened; text from the proxy only in shortened ``repr`` form.
        proxy: The proxy; kept without its password.
    """


class InvalidProxyStatus(ProxyError):
    """
    Say that a proxy refused a tunnel.

    Args:
        response: What it answered; kept.
        proxy: The proxy; kept without its password.

    Attributes:
        response: What it answered, body included.

    Spec:
        RFC 9110 §9.3.6: any status but 2xx.
    """

    def __init__(self, response: Response, proxy: Proxy) -> None:
        reason = f" {shorten(response.reason_phrase)}" if response.reason_phrase else ""
        super().__init__(f"refused the tunnel: HTTP {response.status_code}{reason}", proxy)
        self.response = response
        Exception.__init__(self, response, self.proxy)  # what copies are made with
