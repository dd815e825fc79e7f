from __future__ import annotations

import pytest

from twoway.http import InvalidProxy, URIError, parse_proxy, parse_uri

# What is between "//" and the path is one grammar for servers and for proxies.
PARSERS = [
    pytest.param(lambda authority: parse_uri(f"wss://{authority}"), URIError, id="uri"),
    pytest.param(lambda authority: parse_proxy(f"http://{authority}"), InvalidProxy, id="proxy"),
]


@pytest.mark.parametrize(("parse", "error"), PARSERS)
@pytest.mark.parametrize(
    ("authority", "host", "port", "username", "password"),
    [
        ("example.com:1", "example.com", 1, None, None),
        ("EXAMPLE.com:65535", "example.com", 65535, None, None),
        ("m\u00fcller.example:1", "xn--mller-kva.example", 1, None, None),
        ("[FE80:0::1%25eth0]:1", "fe80::1%eth0", 1, None, None),
        ("127.0.0.1:1", "127.0.0.1", 1, None, None),
        ("user@h:1", "h", 1, "user", ""),
        ("u%20r:%40%2F%3a@h:1", "h", 1, "u r", "@/:"),
        ("@h:1", "h", 1, None, None),
    ],
)
def test_valid(parse, error, authority, host, port, username, password):
    parsed = parse(authority)
    assert (parsed.host, parsed.port, parsed.username, parsed.password) == (host, port, username, password)


@pytest.mark.parametrize(("parse", "error"), PARSERS)
@pytest.mark.parametrize(
    ("authority", "reason"),
    [
        ("", "it has no host"),
        (":80", "it has no host"),
        ("h:0", "its port is not 1-65535"),
        ("h:65536", "its port is not 1-65535"),
        ("h:x", "its user information, host or port is malformed"),
        ("a@b@h", "its user information, host or port is malformed"),
        ("[::1", "its user information, host or port is malformed"),
        ("[1:2]", "its IPv6 address is malformed"),
        ("[x]", "its IPv6 address is malformed"),
        ("a..b", "its host is malformed"),
        ("a" * 64, "its host is malformed"),
        ("\u00e4" * 254, "its host is malformed"),
        ("\u00e4" * 64, "its host is not an internationalised domain name"),
        ("%ff@h", "its user information is not UTF-8"),
        ("u:%0a@h", "its user information holds a control character or a lone surrogate"),
        ("\udcff@h", "its user information holds a control character or a lone surrogate"),
        ("u:\ud800@h", "its user information holds a control character or a lone surrogate"),
    ],
)
def test_invalid(parse, error, authority, reason):
    with pytest.raises(error) as excinfo:
        parse(authority)
    assert str(excinfo.value).endswith(reason)
