from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.http import InvalidProxy, Proxy, parse_proxy


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy.example", Proxy("http", "proxy.example", 80)),
        ("https://proxy.example/", Proxy("https", "proxy.example", 443)),
        ("HTTP://Proxy.example:3128", Proxy("http", "proxy.example", 3128)),
        ("proxy.example:3128", Proxy("http", "proxy.example", 3128)),
        ("user:pass@proxy:3128", Proxy("http", "proxy", 3128, "user", "pass")),
        ("http://user@proxy", Proxy("http", "proxy", 80, "user", "")),
        ("http://us%40er:p%2Fa%23s@proxy", Proxy("http", "proxy", 80, "us@er", "p/a#s")),
        ("http://[::1]:8080/", Proxy("http", "::1", 8080)),
        ("socks4://proxy", Proxy("socks4", "proxy", 1080)),
        ("socks4a://user@proxy", Proxy("socks4a", "proxy", 1080, "user", "")),
        ("socks5://user:pass@proxy:1", Proxy("socks5", "proxy", 1, "user", "pass")),
        ("socks5h://proxy", Proxy("socks5h", "proxy", 1080)),
        ("socks://proxy", Proxy("socks5h", "proxy", 1080)),
    ],
)
def test_valid(url, proxy):
    assert parse_proxy(url) == proxy
    assert proxy.is_socks is proxy.scheme.startswith("socks")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "it has no host"),
        ("http://", "it has no host"),
        ("ftp://proxy", "its scheme is none of http, https, socks4, socks4a, socks5, socks5h"),
        ("://proxy", "its scheme is none of http, https, socks4, socks4a, socks5, socks5h"),
        ("http://proxy/path", "it has a path, query or fragment; in a password, / ? # are percent-encoded"),
        ("http://proxy?query", "it has a path, query or fragment; in a password, / ? # are percent-encoded"),
        ("http://user:p#ss@proxy", "it has a path, query or fragment; in a password, / ? # are percent-encoded"),
        ("http://user:p/ss@proxy", "it has a path, query or fragment; in a password, / ? # are percent-encoded"),
        ("http://proxy\r\nHost: x", "it holds a space or control character"),
        ("http://pro xy", "it holds a space or control character"),
        ("http://proxy:0", "its port is not 1-65535"),
        ("http://a%3Ab:c@proxy", "its user name holds a colon"),
        ("socks4://user:pass@proxy", "SOCKS 4 has no passwords"),
        ("socks5://:pass@proxy", "SOCKS 5 takes user names of 1 to 255 bytes, passwords of 255"),
        (f"socks5h://{'u' * 256}@proxy", "SOCKS 5 takes user names of 1 to 255 bytes, passwords of 255"),
        (f"socks5://u:{'%C3%A9' * 128}@proxy", "SOCKS 5 takes user names of 1 to 255 bytes, passwords of 255"),
    ],
)
def test_invalid(url, reason):
    with pytest.raises(InvalidProxy) as excinfo:
        parse_proxy(url, "environment variable http_proxy")
    assert excinfo.value.msg == reason
    assert "(environment variable http_proxy)" in str(excinfo.value)
    assert "pass" not in str(excinfo.value).replace("passwords", "").replace("in a password", "")
    assert "ss@" not in str(excinfo.value)


@pytest.mark.parametrize("url", [b"http://proxy", None, True])
def test_wrong_type(url):
    with pytest.raises(TypeError, match="proxy must be a str"):
        parse_proxy(url)


def test_the_password_is_not_shown():
    proxy = parse_proxy("http://user:secret@proxy:3128", "system settings")
    assert str(proxy) == "http://***@proxy:3128"
    assert "secret" not in repr(proxy)
    assert str(parse_proxy("socks5://[fe80::1]")) == "socks5://[fe80::1]:1080"


def test_without_password():
    proxy = parse_proxy("http://user:secret@proxy:3128")
    assert proxy.without_password() == Proxy("http", "proxy", 3128, "user")
    assert proxy.password == "secret"


@given(st.text() | st.text(alphabet="htps:/@[].%0a1?# \u00e4").map("http://{}".format))
def test_every_string_is_a_proxy_or_an_error(url):
    try:
        proxy = parse_proxy(url)
    except InvalidProxy:
        return
    assert parse_proxy(str(proxy).replace("***@", "")) == Proxy(proxy.scheme, proxy.host, proxy.port)
