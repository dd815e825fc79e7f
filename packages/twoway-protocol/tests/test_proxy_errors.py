"""What users catch about proxies, and which of it passes by itself."""

from __future__ import annotations

import copy
import pickle

import pytest

from twoway.http import Headers, Proxy, Response
from twoway.http import InvalidProxy as HTTPInvalidProxy
from twoway.http import InvalidProxyMessage as HTTPInvalidProxyMessage
from twoway.http import InvalidProxyStatus as HTTPInvalidProxyStatus
from twoway.protocol import (
    InvalidHandshake,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    ProxyError,
    WebSocketException,
    process_exception,
    read_retry_after,
    refused_by_socks,
    unreachable,
)
from twoway.protocol._proxy_errors import convert_proxy_error

PROXY = Proxy("socks5h", "proxy.example", 1080, "ada", "secret", "environment variable socks_proxy")
SHOWN = "proxy socks5h://***@proxy.example:1080 (environment variable socks_proxy)"


class IncompleteReadError(Exception):
    """Named like that of python-socks."""


class SocksError(Exception):
    def __init__(self, message, error_code=None):
        super().__init__(message)
        self.error_code = error_code


def lost():
    error = SocksError("Connection closed unexpectedly")
    error.__cause__ = IncompleteReadError()
    return error


def test_a_setting():
    error = convert_proxy_error(HTTPInvalidProxy("ftp://a:b@c", "its scheme is wrong", "system settings"))
    assert type(error) is InvalidProxy
    assert isinstance(error, ValueError)
    assert str(error) == "ftp://***@c (system settings) isn't a valid proxy: its scheme is wrong"
    assert isinstance(error.__cause__, HTTPInvalidProxy)
    assert process_exception(error) is error


def test_a_message():
    error = convert_proxy_error(HTTPInvalidProxyMessage("gave nonsense", PROXY))
    assert type(error) is InvalidProxyMessage
    assert str(error) == f"{SHOWN} gave nonsense"
    assert error.proxy == PROXY.without_password()
    assert process_exception(error) is error


@pytest.mark.parametrize(("status", "transient"), [(403, False), (407, False), (429, True), (502, True), (504, True)])
def test_a_status(status, transient):
    response = Response(status, "Hm", Headers({"Retry-After": "7"}))
    error = convert_proxy_error(HTTPInvalidProxyStatus(response, PROXY), "no credentials")
    assert type(error) is InvalidProxyStatus
    assert isinstance(error, InvalidHandshake)
    assert str(error) == f"{SHOWN} refused the tunnel: HTTP {status} 'Hm'; no credentials"
    assert error.response is response
    assert (process_exception(error) is None) is transient
    assert read_retry_after(error) == 7


def test_a_proxy_that_cannot_be_reached():
    cause = ConnectionRefusedError(111, "refused")
    error = unreachable(cause, PROXY)
    assert type(error) is ProxyError
    assert str(error) == f"{SHOWN} cannot be reached: [Errno 111] refused"
    assert error.__cause__ is cause
    assert process_exception(error) is None


@pytest.mark.parametrize(
    ("cause", "transient"),
    [
        (SocksError("General SOCKS server failure", 1), True),
        (SocksError("Connection not allowed by ruleset", 2), False),
        (SocksError("Network unreachable", 3), True),
        (SocksError("Host unreachable", 4), True),
        (SocksError("Connection refused", 5), True),
        (SocksError("TTL expired", 6), True),
        (SocksError("Command not supported", 7), False),
        (SocksError("rejected", 91), True),
        (SocksError("Username and password authentication failure"), False),
        (lost(), True),
        (ConnectionResetError("reset"), True),
        (IndexError(), False),
    ],
)
def test_socks(cause, transient):
    error = refused_by_socks(cause, PROXY)
    assert str(error) == f"{SHOWN} did not connect: {str(cause) or 'IndexError'}"
    assert error.__cause__ is cause
    assert (process_exception(error) is None) is transient


def test_what_a_peer_says_is_escaped():
    assert "\\n" in str(refused_by_socks(SocksError("a\nb"), PROXY))


@pytest.mark.parametrize(
    "error",
    [
        InvalidProxy("x", "y"),
        ProxyError("x", PROXY.without_password()),
        InvalidProxyMessage("x", PROXY.without_password()),
        InvalidProxyStatus(Response(502, "Bad"), PROXY.without_password(), "x", "y"),
    ],
)
def test_copies(error):
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert isinstance(twin, WebSocketException)
        assert (type(twin), str(twin)) == (type(error), str(error))
