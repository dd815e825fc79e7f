from __future__ import annotations

import pytest

from twoway.http import (
    HTTPLimits,
    InvalidProxyMessage,
    InvalidProxyStatus,
    Proxy,
    ProxyError,
    Response,
    Tunnel,
    parse_uri,
)

PROXY = Proxy("http", "proxy", 3128, "user", "secret")
OPEN = b"HTTP/1.1 200 Connection established\r\n\r\n"


def _chunkings(data):
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    if len(data) < 500:
        yield from ([data[:cut], data[cut:]] for cut in range(len(data)))


def _feed(chunks, eof, limits):
    """Return the answer or the facts of the error, and the bytes for the server."""
    tunnel = Tunnel("example.com:443", PROXY, limits=HTTPLimits(**limits))
    answers = []
    try:
        for chunk in chunks:
            answers.append(tunnel.receive_data(chunk))
        if eof:
            tunnel.receive_eof()
    except ProxyError as exc:
        assert tunnel.receive_data(b"more") is None
        assert tunnel.receive_eof() is None
        return (type(exc), str(exc), getattr(exc, "response", None)), tunnel.take_rest()
    (answer,) = [answer for answer in answers if answer is not None] or [None]
    return answer, tunnel.take_rest()


@pytest.fixture
def ask():
    """Feed an answer in every chunking, which must not matter; return (answer or error facts, rest)."""

    def ask(data, *, eof=False, **limits):
        outcomes = [_feed(chunks, eof, limits) for chunks in _chunkings(data)]
        assert all(outcome == outcomes[0] for outcome in outcomes)
        return outcomes[0]

    return ask


def test_request():
    tunnel = Tunnel("example.com:443", PROXY)
    assert tunnel.request == b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"


@pytest.mark.parametrize(
    ("uri", "authority"),
    [
        ("ws://example.com/path?query", b"example.com:80"),
        ("wss://Example.com", b"example.com:443"),
        ("wss://user:pass@example.com:8443", b"example.com:8443"),
        ("ws://[FE80::0:1%25eth0]", b"[fe80::1]:80"),
    ],
)
def test_the_target_is_host_and_port_of_the_server(uri, authority):
    tunnel = Tunnel(parse_uri(uri).authority, PROXY)
    assert tunnel.request == b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (authority, authority)


def test_headers():
    tunnel = Tunnel("h:1", PROXY, {"X-Tenant": "a"}, user_agent_header="twoway", authorization="Basic dXNlcjpzZWNyZXQ=")
    assert tunnel.request == (
        b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nUser-Agent: twoway\r\n"
        b"Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\nX-Tenant: a\r\n\r\n"
    )


def test_the_callers_user_agent_replaces_ours():
    tunnel = Tunnel("h:1", PROXY, [("user-agent", "mine")], user_agent_header="twoway")
    assert tunnel.request == b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nuser-agent: mine\r\n\r\n"


@pytest.mark.parametrize(
    "authority", ["example.com", "example.com:", "h:0", "h:65536", "h:1\r\nX: y", "a b:1", "", "/"]
)
def test_malformed_authority(authority):
    with pytest.raises(ValueError, match="authority must be a host with its port"):
        Tunnel(authority, PROXY)


@pytest.mark.parametrize("name", ["host", "Content-Length", "transfer-encoding"])
def test_headers_that_are_not_the_callers(name):
    with pytest.raises(ValueError, match="headers must not hold"):
        Tunnel("h:1", PROXY, {name: "1"})


def test_one_authorization_only():
    tunnel = Tunnel("h:1", PROXY, {"proxy-authorization": "Bearer x"})
    assert tunnel.request == b"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\nproxy-authorization: Bearer x\r\n\r\n"
    with pytest.raises(ValueError, match="headers must not hold Proxy-Authorization"):
        Tunnel("h:1", PROXY, {"proxy-authorization": "Bearer x"}, authorization="Bearer x")


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\n", "\0"])
def test_nothing_can_be_injected(value):
    for arguments in ({"headers": {"X": value}}, {"user_agent_header": value}, {"authorization": value}):
        with pytest.raises(ValueError):
            Tunnel("h:1", PROXY, **arguments)


