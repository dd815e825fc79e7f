from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.http import Request, URIError, WebSocketURI, parse_uri


@pytest.mark.feature("internationalised addresses")
@pytest.mark.parametrize(
    ("uri", "parsed"),
    [
        ("ws://example.com", WebSocketURI(False, "example.com", 80)),
        ("ws://example.com/", WebSocketURI(False, "example.com", 80, "/")),
        ("wss://example.com/a/b?c=d", WebSocketURI(True, "example.com", 443, "/a/b", "c=d")),
        ("WSS://Example.COM", WebSocketURI(True, "example.com", 443)),
        ("ws://example.com?q", WebSocketURI(False, "example.com", 80, "/", "q")),
        ("ws://example.com/?", WebSocketURI(False, "example.com", 80)),
        ("ws://example.com./?a?b/c@d:e", WebSocketURI(False, "example.com.", 80, "/", "a?b/c@d:e")),
        ("ws://under_score:1", WebSocketURI(False, "under_score", 1)),
        ("wss://127.0.0.1:65535//x", WebSocketURI(True, "127.0.0.1", 65535, "//x")),
        ("ws://example.com:", WebSocketURI(False, "example.com", 80)),
        ("ws://[::1]:8080/", WebSocketURI(False, "::1", 8080)),
        ("ws://[FE80:0::1%25eth0]", WebSocketURI(False, "fe80::1%eth0", 80)),
        ("ws://[fe80::1%eth0]", WebSocketURI(False, "fe80::1%eth0", 80)),
        ("ws://user:pa%3Ass%40@h", WebSocketURI(False, "h", 80, username="user", password="pa:ss@")),
        ("ws://us%C3%A9r@h", WebSocketURI(False, "h", 80, username="us\u00e9r", password="")),
        ("ws://:pw@h", WebSocketURI(False, "h", 80, username="", password="pw")),
        ("ws://u:a:b%20c@h", WebSocketURI(False, "h", 80, username="u", password="a:b c")),
        ("ws://\u00fc:\u00e4@h", WebSocketURI(False, "h", 80, username="\u00fc", password="\u00e4")),
        ("ws://@h", WebSocketURI(False, "h", 80)),
        ("ws://m\u00fcller.example/", WebSocketURI(False, "xn--mller-kva.example", 80)),
        ("ws://h/\u00e9/%20%zz?\u00fc=[\u2603]", WebSocketURI(False, "h", 80, "/%C3%A9/%20%zz", "%C3%BC=[%E2%98%83]")),
        ('ws://h/{a}|"b"', WebSocketURI(False, "h", 80, "/%7Ba%7D%7C%22b%22")),
        ("ws://h/a%2Fb;c=d,e!$&'()*+~", WebSocketURI(False, "h", 80, "/a%2Fb;c=d,e!$&'()*+~")),
        ("ws://h/a%23b?c%23d", WebSocketURI(False, "h", 80, "/a%23b", "c%23d")),  # RFC 6455 §3: "#" MUST be escaped
    ],
)
def test_valid(uri, parsed):
    assert parse_uri(uri) == parsed
    assert Request(parsed.resource_name).serialize()


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "example.com",
        "//example.com",
        "ws:example.com",
        "ws:/example.com",
        "http://example.com",
        "https://example.com",
        "ws+unix://example.com",
        "1ws://example.com",
        "ws://",
        "ws:///path",
        "ws://:80",
        "ws://user@",
        "ws://h/#",
        "ws://h/#fragment",
        "ws://h#f",
        "ws://h:0",
        "ws://h:00000",
        "ws://h:65536",
        "ws://h:123456",
        "ws://h:8a",
        "ws://h:+80",
        "ws://h:\u0661",
        "ws://h:80:80",
        "ws://a@b@h",
        "ws://a b/",
        "ws://h/a b",
        "ws://h/\x00",
        "ws://h/\r\nX: y",
        "ws://h/\x7f",
        "ws://h/\x85",
        "ws://h/\u00a0",
        "ws://h\t/",
        "ws://u\n@h",
        " ws://h",
        "ws://h\\@evil/",
        "ws://ex%41mple.com",
        "ws://a,b",
        "ws://<h>",
        "ws://.example.com",
        "ws://a..b",
        "ws://" + "a" * 64,
        "ws://" + "a." * 127,
        "ws://" + "\u00e4" * 254,
        "ws://" + "\u00e4" * 64,
        "ws://\u00e4..b",
        "ws://ev\u2100l",
        "ws://a\uff0fb",
        "ws://a\uff1a80",
        "ws://\ud800",
        "ws://h/\ud800",
        "ws://h/?\ud800",
        "ws://::1/",
        "ws://[::1",
        "ws://[::1]x",
        "ws://[]",
        "ws://[1:2]",
        "ws://[::g]",
        "ws://[::1%]",
        "ws://[::1%25a/b]",
        "ws://[127.0.0.1]",
        "ws://%ff@h",
        "ws://u:%00@h",
        "ws://u%0d%0a:p@h",
    ],
)
def test_invalid(uri):
    with pytest.raises(URIError) as excinfo:
        parse_uri(uri)
    assert excinfo.value.reason
    assert str(excinfo.value).endswith(excinfo.value.reason)


@pytest.mark.parametrize("uri", [b"ws://h", None])
def test_wrong_type(uri):
    with pytest.raises(TypeError, match="uri must be a str"):
        parse_uri(uri)


@given(st.text(max_size=40))
def test_only_uri_errors(text):
    for uri in (text, f"ws://{text}", f"ws://h/{text}", f"ws://{text}@h", f"ws://[{text}]"):
        try:
            parsed = parse_uri(uri)
        except URIError:
            continue
        assert parsed.host.isascii()
        assert Request(parsed.resource_name).serialize().count(b"\r\n") == 2


@pytest.mark.feature("internationalised addresses")
@pytest.mark.parametrize(
    ("uri", "host_header"),
    [
        ("ws://h", "h"),
        ("ws://h:80", "h"),
        ("ws://h:443", "h:443"),
        ("wss://h:443", "h"),
        ("wss://h:80", "h:80"),
        ("ws://[::1]", "[::1]"),
        ("ws://[::1]:8080", "[::1]:8080"),
        ("ws://[fe80::1%25eth0]:8080", "[fe80::1]:8080"),
    ],
)
def test_host_header(uri, host_header):
    assert parse_uri(uri).host_header == host_header


@pytest.mark.feature("internationalised addresses")
def test_resource_name():
    assert parse_uri("ws://h/a?b").resource_name == "/a?b"
    assert parse_uri("ws://h").resource_name == "/"


def test_origin():
    assert parse_uri("wss://u:p@H/x").origin == ("wss", "h", 443)
    assert parse_uri("ws://h:443/x").origin == ("ws", "h", 443)


def test_credentials_are_not_shown():
    uri = parse_uri("wss://user:s3cret@[fe80::1%25eth0]:8080/a?b")
    assert "s3cret" not in repr(uri)
    assert str(uri) == "wss://***@[fe80::1%25eth0]:8080/a?b"
    assert str(parse_uri("ws://h:80")) == "ws://h/"


@pytest.mark.parametrize(
    "uri", ["ws://u:s3cret@h:0", "ws://u:s3c/s3cret@h#", "http://u:s3cret@h", "u:s3cret@h", "ws://u:s3cret@a@b"]
)
def test_credentials_are_not_shown_in_errors(uri):
    with pytest.raises(URIError) as excinfo:
        parse_uri(uri)
    assert "s3cret" not in f"{excinfo.value!s} {excinfo.value!r} {excinfo.value.uri}"
