"""Requests that are no HTTP/1.1, or that two readers could read in two ways."""

from __future__ import annotations

import pytest
from adversary_rig.attack import Asked, table
from adversary_rig.peer import Peer
from adversary_rig.wire import TEXT, Frame, request

FRAME = Frame(TEXT, b"smuggled").serialize(client=True)
CHUNKED = b"8\r\nsmuggled\r\n0\r\n\r\n"
PLAIN = b"GET /private HTTP/1.1\r\nHost: localhost\r\n\r\n"


def with_body(fields: bytes, body: bytes = FRAME) -> Asked:
    return Asked(request(extra=fields) + body, 400)


def posted(fields: bytes, body: bytes = b"", status: int = 400) -> Asked:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\n" + fields + b"\r\n\r\n"
    return Asked(head + body + PLAIN, status, server="plain")


@pytest.mark.threat("smuggled bodies")
@table(
    {
        "Content-Length": with_body(b"Content-Length: %d" % len(FRAME)),
        "Content-Length of one": with_body(b"Content-Length: 1", b"x"),
        "two lengths of zero": with_body(b"Content-Length: 0\r\nContent-Length: 0"),
        "two lengths": with_body(b"Content-Length: 0\r\nContent-Length: 14"),
        "a list of lengths": with_body(b"Content-Length: 0, 14"),
        "a list of zeros": with_body(b"Content-Length: 0, 0"),
        "plus": with_body(b"Content-Length: +0"),
        "minus": with_body(b"Content-Length: -0"),
        "zeros": with_body(b"Content-Length: 00"),
        "hexadecimal": with_body(b"Content-Length: 0x0"),
        "underscore": with_body(b"Content-Length: 1_0"),
        "superscript": with_body(b"Content-Length: \xb2"),
        "empty length": with_body(b"Content-Length: "),
        "chunked": with_body(b"Transfer-Encoding: chunked", CHUNKED),
        "chunked and length": with_body(b"Transfer-Encoding: chunked\r\nContent-Length: 4", CHUNKED),
        "length and chunked": with_body(b"Content-Length: 4\r\nTransfer-Encoding: chunked", CHUNKED),
        "chunked twice": with_body(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", CHUNKED),
        "identity": with_body(b"Transfer-Encoding: identity"),
        "unknown coding": with_body(b"Transfer-Encoding: xchunked", CHUNKED),
        "coding with vertical tab": with_body(b"Transfer-Encoding: \x0bchunked", CHUNKED),
        "empty coding": with_body(b"Transfer-Encoding: ", CHUNKED),
        "coding behind a space": with_body(b"Transfer-Encoding : chunked", CHUNKED),
        "folded coding": with_body(b"Transfer-Encoding:\r\n chunked", CHUNKED),
        "coding behind a line feed": with_body(b"X: a\nTransfer-Encoding: chunked", CHUNKED),
        "coding behind a carriage return": with_body(b"X: a\rTransfer-Encoding: chunked", CHUNKED),
    }
)
def test_a_handshake_with_a_body_is_refused_and_nothing_read_as_frames(ask, servers, attack):
    servers("usual").clear()
    ask(attack)
    assert servers("usual").delivered == []


@pytest.mark.threat("smuggled bodies")
@table(
    {
        "length": posted(b"Content-Length: 5", b"12345", 200),
        "chunks": posted(b"Transfer-Encoding: chunked", b"2\r\n12\r\n3;a=b\r\n345\r\n0\r\nX: y\r\n\r\n", 200),
        "none": posted(b"X: y", b"", 200),
        "both": posted(b"Content-Length: 5\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
        "two lengths": posted(b"Content-Length: 5\r\nContent-Length: 5", b"12345"),
        "signed length": posted(b"Content-Length: +5", b"12345"),
        "length of many digits": posted(b"Content-Length: " + b"0" * 30 + b"5", b"12345"),
        "huge length": posted(b"Content-Length: 999999999999999999", status=413),
        "length over the limit": posted(b"Content-Length: 1001", status=413),
        "gzip": posted(b"Transfer-Encoding: gzip, chunked", b"0\r\n\r\n"),
        "chunked first": posted(b"Transfer-Encoding: chunked, identity", b"0\r\n\r\n"),
        "chunk size with a sign": posted(b"Transfer-Encoding: chunked", b"+2\r\n12\r\n0\r\n\r\n"),
        "chunk size with 0x": posted(b"Transfer-Encoding: chunked", b"0x2\r\n12\r\n0\r\n\r\n"),
        "chunk size with a space": posted(b"Transfer-Encoding: chunked", b"2 \r\n12\r\n0\r\n\r\n"),
        "chunk size with underscore": posted(b"Transfer-Encoding: chunked", b"0_2\r\n12\r\n0\r\n\r\n"),
        "chunk size of 16 digits": posted(b"Transfer-Encoding: chunked", b"f" * 16 + b"\r\n"),
        "huge chunk": posted(b"Transfer-Encoding: chunked", b"f" * 15 + b"\r\n", 413),
        "chunks over the limit": posted(b"Transfer-Encoding: chunked", (b"1f4\r\n" + b"x" * 500 + b"\r\n") * 3, 413),
        "chunk longer than it says": posted(b"Transfer-Encoding: chunked", b"2\r\n123\r\n0\r\n\r\n"),
        "chunk header ends in line feed": posted(b"Transfer-Encoding: chunked", b"2\n12\r\n0\r\n\r\n"),
        "chunk ends in line feed": posted(b"Transfer-Encoding: chunked", b"2\r\n12\n0\r\n\r\n"),
        "line feed in a chunk extension": posted(b"Transfer-Encoding: chunked", b"2;\n\r\n12\r\n0\r\n\r\n"),
        "chunk extensions without end": posted(
            b"Transfer-Encoding: chunked", (b"1;" + b"x" * 8000 + b"\r\n1\r\n") * 20, 431
        ),
        "trailers without end": posted(b"Transfer-Encoding: chunked", b"0\r\n" + b"X: y\r\n" * 200, 431),
    }
)
def test_a_plain_request_is_framed_strictly_and_what_follows_it_ignored(ask, attack):
    reply = ask(attack)
    assert reply.rest == b""
    if attack.status == 200:
        assert reply.body in (b"0 bytes\n", b"5 bytes\n")
        assert reply.ended == "eof"


@pytest.mark.threat("malformed headers")
@table(
    {
        name: Asked(request(extra=extra), 400)
        for name, extra in {
            "NUL in a value": b"X: a\0b",
            "NUL in a name": b"X\0: a",
            "carriage return in a value": b"X: a\rb",
            "line feed only": b"X: a\nY: b",
            "escape": b"X: \x1b[2J",
            "delete": b"X: \x7f",
            "space before the colon": b"X : a",
            "tab before the colon": b"X\t: a",
            "space before the name": b" X: a",
            "folded": b"X: a\r\n b",
            "folded by a tab": b"X: a\r\n\tb",
            "no colon": b"nonsense",
            "no name": b": a",
            "name with a space": b"X Y: a",
            "name with brackets": b"X[1]: a",
            "name in UTF-8": "Ünïcode: a".encode(),
            "name with a slash": b"X/Y: a",
        }.items()
    }
    | {
        "lines end in line feed": Asked(request().replace(b"\r\n", b"\n"), 400),
        "lines end in carriage return": Asked(request().replace(b"\r\n", b"\r") + b"\n", 400),
        "empty lines before": Asked(b"\r\n\r\n" + request(), 400),
        "version in other digits": Asked(request(line="GET / HTTP/1.¹".encode()), 400),
        "key in other digits": Asked(request({b"Sec-WebSocket-Version": b"\xef\xbc\x91\xef\xbc\x93"}), 426),
        "TLS": Asked(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n", 400),
        "SSH": Asked(b"SSH-2.0-OpenSSH_9.9\r\n", 400),
        "HTTP/2": Asked(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        "HTTP/0.9": Asked(b"GET /\r\n", 400),
        "spaces in the request line": Asked(request(line=b"GET  / HTTP/1.1"), 400),
        "tab in the request line": Asked(request(line=b"GET\t/ HTTP/1.1"), 400),
        "behind the version": Asked(request(line=b"GET / HTTP/1.1 x"), 400),
        "odd method": Asked(request(line=b"G(E)T / HTTP/1.1"), 400),
        "small version": Asked(request(line=b"GET / http/1.1"), 400),
    }
)
def test_malformed_headers_are_refused(ask, attack):
    ask(attack)


@pytest.mark.threat("malformed targets")
@pytest.mark.parametrize(
    "target",
    b"/\0|/a\rb|/a b|/a\tb|/\xe9|/\xc3\xa9|/\x7f|/#part|*|example.com:80|x|http://localhost/|ws://localhost/|".split(
        b"|"
    ),
)
def test_malformed_targets_are_refused(ask, target):
    ask(Asked(request(line=b"GET " + target + b" HTTP/1.1"), 400))


@pytest.mark.threat("Host and DNS rebinding")
@table(
    {
        "none": Asked(request({b"Host": None}), 400),
        "two": Asked(request(extra=b"Host: localhost"), 400),
        "two others": Asked(request(extra=b"host: other.example"), 400),
    }
    | {
        f"malformed {number}": Asked(request({b"Host": value}), 400)
        for number, value in enumerate(
            b"|a b|a/b|user@a|a:b|a:80:80|a:99999|[::1|[::g]|::1|a\\b|a#b|a?b|[v1.x]|\xe4|%zz|http://a|a:-1".split(b"|")
        )
    }
    | {
        f"of somebody else {number}": Asked(request({b"Host": value}), 421, server="guarded")
        for number, value in enumerate(
            b"evil.example localhost.evil.example good.example.evil.example xgood.example 127.0.0.1 sub.good.example"
            b" [::1] good.example. localhost%2eevil.example".split()
        )
    }
)
def test_the_host_must_be_one_and_ours(ask, attack):
    ask(attack)


@pytest.mark.threat("Host and DNS rebinding")
@pytest.mark.parametrize("host", [b"localhost", b"LOCALHOST:8765", b"good.example:443", b"Good.Example"])
def test_our_own_hosts_pass(ask, host):
    fields = {b"Host": host, b"Origin": b"https://good.example"}
    ask(Asked(request(fields), 101, server="guarded"))


def flood(peer: Peer) -> None:
    peer.send(PLAIN)
    peer.wait(done=lambda: len(peer.received) > 0)
    peer.stuff(PLAIN * 100, most=1 << 23)


@pytest.mark.threat("requests behind the first")
@table(
    {
        "refused": Asked(PLAIN * 1000, 426),
        "malformed": Asked((b"nonsense\r\n\r\n") * 1000, 400),
        "answered": Asked(PLAIN * 1000, 200, server="plain"),
        "a flood behind a refusal": Asked(flood, 426),
        "a flood before the answer": Asked(request(line=b"GET /slow HTTP/1.1") + bytes(100_000), 400, server="slow"),
    }
)
def test_one_request_is_answered_and_no_other(ask, attack):
    reply = ask(attack)
    assert reply.rest == b""
    assert reply.ended is not None


MARK = "<script>alert(1)</script>"


@pytest.mark.threat("telling error pages")
@table(
    {
        "target": Asked(request(line=f"GET /{MARK} HTTP/1.0".encode()), 505),
        "header": Asked(request(extra=f"X\0: {MARK}".encode()), 400),
        "key": Asked(request({b"Sec-WebSocket-Key": MARK.encode()}), 400),
        "version": Asked(request({b"Sec-WebSocket-Version": MARK.encode()}), 426),
        "extension": Asked(request(extra=f"Sec-WebSocket-Extensions: {MARK}".encode()), 400),
        "origin": Asked(request({b"Origin": MARK.encode()}), 403, server="guarded"),
        "host": Asked(request({b"Host": MARK.encode()}), 400),
        "credentials": Asked(request(extra=f"Authorization: {MARK}".encode()), 401, server="basic"),
    }
)
def test_an_error_page_tells_nothing_and_repeats_nothing(ask, attack):
    reply = ask(attack)
    shown = reply.body.decode() + str(reply.fields)
    assert "script" not in shown
    assert "Traceback" not in shown
    assert "twoway/" not in shown
