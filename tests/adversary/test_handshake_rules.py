"""Opening handshakes that are good HTTP and break a rule of RFC 6455, or lie in what they offer."""

from __future__ import annotations

import pytest
from adversary_rig.attack import Asked, table
from adversary_rig.wire import request

EXTENSIONS, PROTOCOL, KEY = b"Sec-WebSocket-Extensions", b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Key"
VERSION = {"sec-websocket-version": "13"}


def with_line(line: bytes, status: int, **fields: str) -> Asked:
    return Asked(request(line=line), status, fields=fields)


@pytest.mark.threat("handshake rules")
@table(
    {
        "no key": Asked(request({KEY: None}), 400),
        "empty key": Asked(request({KEY: b""}), 400),
        "key of 15 bytes": Asked(request({KEY: b"AAAAAAAAAAAAAAAAAAAA"}), 400),
        "key of 17 bytes": Asked(request({KEY: b"AAAAAAAAAAAAAAAAAAAAAAA="}), 400),
        "key without padding": Asked(request({KEY: b"dGhlIHNhbXBsZSBub25jZQ"}), 400),
        "key of other characters": Asked(request({KEY: b"dGhlIHNhbXBsZSBub25jZ_=="}), 400),
        "key with a space": Asked(request({KEY: b"dGhlIHNhbXBs ZSBub25jZQ="}), 400),
        "key in UTF-8": Asked(request({KEY: "dGhlIHNhbXBsZSBub25jé==".encode()}), 400),
        "two keys": Asked(request(extra=b"Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA=="), 400),
        "no version": Asked(request({b"Sec-WebSocket-Version": None}), 400),
        "old version": Asked(request({b"Sec-WebSocket-Version": b"8"}), 426, fields=VERSION),
        "new version": Asked(request({b"Sec-WebSocket-Version": b"14"}), 426, fields=VERSION),
        "version with a zero": Asked(request({b"Sec-WebSocket-Version": b"013"}), 426, fields=VERSION),
        "list of versions": Asked(request({b"Sec-WebSocket-Version": b"13, 8"}), 426, fields=VERSION),
        "two versions": Asked(request(extra=b"Sec-WebSocket-Version: 13"), 400),
        "no Upgrade": Asked(request({b"Upgrade": None}), 426, fields={"upgrade": "websocket"}),
        "Upgrade to something else": Asked(request({b"Upgrade": b"h2c"}), 426),
        "Upgrade to something like it": Asked(request({b"Upgrade": b"websockets"}), 426),
        "no Connection": Asked(request({b"Connection": None}), 426),
        "Connection without it": Asked(request({b"Connection": b"keep-alive"}), 426),
        "Connection with something like it": Asked(request({b"Connection": b"Upgrades, xUpgrade"}), 426),
        "HEAD": with_line(b"HEAD / HTTP/1.1", 405, allow="GET"),
        "POST": with_line(b"POST / HTTP/1.1", 405, allow="GET"),
        "CONNECT": with_line(b"CONNECT / HTTP/1.1", 405, allow="GET"),
        "small get": with_line(b"get / HTTP/1.1", 405, allow="GET"),
        "HTTP/1.0": with_line(b"GET / HTTP/1.0", 505),
        "HTTP/1.2": with_line(b"GET / HTTP/1.2", 505),
        "HTTP/2.0": with_line(b"GET / HTTP/2.0", 505),
        "HTTP/1.10": with_line(b"GET / HTTP/1.10", 400),
    }
)
def test_a_handshake_that_breaks_a_rule_is_refused(ask, attack):
    ask(attack)


@pytest.mark.threat("handshake rules")
@table(
    {
        "lists and case": Asked(request({b"Upgrade": b"h2c, WebSocket", b"Connection": b"keep-alive, UPGRADE"}), 101),
        "length of zero": Asked(request(extra=b"Content-Length: 0"), 101),
    }
)
def test_what_only_looks_odd_is_accepted(ask, attack):
    ask(attack)


def offer(value: bytes, answer: str | None = None, status: int = 101) -> Asked:
    fields = {} if answer is None else {EXTENSIONS.decode().lower(): answer}
    absent = (EXTENSIONS.decode().lower(),) if answer is None else ()
    return Asked(request({EXTENSIONS: value}), status, fields=fields, absent=absent)


GOOD = "permessage-deflate; server_max_window_bits=12"


@pytest.mark.threat("hostile offers of extensions")
@table(
    {
        name: offer(value)
        for name, value in {
            "unknown extension": b"x-unknown",
            "name of something in the language": b"__init__; __class__=__dict__",
            "name of something in another language": b"constructor, __proto__; toString",
            "unknown parameter": b"permessage-deflate; x",
            "parameter twice": b"permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "value where there is none": b"permessage-deflate; server_no_context_takeover=1",
            "no value where there is one": b"permessage-deflate; server_max_window_bits",
            "window of 7 bits": b"permessage-deflate; server_max_window_bits=7",
            "window of 16 bits": b"permessage-deflate; server_max_window_bits=16",
            "window of 010 bits": b"permessage-deflate; server_max_window_bits=010",
            "window of -9 bits": b"permessage-deflate; server_max_window_bits=-9",
            "window of +9 bits": b"permessage-deflate; server_max_window_bits=+9",
            "window of 1e1 bits": b"permessage-deflate; server_max_window_bits=1e1",
            "window of a million digits": b"permessage-deflate; server_max_window_bits=" + b"9" * 5000,
            "client's window of 07 bits": b"permessage-deflate; client_max_window_bits=07",
            "client's window of 16 bits": b"permessage-deflate; client_max_window_bits=16",
            "wrong name": b"permessage-deflat",
        }.items()
    }
    | {
        "the second offer is good": offer(b"permessage-deflate; x, permessage-deflate", GOOD),
        "two good ones": offer(b"permessage-deflate, permessage-deflate; server_no_context_takeover", GOOD),
        "a window that zlib cannot keep to, which is kept by using none": offer(
            b"permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=8"
        ),
        "quoted value": offer(b'permessage-deflate; server_max_window_bits="12"', GOOD),
    }
)
def test_a_bad_offer_is_declined_and_a_good_one_is_taken(ask, attack):
    ask(attack)


