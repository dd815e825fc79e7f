"""Requests that are too long, too many, too slow, or never end."""

from __future__ import annotations

import itertools
import time

import pytest
from adversary_rig.attack import Asked, Reply, table
from adversary_rig.wire import request

LINE = 8192
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


def line_of(size: int) -> bytes:
    return b"GET /" + b"a" * (size - len(b"GET / HTTP/1.1")) + b" HTTP/1.1"


def fields_of(size: int) -> bytes:
    """Headers with that many bytes in all, besides those of a handshake, in lines that are allowed."""
    own = sum(map(len, request().split(b"\r\n"))) - len(b"GET / HTTP/1.1")
    sizes = [8000] * ((size - own) // 8000)
    return b"\r\n".join(b"X: " + b"x" * (size - 3) for size in [*sizes, (size - own) % 8000])


@pytest.mark.threat("unbounded headers")
@table(
    {
        "request line at the limit": Asked(request(line=line_of(LINE)), 101),
        "request line over the limit": Asked(request(line=line_of(LINE + 1)), 414),
        "request line without end": Asked(b"GET /" + b"a" * 100_000, 414),
        "request line without end in pieces": Asked(lambda peer: peer.drip(b"GET /" + b"a" * 20_000, 100), 414),
        "request line at the limit in tiny pieces": Asked(lambda peer: peer.drip(request(line=line_of(LINE)), 3), 101),
        "garbage without end": Asked(bytes(100_000), 414),
        "header at the limit": Asked(request(extra=b"X: " + b"x" * (LINE - 3)), 101),
        "header over the limit": Asked(request(extra=b"X: " + b"x" * (LINE - 2)), 431),
        "header without end": Asked(GET + b"X: " + b"x" * 1_000_000, 431),
        "header name without end": Asked(GET + b"x" * 1_000_000, 431),
        "header over the limit in pieces": Asked(lambda peer: peer.drip(GET + b"X: " + b"x" * 20_000, 100), 431),
        "headers at the limit": Asked(request(extra=b"\r\n".join([b"X: 1"] * 123)), 101),
        "a header more": Asked(request(extra=b"\r\n".join([b"X: 1"] * 124)), 431),
        "headers without end": Asked(GET + b"X: 1\r\n" * 100_000, 431),
        "all headers together at the limit": Asked(request(extra=fields_of(65536)), 101),
        "all headers together over the limit": Asked(request(extra=fields_of(65537)), 431),
        "all of that in tiny pieces": Asked(lambda peer: peer.drip(request(extra=fields_of(65536)), 37), 101),
    }
)
def test_what_a_request_may_be_at_most(ask, attack):
    ask(attack)


@pytest.mark.threat("equal headers")
@table(
    {
        "one that nobody knows": Asked(request(extra=b"\r\n".join([b"X-Same: a"] * 120)), 101),
        "Connection": Asked(request(extra=b"\r\n".join([b"Connection: keep-alive"] * 120)), 101),
        "extensions": Asked(request(extra=b"\r\n".join([b"Sec-WebSocket-Extensions: x"] * 60)), 101),
        "long ones": Asked(request(extra=b"\r\n".join([b"Cookie: " + b"a" * 1000] * 60)), 101),
        "subprotocols": Asked(request(extra=b"\r\n".join([b"Sec-WebSocket-Protocol: a"] * 100)), 400),
    }
)
def test_equal_headers_are_cheap(ask, attack):
    for _ in range(20):  # what is quadratic would end in the timeout of the test
        ask(attack)


@pytest.mark.threat("slow handshakes")
@pytest.mark.parametrize("data", [b"", b"GET", request()[:-2], GET + b"Content-Length: 10\r\n\r\n12345"])
def test_a_request_that_never_ends_is_answered_when_its_time_is_over(attacker, data):
    peer = attacker("hasty")
    peer.send(data)
    peer.wait(5)
    assert (Reply(peer).status, peer.ended) == (408, "eof")


@pytest.mark.threat("slow handshakes")
def test_dripping_bytes_does_not_stop_the_clock(attacker):
    peer = attacker("hasty")
    started = time.monotonic()
    for byte in itertools.chain(request(extra=b"X: ")[:-4], itertools.repeat(0x61)):
        peer.drip(bytes([byte]), pause=0.01)
        if peer.ended or time.monotonic() - started > 8:
            break
    assert peer.ended
    assert Reply(peer).status == 408
    assert time.monotonic() - started < 5


@pytest.mark.threat("stalled handshakes")
def test_whoever_stalls_holds_nobody_up(attacker, driver, servers):
    peers = [attacker("usual") for _ in range(60)]
    for number, peer in enumerate(peers):
        peer.send(request()[: number * 3])
    uri = f"ws://127.0.0.1:{servers('usual').port}/"
    assert [driver.say(uri, text) for text in ("one", "two")] == ["one", "two"]
    for number, peer in enumerate(peers):
        peer.send(request()[number * 3 :])
        assert peer.read_head().startswith(b"HTTP/1.1 101 ")
