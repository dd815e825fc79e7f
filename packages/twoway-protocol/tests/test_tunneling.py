"""What is said to an HTTP proxy, over as many connections as it takes."""

from __future__ import annotations

import gc
import weakref

import pytest

from twoway.http import HeaderError, HTTPLimits, Proxy, Response, StatusError
from twoway.protocol import InvalidHandshake, InvalidHeader, InvalidProxyMessage, InvalidProxyStatus, Tunneling

PROXY = Proxy("http", "proxy.example", 3128, "ada", "secret")
WHO = b"HTTP/1.1 407 Who\r\nContent-Length: 3\r\n\r\nwho"
FINE = b"HTTP/1.1 200 OK\r\n\r\n"


class Auth:
    """Stand for `twoway.auth.ProxyAuth`."""

    def __init__(self, answers):
        self.answers = answers
        self.accepted = []

    def headers(self):
        return {"Proxy-Authorization": f"try {len(self.answers)}"}

    def refuse(self, response):
        if not self.answers:
            error = StatusError(response)
            error.reason = "nothing left"
            raise error
        self.answers -= 1

    def accept(self, response: Response):
        if "bad" in response.headers:
            raise HeaderError("Proxy-Authentication-Info", "bad")
        self.accepted.append(response)


class Counting(Auth):
    def __init__(self, count):
        super().__init__(count)
        self.count = count

    def headers(self):
        return {"Proxy-Authorization": f"try {self.count - self.answers}"}


@pytest.fixture
def make():
    def make(auth=None, eager=False):
        return Tunneling(
            PROXY,
            "example.com:443",
            headers={"X": "y"},
            user_agent_header="me",
            limits=HTTPLimits(),
            make_auth=lambda: auth,
            eager=eager,
        )

    return make


@pytest.mark.feature("HTTP and HTTPS proxies")
def test_a_tunnel(make):
    tunneling = make()
    request = tunneling.begin()
    assert request == b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\nUser-Agent: me\r\nX: y\r\n\r\n"
    assert [tunneling.receive(bytes([byte])) for byte in FINE] == [None] * (len(FINE) - 1) + [True]
    assert tunneling.receive(b"") is None


@pytest.mark.feature("HTTP and HTTPS proxies")
@pytest.mark.parametrize("eager", [False, True])
def test_credentials(make, eager):
    auth = Counting(2)
    tunneling = make(auth, eager)
    assert (b"Proxy-Authorization" in tunneling.begin()) is eager
    assert tunneling.receive(WHO) is False
    assert b"Proxy-Authorization: try 1\r\n" in tunneling.begin()
    assert tunneling.receive(WHO) is False
    assert b"Proxy-Authorization: try 2\r\n" in tunneling.begin()
    assert tunneling.receive(FINE) is True
    assert len(auth.accepted) == 1


def test_nothing_left_to_try(make):
    tunneling = make(Counting(0), True)
    tunneling.begin()
    with pytest.raises(InvalidProxyStatus, match="refused the tunnel: HTTP 407 'Who'; nothing left") as excinfo:
        tunneling.receive(WHO)
    assert excinfo.value.response.body == b"who"
    assert excinfo.value.proxy == PROXY.without_password()


def test_a_proxy_that_is_another_one(make):
    tunneling = make(Counting(0), True)
    tunneling.begin()
    with pytest.raises(InvalidHeader, match="Proxy-Authentication-Info"):
        tunneling.receive(b"HTTP/1.1 200 OK\r\nbad: 1\r\n\r\n")


@pytest.mark.feature("limits against hostile peers")
@pytest.mark.parametrize(
    ("data", "error", "match"),
    [
        ([b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"], InvalidProxyStatus, "HTTP 403 'No'"),
        ([b"HTTP/1.1 403 No\r\n\r\nsome", b""], InvalidProxyStatus, "HTTP 403 'No'"),
        ([b"HTTP/1.1 407 Who\r\n\r\nsome", b""], InvalidProxyStatus, "HTTP 407"),
        ([b""], InvalidProxyMessage, "gave no valid answer"),
        ([b"HTTP/1.1 200", b""], InvalidProxyMessage, "gave no valid answer"),
        ([b"nonsense\r\n\r\n"], InvalidProxyMessage, "gave no valid answer"),
        ([FINE + b"body"], InvalidProxyMessage, "sent more than its answer"),
    ],
)
def test_bad_answers(make, data, error, match):
    tunneling = make(Counting(0))
    tunneling.begin()
    with pytest.raises(error, match=match) as excinfo:
        for chunk in data:
            tunneling.receive(chunk)
    assert str(excinfo.value).startswith("proxy http://***@proxy.example:3128 (argument) ")
    assert "secret" not in repr(excinfo.value)


def test_errors_keep_nobody(make):
    """Not even those of `twoway.auth`, which are raised while another one is handled."""

    class Raising(Counting):
        def refuse(self, response):
            try:
                raise KeyError
            except KeyError:
                super().refuse(response)

    gc.collect()
    gc.disable()
    try:
        for data in (WHO, b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", b"nonsense\r\n\r\n", FINE + b"body"):
            tunneling = make(Raising(0))
            tunneling.begin()
            with pytest.raises(InvalidHandshake) as excinfo:
                tunneling.receive(data)
            watched = weakref.ref(excinfo.value)
            del excinfo
            assert watched() is None
    finally:
        gc.enable()