@pytest.mark.threat("hostile offers of extensions")
@table(
    {
        name: offer(value, status=400)
        for name, value in {
            "empty parameter": b"a;;b",
            "no name": b";a",
            "no value": b"a; b=",
            "no end of quotes": b'a; b="c',
            "quotes around spaces": b'a; b="c d"',
            "quotes around nothing": b'a; b=""',
            "spaces in a name": b"a b",
            "semicolon at the end": b"a; b;",
            "65 of them": b", ".join([b"a"] * 65),
            "65 parameters": b"a" + b"; b" * 65,
            "backslashes without end": b'a; b="' + b"\\" * 5000,
            "parameters without end": b"a; b=" + b"c; d=" * 1500,
        }.items()
    }
)
def test_an_offer_that_cannot_be_read_is_refused(ask, attack):
    ask(attack)


@pytest.mark.threat("hostile offers of extensions")
@pytest.mark.parametrize(
    "value",
    [b",".join([b" "] * 4000), b"\t" * 8000, b'a; b="' + b"\\a" * 3900 + b'"', b"a;" + b" " * 8000, b"a" * 8000],
    ids=["commas", "tabs", "quoted pairs", "spaces", "a long name"],
)
@pytest.mark.parametrize("name", [EXTENSIONS, PROTOCOL, b"Connection", b"Upgrade"])
def test_no_header_takes_long_to_read(ask, name, value):
    extra = b"\r\n".join([name + b": " + value] * 7)
    for _ in range(3):  # what is quadratic in the line would end in the timeout of the test
        reply = ask(Asked(request(extra=extra), 101 if _passes(name, value) else 400))
    assert reply.status in (101, 400)


def _passes(name: bytes, value: bytes) -> bool:
    if name in (b"Connection", b"Upgrade"):
        return True  # lists of anything
    if not value.strip(b" \t,"):
        return True  # empty lists
    return name == EXTENSIONS and value.rstrip() != b"a;"


@pytest.mark.threat("hostile offers of subprotocols")
@table(
    {
        "unknown": Asked(request({PROTOCOL: b"other, Chat, chat2"}), 101, absent=["sec-websocket-protocol"]),
        "one of ours": Asked(request({PROTOCOL: b"a, b, chat"}), 101, fields={"sec-websocket-protocol": "chat"}),
        "our first choice": Asked(
            request({PROTOCOL: b"v2.chat, chat"}), 101, fields={"sec-websocket-protocol": "chat"}
        ),
        "several lines": Asked(
            request(extra=b"Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: v2.chat"),
            101,
            fields={"sec-websocket-protocol": "v2.chat"},
        ),
        "twice": Asked(request({PROTOCOL: b"chat, chat"}), 400),
        "no token": Asked(request({PROTOCOL: b"chat, a b"}), 400),
        "quoted": Asked(request({PROTOCOL: b'"chat"'}), 400),
        "with parameters": Asked(request({PROTOCOL: b"chat;q=1"}), 400),
        "in UTF-8": Asked(request({PROTOCOL: "chät".encode()}), 400),
        "65 of them": Asked(request({PROTOCOL: b", ".join(b"p%d" % number for number in range(65))}), 400),
    }
)
def test_a_subprotocol_is_one_that_was_offered_or_none(ask, attack):
    ask(attack)


def from_origin(*values: bytes, status: int = 403) -> Asked:
    extra = b"\r\n".join(b"Origin: " + value for value in values)
    return Asked(request(extra=extra), status, server="guarded")


@pytest.mark.threat("pages of other sites")
@table(
    {
        "ours": from_origin(b"https://good.example", status=101),
        "none": Asked(request(), 403, server="guarded"),
        "null": from_origin(b"null"),
        "empty": from_origin(b""),
        "another": from_origin(b"https://evil.example"),
        "another scheme": from_origin(b"http://good.example"),
        "another port": from_origin(b"https://good.example:8443"),
        "with the usual port": from_origin(b"https://good.example:443"),
        "suffix": from_origin(b"https://good.example.evil.example"),
        "prefix": from_origin(b"https://evilgood.example"),
        "subdomain": from_origin(b"https://sub.good.example"),
        "user": from_origin(b"https://good.example@evil.example"),
        "path": from_origin(b"https://good.example/"),
        "capitals": from_origin(b"https://Good.example"),
        "dot": from_origin(b"https://good.example."),
        "list": from_origin(b"https://good.example https://evil.example"),
        "list with comma": from_origin(b"https://evil.example, https://good.example"),
        "in UTF-8": from_origin("https://gööd.example".encode()),
        "two, ours first": from_origin(b"https://good.example", b"https://evil.example", status=400),
        "two, ours last": from_origin(b"https://evil.example", b"https://good.example", status=400),
        "ours twice": from_origin(b"https://good.example", b"https://good.example", status=400),
    }
)
def test_only_our_own_pages_open_connections(ask, attack):
    ask(attack)
