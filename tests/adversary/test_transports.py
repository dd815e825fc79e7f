"""What stands between a client and its server: proxies and TLS."""

from __future__ import annotations

import itertools
import socket
import ssl
import time

import pytest
import trustme
from adversary_rig.attack import check_documented, table
from adversary_rig.peer import DEADLINE, Peer, Trap
from adversary_rig.wire import accept_of, response

MIB = 1 << 20
SOON = 5.0
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


@pytest.fixture
def through(driver, servers):
    """Connect to a server that does not exist, through a proxy; gives the outcome and what the proxy has seen."""

    def through(behave, userinfo="", **options):
        with Trap(behave) as trap:
            proxy = f"http://{userinfo}127.0.0.1:{trap.port}"
            outcome = driver.dial("ws://origin.example/", proxy=proxy, **options).result(DEADLINE)
        check_documented(driver, outcome)
        return outcome, trap

    return through


@pytest.mark.threat("hostile proxies")
def test_the_password_of_the_proxy_is_for_the_proxy_alone(through):
    inside = []

    def behave(peer: Peer) -> None:
        peer.read_head()
        connect = peer.head
        peer.send(ESTABLISHED)
        inside.extend([connect, peer.read_head()])
        peer.send(response(accept_of(peer.head)))

    outcome, _ = through(behave, "ada:secret@", additional_headers={"Cookie": "session=1"})
    assert outcome.opened
    connect, request = inside
    assert connect.startswith(b"CONNECT origin.example:80 HTTP/1.1\r\n")
    assert b"\r\nProxy-Authorization: Basic " in connect
    assert b"Cookie" not in connect
    assert request.startswith(b"GET / HTTP/1.1\r\nHost: origin.example\r\n")
    assert b"proxy-authorization" not in request.lower()
    assert b"secret" not in request


def answer(data: bytes):
    def behave(peer: Peer) -> None:
        peer.read_head()
        peer.send(data)
        peer.wait(0.3)

    return behave


def drip(peer: Peer) -> None:
    peer.read_head()
    for byte in itertools.chain(b"HTTP/1.1 200 OK\r\nX: ", itertools.repeat(0x61)):
        peer.drip(bytes([byte]), pause=0.01)
        if peer.ended:
            break


