"""`twoway.http.Tunnel` and Squid, on plain sockets; then our client on the socket that came out."""

from __future__ import annotations

import base64
import socket

import pytest
from server_rig.program import free_ports

from twoway.auth import AuthError, ProxyAuth
from twoway.http import InvalidProxyStatus, Tunnel, parse_proxy, parse_uri

BASIC = "Basic " + base64.b64encode(b"ada:open sesame").decode()


@pytest.fixture
def dig(squid, trust):
    """Open a tunnel and give its socket, or raise what the proxy said."""
    opened = []

    def dig(port, uri, scheme="http", **arguments):
        proxy = parse_proxy(f"{scheme}://127.0.0.1:{squid.ports[port]}")
        tunnel = Tunnel(parse_uri(uri).authority, proxy, **arguments)
        sock = socket.create_connection((proxy.host, proxy.port), timeout=10)
        opened.append(sock)
        if scheme == "https":
            sock = trust.wrap_socket(sock, server_hostname=proxy.host)
            opened.append(sock)
        sock.sendall(tunnel.request)
        while (response := tunnel.receive_data(data := sock.recv(65536))) is None:
            if not data:
                tunnel.receive_eof()
        assert response.status_code == 200
        assert tunnel.take_rest() == b""
        return sock

    yield dig
    for sock in opened:
        sock.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "server.test"])
def test_our_client_goes_through(driver, dig, health, host):
    uri = f"ws://{host}:{health}/"
    with driver.connect(uri, sock=dig("plain", uri)) as client:
        client.send("hello")
        assert client.recv() == "hello"


def test_a_proxy_with_tls(dig, health):
    sock = dig("tls", f"ws://127.0.0.1:{health}/", scheme="https")
    sock.sendall(b"GET /health HTTP/1.0\r\n\r\n")
    answer = b""
    while data := sock.recv(65536):
        answer += data
    assert answer.endswith(b"I am well.\n")


def test_with_credentials(driver, dig, health):
    uri = f"ws://127.0.0.1:{health}/"
    with driver.connect(uri, sock=dig("basic", uri, authorization=BASIC, user_agent_header="twoway")) as client:
        client.send("hello")
        assert client.recv() == "hello"


@pytest.mark.parametrize(
    ("scheme", "challenge"),
    [("basic", 'Basic realm="behind Basic"'), ("digest", 'Digest realm="behind Digest", nonce=')],
)
def test_without_credentials(dig, scheme, challenge):
    with pytest.raises(InvalidProxyStatus, match="HTTP 407 'Proxy Authentication Required'") as excinfo:
        dig(scheme, "ws://server.test/")
    response = excinfo.value.response
    assert response.headers["Proxy-Authenticate"].startswith(challenge)
    assert b"Cache Access Denied" in response.body


def test_wrong_credentials(dig):
    with pytest.raises(InvalidProxyStatus, match="HTTP 407"):
        dig("basic", "ws://server.test/", authorization="Basic " + base64.b64encode(b"ada:wrong").decode())


def test_a_server_that_the_proxy_does_not_serve(dig):
    with pytest.raises(InvalidProxyStatus, match="HTTP 403 'Forbidden'") as excinfo:
        dig("plain", "wss://forbidden.test/")
    assert b"Access Denied" in excinfo.value.response.body


def test_a_server_that_the_proxy_cannot_reach(dig):
    (port,) = free_ports(1)
    with pytest.raises(InvalidProxyStatus, match="HTTP 503 'Service Unavailable'"):
        dig("plain", f"ws://127.0.0.1:{port}/")


@pytest.mark.parametrize("scheme", ["basic", "digest"])
@pytest.mark.parametrize("credentials", [("ada", "open sesame"), ("gr\u00fcn", "p\u00e4ss:wort")])
def test_challenge_and_answer(driver, dig, health, scheme, credentials):
    uri = f"ws://127.0.0.1:{health}/"
    auth = ProxyAuth(credentials, f"127.0.0.1:{health}", ("127.0.0.1", 1))
    with pytest.raises(InvalidProxyStatus, match="HTTP 407") as excinfo:
        dig(scheme, uri)
    auth.refuse(excinfo.value.response)
    with driver.connect(uri, sock=dig(scheme, uri, headers=auth.headers())) as client:
        client.send("hello")
        assert client.recv() == "hello"


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_challenge_and_wrong_answer(dig, scheme):
    auth = ProxyAuth(("ada", "wrong"), "server.test:80", ("127.0.0.1", 1))
    with pytest.raises(InvalidProxyStatus) as excinfo:
        dig(scheme, "ws://server.test/")
    auth.refuse(excinfo.value.response)
    with pytest.raises(InvalidProxyStatus) as excinfo:
        dig(scheme, "ws://server.test/", headers=auth.headers())
    with pytest.raises(AuthError):
        auth.refuse(excinfo.value.response)
