from __future__ import annotations

import os
import sys

import pytest

from twoway.http import InvalidProxy, Proxy, choose_proxy, parse_uri

WS = parse_uri("ws://example.com/")
WSS = parse_uri("wss://example.com/")

LOOPBACK = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "app.localhost",
    "a.b.localhost.",
    "127.0.0.1",
    "127.255.255.254",
    "127.1",
    "[::1]",
    "[::1%25lo]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f12:1]",
]
ELSEWHERE = ["mylocalhost", "localhost.example", "128.0.0.1", "127.0.0.1.example", "[::2]", "[::ffff:8.8.8.8]", "1.127"]


@pytest.fixture(autouse=True)
def environ(monkeypatch):
    """Take every setting about proxies out of the environment."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("REQUEST_METHOD", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    return monkeypatch


def _chosen(uri):
    proxy = choose_proxy(True, parse_uri(uri))
    return None if proxy is None else (proxy.host, proxy.source)


@pytest.mark.parametrize("uri", [WS, WSS])
def test_given_directly(uri):
    assert choose_proxy(None, uri) is None
    assert choose_proxy("socks5://proxy", uri) == Proxy("socks5", "proxy", 1080)
    proxy = Proxy("http", "proxy", 3128, source="our file of settings")
    assert choose_proxy(proxy, uri) is proxy


def test_given_as_a_function():
    asked = []

    def find(uri):
        asked.append(uri)
        return "proxy:3128" if uri.secure else None

    assert choose_proxy(find, WSS) == Proxy("http", "proxy", 3128)
    assert choose_proxy(find, WS) is None
    assert choose_proxy(lambda uri: Proxy("http", "proxy", 1), WS) == Proxy("http", "proxy", 1)
    assert asked == [WSS, WS]


@pytest.mark.parametrize("proxy", [False, b"http://user:secret@proxy", 1, lambda uri: True, lambda uri: 3128])
def test_wrong_type(proxy):
    with pytest.raises(TypeError, match="proxy must be True, None, a str, a Proxy or a function") as excinfo:
        choose_proxy(proxy, WS)
    assert "secret" not in str(excinfo.value)


def test_a_proxy_that_is_given_serves_for_everything(environ):
    environ.setenv("no_proxy", "*")
    for host in (*LOOPBACK, "example.com"):
        uri = parse_uri(f"ws://{host}")
        assert choose_proxy("http://proxy:1", uri) == Proxy("http", "proxy", 1)
        assert choose_proxy(lambda uri: "http://proxy:1", uri) == Proxy("http", "proxy", 1)


def test_a_given_proxy_that_is_invalid():
    with pytest.raises(InvalidProxy, match=r"'http://\*\*\*@h:x' \(argument\) is not a proxy"):
        choose_proxy("http://user:secret@h:x", WS)


def test_nothing_is_set(environ):
    environ.delitem(sys.modules, "urllib.request", raising=False)
    assert choose_proxy(True, WS) is None
    assert choose_proxy(True, WSS) is None
    assert "urllib.request" not in sys.modules


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("wss://example.com", ["wss_proxy", "socks_proxy", "https_proxy", "all_proxy"]),
        ("ws://example.com", ["ws_proxy", "socks_proxy", "https_proxy", "http_proxy", "all_proxy"]),
    ],
)
def test_the_order_of_the_variables(environ, uri, names):
    for name in ("ftp_proxy", "wss_proxy" if uri.startswith("ws:") else "http_proxy"):
        environ.setenv(name, "http://never:1")
    assert _chosen(uri) is None
    for name in reversed(names):
        environ.setenv(name, f"http://{name.replace('_', '-')}:1")
        assert _chosen(uri) == (name.replace("_", "-"), f"environment variable {name}")


def test_the_error_names_the_variable(environ):
    environ.setenv("HTTPS_PROXY", "http://user:secret@proxy:http")
    with pytest.raises(InvalidProxy) as excinfo:
        choose_proxy(True, WSS)
    assert excinfo.value.source == "environment variable HTTPS_PROXY"
    assert "secret" not in str(excinfo.value)


def test_lower_case_wins_and_empty_means_nothing(environ):
    environ.setenv("HTTPS_PROXY", "http://upper:1")
    assert _chosen("wss://example.com") == ("upper", "environment variable HTTPS_PROXY")
    environ.setenv("https_proxy", "http://lower:1")
    assert _chosen("wss://example.com") == ("lower", "environment variable https_proxy")
    environ.setenv("https_proxy", "")
    assert _chosen("wss://example.com") is None


@pytest.mark.parametrize("host", LOOPBACK)
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_this_machine_is_never_behind_a_proxy(environ, host, scheme):
    for name in ("ws_proxy", "wss_proxy", "all_proxy"):
        environ.setenv(name, "http://proxy:1")
    assert _chosen(f"{scheme}://{host}:8765/") is None


@pytest.mark.parametrize("host", ELSEWHERE)
def test_what_only_looks_like_this_machine(environ, host):
    environ.setenv("all_proxy", "http://proxy:1")
    assert _chosen(f"ws://{host}/") is not None


@pytest.mark.parametrize(
    ("no_proxy", "uri", "direct"),
    [
        ("", "ws://example.com", False),
        ("*", "ws://example.com", True),
        ("other.example, *", "ws://example.com", True),
        ("example.com", "ws://example.com", True),
        ("EXAMPLE.com", "ws://example.com", True),
        ("example.com", "ws://www.example.com", True),
        (".example.com", "ws://www.example.com", True),
        ("*.example.com", "ws://www.example.com", True),
        ("*.example.com", "ws://www.example.com.", True),
        ("*.example.com", "ws://wwwexample.com", False),
        ("example.com", "ws://badexample.com", False),
        ("example.com:80", "ws://example.com", True),
        ("example.com:443", "wss://example.com", True),
        ("example.com:81", "ws://example.com", False),
        ("192.0.2.1", "ws://192.0.2.1", True),
        ("192.0.2.0/24", "ws://192.0.2.200:8000", True),
        ("192.0.2.7/24", "ws://192.0.2.200:8000", True),
        ("192.0.2.0/24", "ws://192.0.3.1", False),
        ("192.0.2.0/24", "ws://example.com", False),
        ("192.0.2.0/24", "ws://[2001:db8::1]", False),
        ("192.0.2.0/64", "ws://192.0.2.1", False),
        ("2001:db8::/32", "ws://[2001:db8::1]", True),
        ("[2001:db8::1]", "ws://[2001:db8:0::1]:8000", True),
        ("[2001:db8::1]", "ws://[2001:db8::2]", False),
        ("fe80::/10", "ws://[fe80::1%25eth0]", True),
        (" , a.example,, ,192.0.2.1 ", "ws://192.0.2.1", True),
    ],
)
def test_no_proxy(environ, no_proxy, uri, direct):
    environ.setenv("ws_proxy", "http://proxy:1")
    environ.setenv("wss_proxy", "http://proxy:1")
    environ.setenv("no_proxy", no_proxy)
    assert (_chosen(uri) is None) is direct


@pytest.mark.parametrize(
    ("settings", "scheme"),
    [
        ({"socks": "http://proxy:1"}, "socks5h"),  # macOS
        ({"socks": "socks://proxy:1"}, "socks5h"),  # Windows
        ({"socks": "proxy:1"}, "socks5h"),
        ({"socks": "socks4://proxy:1"}, "socks4"),
        ({"https": "socks5://proxy:1"}, "socks5"),
        ({"https": "proxy:1"}, "http"),
        ({"https": "https://proxy:1"}, "https"),
    ],
)
def test_settings_of_the_system(settings, scheme):
    proxy = choose_proxy(True, WSS, getproxies=lambda: settings, proxy_bypass=lambda host: 0)
    assert proxy == Proxy(scheme, "proxy", 1, source="system settings")


def test_the_system_names_exceptions_itself():
    asked = []

    def bypass(host):
        asked.append(host)
        return host == "example.com:443"

    settings = {"https": "http://proxy:1"}
    for uri in (WSS, WS, parse_uri("ws://[2001:db8::1%25eth0]:9/")):
        choose_proxy(True, uri, getproxies=lambda: settings, proxy_bypass=bypass)
    assert asked == ["example.com:443", "example.com:80", "[2001:db8::1]:9"]
    assert choose_proxy(True, WSS, getproxies=lambda: settings, proxy_bypass=bypass) is None


def test_one_function_alone_can_be_replaced(environ):
    environ.setenv("wss_proxy", "http://proxy:1")
    assert choose_proxy(True, WSS, proxy_bypass=lambda host: True) is None
    assert choose_proxy(True, WSS, getproxies=dict) is None


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_are_asked_without_any_variable(environ, platform):
    import urllib.request

    environ.setattr(sys, "platform", platform)
    environ.setattr(urllib.request, "getproxies", lambda: {"http": "http://proxy:1"})
    environ.setattr(urllib.request, "proxy_bypass", lambda host: False)
    assert choose_proxy(True, WS) == Proxy("http", "proxy", 1, source="system settings")