@pytest.mark.threat("hostile proxies")
@table(
    {
        "status line without end": answer(b"HTTP/1.1 200 " + b"x" * 100_000),
        "header without end": answer(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000),
        "headers without end": answer(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000),
        "interim answers without end": answer(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        "error page without end": answer(b"HTTP/1.1 502 Bad\r\n\r\n" + bytes(MIB + 1)),
        "chunks without end": answer(
            b"HTTP/1.1 502 Bad\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"4000\r\n" + bytes(0x4000) + b"\r\n") * 65
        ),
        "error page of 8 EiB": answer(b"HTTP/1.1 502 Bad\r\nContent-Length: 9223372036854775807\r\n\r\n"),
        "garbage": answer(bytes(range(256)) * 10),
        "SOCKS": answer(b"\x05\xff"),
        "NUL in a header": answer(b"HTTP/1.1 200 OK\r\nX: \0\r\n\r\n"),
        "101": answer(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n"),
        "301": answer(b"HTTP/1.1 301 Moved\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n"),
        "403": answer(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"),
        "407": answer(b'HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'),
        "407 with odd challenges": answer(
            b"HTTP/1.1 407 No\r\nProxy-Authenticate: Digest " + b"a=," * 2000 + b"\r\nContent-Length: 0\r\n\r\n"
        ),
        "hangs up": lambda peer: peer.read_head() and peer.reset(),
        "an answer before the tunnel is asked for": answer(ESTABLISHED + response(b"x")),
    }
)
def test_what_a_proxy_answers_has_limits(driver, through, attack):
    outcome, trap = through(attack)
    assert isinstance(outcome.error, (driver.module.ProxyError, driver.module.InvalidHandshake))
    assert str(outcome.error).isprintable()
    assert not outcome.opened
    assert all(head.startswith(b"CONNECT ") for head in trap.requests[:1])


@pytest.mark.threat("servers that never finish")
@table({"silence": lambda peer: peer.wait(SOON), "drips": drip})
def test_open_timeout_is_for_the_proxy_too(through, attack):
    started = time.monotonic()
    outcome, _ = through(attack, open_timeout=0.4)
    assert isinstance(outcome.error, TimeoutError)
    assert time.monotonic() - started < SOON


@pytest.mark.threat("hostile proxies")
def test_another_origin_through_a_proxy_does_not_get_the_password_of_the_first(through):
    heads = []

    def behave(peer: Peer) -> None:
        connect = peer.read_head()
        peer.send(ESTABLISHED)
        heads.extend([connect, peer.read_head()])
        peer.send(b"HTTP/1.1 302 Found\r\nLocation: ws://other.example/\r\nContent-Length: 0\r\n\r\n")
        peer.wait(1, done=lambda: len(heads) > 2)

    through(behave, "ada:secret@", additional_headers={"Authorization": "Bearer hidden"})
    assert b"\r\nAuthorization" in heads[1]
    assert heads[2].startswith(b"CONNECT other.example:80 ")
    assert b"authorization" not in heads[3].lower()


def tls_server(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(name).configure_cert(context)
    return context


def serve(peer: Peer) -> None:
    peer.send(response(accept_of(peer.read_head())))


@pytest.mark.threat("false certificates")
def test_a_certificate_must_be_trusted(driver, servers):
    with Trap(serve, tls_server("localhost")) as trap:
        outcome = driver.dial(f"wss://localhost:{trap.port}/", host="127.0.0.1").result(DEADLINE)
    assert isinstance(outcome.error, ssl.SSLCertVerificationError)
    assert trap.requests == []


@pytest.mark.threat("false certificates")
def test_a_certificate_must_be_for_the_host(driver, servers, tls):
    with Trap(serve, tls[0]) as trap:
        uri = f"wss://other.example:{trap.port}/"
        outcome = driver.dial(uri, host="127.0.0.1", ssl=tls[1]).result(DEADLINE)
        good = driver.dial(f"wss://localhost:{trap.port}/", host="127.0.0.1", ssl=tls[1]).result(DEADLINE)
    assert isinstance(outcome.error, ssl.SSLCertVerificationError)
    assert good.opened
    assert len(trap.requests) == 1


@pytest.mark.threat("false certificates")
@table(
    {
        "plain text": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "alert": b"\x15\x03\x03\x00\x02\x02\x28",
        "garbage": bytes(range(256)) * 10,
        "end": b"",
    }
)
def test_what_is_no_tls_is_an_error_of_the_system(driver, servers, attack):
    def behave(peer: Peer) -> None:
        peer.wait(2, done=lambda: len(peer.received) > 0)
        peer.send(attack)

    with Trap(behave) as trap:
        outcome = driver.dial(f"wss://127.0.0.1:{trap.port}/").result(DEADLINE)
    assert isinstance(outcome.error, (OSError, driver.module.InvalidHandshake))
    assert not outcome.opened


@pytest.mark.threat("servers that never finish")
def test_open_timeout_is_for_tls_too(driver, servers):
    started = time.monotonic()
    with Trap(lambda peer: peer.wait(SOON)) as trap:
        outcome = driver.dial(f"wss://127.0.0.1:{trap.port}/", open_timeout=0.4).result(DEADLINE)
    assert isinstance(outcome.error, TimeoutError)
    assert time.monotonic() - started < SOON


@pytest.mark.threat("servers that never finish")
def test_open_timeout_is_for_tcp_too(driver, servers):
    # A queue of one that is full: who connects now gets no answer.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            fillers.append(sock)
        started = time.monotonic()
        outcome = driver.dial(f"ws://127.0.0.1:{port}/", open_timeout=0.4).result(DEADLINE)
        for sock in fillers:
            sock.close()
    assert isinstance(outcome.error, TimeoutError)
    assert time.monotonic() - started < SOON