def test_socks_is_another_protocol():
    with pytest.raises(ValueError, match="proxy must be http or https, not socks5"):
        Tunnel("h:1", Proxy("socks5", "proxy", 1080))


def test_wrong_type():
    with pytest.raises(TypeError, match="bytes-like"):
        Tunnel("h:1", PROXY).receive_data("text")


@pytest.mark.parametrize(
    "answer",
    [
        OPEN,
        b"HTTP/1.0 200 Connection established\r\n\r\n",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 299 Odd\r\nX: y\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\n" + OPEN,
        # RFC 9110 §9.3.6: a client MUST ignore these
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: nonsense\r\n\r\n",
    ],
)
def test_open(ask, answer):
    response, rest = ask(answer)
    assert 200 <= response.status_code <= 299
    assert rest == b""
    response, rest = ask(answer + b"from the server\r\n\r\n\0")
    assert response.body == b""
    assert rest == b"from the server\r\n\r\n\0"


def test_bytes_may_come_later():
    tunnel = Tunnel("h:1", PROXY)
    assert tunnel.receive_data(OPEN) == Response(200, "Connection established")
    assert tunnel.receive_data(b"early") is None
    assert tunnel.receive_eof() is None
    assert tunnel.take_rest() == b"early"
    assert tunnel.take_rest() == b""


@pytest.mark.parametrize(
    ("answer", "eof", "status", "body"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nwhy", False, 407, b"why"),
        (b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwhy\r\n0\r\n\r\n", False, 403, b"why"),
        (b"HTTP/1.0 502 Bad Gateway\r\n\r\nwhy", True, 502, b"why"),
        (b"HTTP/1.1 302 Found\r\nLocation: ws://elsewhere\r\nContent-Length: 0\r\n\r\n", False, 302, b""),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", False, 101, b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", False, 304, b""),
        # what is wrong with the explanation is no matter
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nwhy", True, 403, b""),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\nwhy", False, 403, b""),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: x\r\n\r\nwhy", False, 403, b""),
        (b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", False, 403, b""),
    ],
)
def test_refused(ask, answer, eof, status, body):
    (error, message, response), rest = ask(answer, eof=eof, max_body=100)
    assert error is InvalidProxyStatus
    assert message.startswith(f"proxy http://***@proxy:3128 (argument) refused the tunnel: HTTP {status}")
    assert (response.status_code, response.body) == (status, body)
    assert rest == b""


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "connection closed while reading HTTP status line"),
        (b"HTTP/1.1 200", "connection closed while reading HTTP status line"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", "connection closed while reading HTTP headers"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "connection closed while reading HTTP status line"),
    ],
)
def test_a_proxy_that_hangs_up(ask, answer, problem):
    (error, message, _), rest = ask(answer, eof=True)
    assert error is InvalidProxyMessage
    assert message == f"proxy http://***@proxy:3128 (argument) gave no valid answer: {problem}"
    assert rest == b""
    tunnel = Tunnel("h:1", PROXY)
    tunnel.receive_data(answer)
    with pytest.raises(InvalidProxyMessage) as excinfo:
        tunnel.receive_eof()
    assert isinstance(excinfo.value.__cause__.__cause__, EOFError)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x05\xff\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + OPEN,
    ],
)
def test_a_proxy_that_does_not_speak_http(ask, answer):
    (error, message, _), rest = ask(answer)
    assert error is InvalidProxyMessage
    assert "gave no valid answer: " in message
    assert rest == b""


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 " + b"x" * 1_000_000,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000,
        b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"y" * 5000 + b"\r\n") * 500,
        b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" * 50_000,
    ],
)
def test_megabytes_of_headers(answer):
    tunnel = Tunnel("h:1", PROXY)
    with pytest.raises(InvalidProxyMessage, match="over the limit of"):
        for start in range(0, len(answer), 65536):
            tunnel.receive_data(answer[start : start + 65536])
    assert tunnel.receive_data(b"more") is None
    assert tunnel.take_rest() == b""
