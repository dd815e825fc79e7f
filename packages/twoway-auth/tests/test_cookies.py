from __future__ import annotations

import http.cookiejar

import pytest

from twoway.auth import Attempts
from twoway.http import Headers, Response, parse_uri


@pytest.fixture
def jar():
    return http.cookiejar.CookieJar()


def visit(jar, uri, *cookies) -> None:
    Attempts(parse_uri(uri), cookies=jar).accept(Response(101, "", Headers([("Set-Cookie", each) for each in cookies])))


def sent(jar, uri) -> str | None:
    return Attempts(parse_uri(uri), cookies=jar).headers().get("Cookie")


@pytest.mark.feature("keep cookies")
@pytest.mark.parametrize(
    ("source", "cookie", "target", "value"),
    [
        ("ws://a.example/", "c=1", "ws://a.example/x?y", "c=1"),
        ("ws://a.example/", "c=1", "wss://a.example/", "c=1"),
        ("ws://a.example:81/", "c=1", "ws://a.example:82/", "c=1"),
        ("ws://a.example/", "c=1", "ws://b.example/", None),
        ("ws://a.example/", "c=1; Domain=b.example", "ws://b.example/", None),
        ("ws://a.b.example/", "c=1; Domain=b.example", "ws://d.b.example/", "c=1"),
        ("ws://a.example/x/y", "c=1", "ws://a.example/x/z", "c=1"),
        ("ws://a.example/x/y", "c=1", "ws://a.example/", None),
        ("ws://a.example/", "c=1; Path=/x", "ws://a.example/x", "c=1"),
        ("wss://a.example/", "c=1; Secure", "wss://a.example/", "c=1"),
        ("wss://a.example/", "c=1; Secure", "ws://a.example/", None),
        ("wss://localhost/", "c=1; Secure", "ws://localhost/", None),
        ("ws://localhost/", "c=1; HttpOnly", "ws://localhost/", "c=1"),
        ("ws://127.0.0.1:8765/", "c=1", "ws://127.0.0.1:8765/", "c=1"),
        ("ws://[::1]:8765/", "c=1", "ws://[::1]:8765/", "c=1"),
        ("ws://a.example/", "c=1; Max-Age=0", "ws://a.example/", None),
        ("ws://a.example/", "c=\xe9\x80", "ws://a.example/", "c=\xe9\x80"),
    ],
)
def test_which_cookies_are_sent(jar, source, cookie, target, value):
    visit(jar, source, cookie)
    assert sent(jar, target) == value


def test_ports_can_be_told_apart(jar):
    jar.set_policy(http.cookiejar.DefaultCookiePolicy(rfc2965=True))
    uri = parse_uri("ws://a.example:81/")
    response = Response(101, "", Headers([("Set-Cookie2", 'c=1; Version=1; Port="81"')]))
    Attempts(uri, cookies=jar).accept(response)
    assert "c=1" in sent(jar, "ws://a.example:81/")
    assert sent(jar, "ws://a.example:82/") is None


def test_old_kind_of_cookie_header_is_not_sent(jar):
    jar.set_policy(http.cookiejar.DefaultCookiePolicy(rfc2965=True))
    visit(jar, "ws://a.example/", "c=1")
    plan = Attempts(parse_uri("ws://a.example/"), cookies=jar)
    assert plan.headers() == Headers({"Cookie": "c=1"})


def test_policy_about_third_parties(jar, redirect):
    jar.set_policy(http.cookiejar.DefaultCookiePolicy(strict_ns_unverifiable=True))
    visit(jar, "ws://b.example/", "c=1")
    assert sent(jar, "ws://b.example/") == "c=1"
    plan = Attempts(parse_uri("ws://a.example/"), cookies=jar)
    plan.refuse(redirect("ws://b.example/"))
    assert "Cookie" not in plan.headers()


@pytest.mark.parametrize(
    "cookie", ["", "=", ";;;", "a=b; Expires=nonsense", "a=b; Max-Age=x", "a=b; Domain=" + "." * 4000]
)
def test_junk(jar, cookie):
    visit(jar, "ws://a.example/", cookie)
    sent(jar, "ws://a.example/")


def test_any_object_with_the_two_methods():
    class Jar:
        def add_cookie_header(self, request):
            request.add_unredirected_header("Cookie", request.get_full_url())

        def extract_cookies(self, response, request):
            self.seen = response.info().get_all("Set-Cookie", []), request.host, request.type

    jar = Jar()
    plan = Attempts(parse_uri("wss://a.example:8443/x?y"), cookies=jar)
    assert plan.headers()["Cookie"] == "https://a.example:8443/x?y"
    plan.accept(Response(101, ""))
    assert jar.seen == ([], "a.example:8443", "https")
