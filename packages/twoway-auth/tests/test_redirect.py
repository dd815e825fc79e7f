from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.auth import Attempts, RedirectError, Redirects
from twoway.auth._redirect import REDIRECT_STATUSES, resolve
from twoway.http import Headers, Response, StatusError, parse_uri


def go(start, location, redirects=True) -> str:
    """Follow one redirect; give the new URI, or why it is not followed."""
    plan = Attempts(parse_uri(start), redirects=redirects)
    try:
        plan.refuse(Response(302, "", Headers([("Location", location)])))
    except RedirectError as exc:
        assert plan.uri == parse_uri(start)
        return exc.reason
    return str(plan.uri)


BASE = "ws://example.com/b/c/d;p?q"


@pytest.mark.parametrize(
    ("location", "target"),
    [
        # RFC 3986 §5.4, without what has no meaning here
        ("g", "/b/c/g"),
        ("./g", "/b/c/g"),
        ("g/", "/b/c/g/"),
        ("/g", "/g"),
        ("?y", "/b/c/d;p?y"),
        ("g?y", "/b/c/g?y"),
        ("#s", "/b/c/d;p?q"),
        ("g#s", "/b/c/g"),
        ("g?y#s", "/b/c/g?y"),
        (";x", "/b/c/;x"),
        ("g;x", "/b/c/g;x"),
        (".", "/b/c/"),
        ("./", "/b/c/"),
        ("..", "/b/"),
        ("../", "/b/"),
        ("../g", "/b/g"),
        ("../..", "/"),
        ("../../g", "/g"),
        ("../../../g", "/g"),
        ("../../../../g", "/g"),
        ("/./g", "/g"),
        ("/../g", "/g"),
        ("g.", "/b/c/g."),
        (".g", "/b/c/.g"),
        ("g..", "/b/c/g.."),
        ("..g", "/b/c/..g"),
        ("./../g", "/b/g"),
        ("./g/.", "/b/c/g/"),
        ("g/./h", "/b/c/g/h"),
        ("g/../h", "/b/c/h"),
        ("g;x=1/../y", "/b/c/y"),
        ("g?y/../x", "/b/c/g?y/../x"),
        ("g#s/../x", "/b/c/g"),
    ],
)
def test_relative(location, target):
    if target == "/b/c/d;p?q":
        target = "it leads in a loop, ws://example.com/b/c/d;p -> ws://example.com/b/c/d;p"
        assert go(BASE, location) == target
    else:
        assert go(BASE, location) == f"ws://example.com{target}"


@pytest.mark.parametrize(
    ("start", "location", "target"),
    [
        ("ws://example.com/a", "ws://other.example/b?c", "ws://other.example/b?c"),
        ("ws://example.com/a", "http://other.example", "ws://other.example/"),
        ("ws://example.com/a", "https://other.example:8443/../b", "wss://other.example:8443/b"),
        ("ws://example.com/a", "HTTPS://example.com/a", "wss://example.com/a"),
        ("wss://example.com/a", "wss://other.example/", "wss://other.example/"),
        ("wss://example.com:8443/a", "//other.example/b", "wss://other.example/b"),
        ("wss://example.com:8443/a", "/b", "wss://example.com:8443/b"),
        ("ws://[::1]:81/a", "b", "ws://[::1]:81/b"),
        ("ws://[fe80::1%25eth0]/a", "b", "ws://[fe80::1%25eth0]/b"),
        ("ws://example.com/a", "b%20c", "ws://example.com/b%20c"),
        ("ws://example.com/a", "/b?c#d?e", "ws://example.com/b?c"),
        ("ws://example.com/a", "wss://example.com/a#", "wss://example.com/a"),
        ("ws://example.com/a", "/x:y", "ws://example.com/x:y"),
        ("ws://example.com/a", ".//x", "ws://example.com//x"),
        # Credentials in a Location are dropped: who redirects does not say who we are.
        ("ws://example.com/a", "ws://user:secret@example.com/b", "ws://example.com/b"),
        ("ws://user:secret@example.com/a", "/b", "ws://example.com/b"),
    ],
)
def test_target(start, location, target):
    assert go(start, location) == target


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("", "its Location is malformed"),
        ("/a b", "its Location is malformed"),
        ("/\xe9", "its Location is malformed"),
        ("/a\tb", "its Location is malformed"),
        ("/" + "a" * 8000, "its Location is malformed"),
        ("ftp://example.com/", "it leads to another scheme, 'ftp'"),
        ("javascript:alert(1)", "it leads to another scheme, 'javascript'"),
        ("file:///etc/passwd", "it leads to another scheme, 'file'"),
        ("://example.com/", "it leads to another scheme, ''"),
        ("http:other.example/a", "its Location has no host"),
        ("http:/a", "its Location has no host"),
        ("http://", "its Location leads nowhere: it has no host"),
        ("///a", "its Location leads nowhere: it has no host"),
        ("//a:99999/", "its Location leads nowhere: its port is not 1-65535"),
        ("//a:b/", "its Location leads nowhere: its user information, host or port is malformed"),
        ("//[::g]/", "its Location leads nowhere: its IPv6 address is malformed"),
        ("//a..b/", "its Location leads nowhere: its host is malformed"),
        ("//a\\@b/", "its Location leads nowhere: its user information, host or port is malformed"),
    ],
)
def test_location_that_leads_nowhere(location, reason):
    assert go("ws://example.com/a", location) == reason


@pytest.mark.parametrize("location", ["/a\r\nX: y", "/a\nb", "/a\x00b"])
def test_line_breaks_in_location(uri, location):
    # The parser of twoway.http refuses them before; whoever builds a Response by hand gets the same.
    headers = Headers._trusted([("Location", location)], {"location": [location]})
    with pytest.raises(RedirectError, match="its Location is malformed"):
        Attempts(uri).refuse(Response(302, "", headers))


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=40) | st.text("/.:?#@[]a%", max_size=20))
def test_any_location_leads_somewhere_or_to_a_documented_error(location):
    start = parse_uri("ws://example.com/a/b?c")
    plan = Attempts(start, redirects=Redirects(allow=["*.example.com"]))
    try:
        plan.refuse(Response(302, "", Headers([("Location", location)])))
    except RedirectError:
        assert plan.uri == start
    else:
        assert plan.uri.origin == start.origin or plan.uri.host.endswith(".example.com")
        assert "/../" not in plan.uri.path


def test_location_must_be_one(uri, redirect):
    with pytest.raises(RedirectError, match="no Location"):
        Attempts(uri).refuse(redirect())
    with pytest.raises(RedirectError, match="several Location"):
        Attempts(uri).refuse(redirect("/a", "/a"))


@pytest.mark.parametrize("status", sorted(REDIRECT_STATUSES))
def test_statuses(uri, redirect, status):
    plan = Attempts(uri)
    plan.refuse(redirect("/there", status=status))
    assert str(plan.uri) == "ws://example.com/there"


@pytest.mark.parametrize("status", [300, 304, 305, 306, 399])
def test_other_statuses(uri, redirect, status):
    with pytest.raises(StatusError) as caught:
        Attempts(uri).refuse(redirect("/there", status=status))
    assert type(caught.value) is StatusError


@pytest.mark.parametrize("redirects", [False, None])
def test_none_are_followed(uri, redirect, redirects):
    with pytest.raises(StatusError) as caught:
        Attempts(uri, redirects=redirects).refuse(redirect("/there"))
    assert type(caught.value) is StatusError


@pytest.mark.parametrize("location", ["ws://example.com/", "http://example.com/", "http://other.example/"])
def test_downgrade(location):
    assert go("wss://example.com/a", location).startswith("it leads from wss to ws, to ws://")
    assert go("wss://example.com/a", location, Redirects(allow_downgrade=True)).startswith("ws://")


@pytest.mark.parametrize(
    ("start", "location", "allowed"),
    [
        ("ws://example.com/", "ws://10.0.0.1/", False),
        ("ws://8.8.8.8/", "ws://[::1]/", False),
        ("ws://example.com/", "ws://localhost/", False),
        ("ws://example.com/", "ws://127.1/", False),
        ("ws://example.com/", "ws://other.example/", True),
        ("ws://localhost/", "ws://10.0.0.1/", True),
        ("ws://10.0.0.1/", "ws://10.0.0.2/", True),
    ],
)
def test_private_addresses(start, location, allowed):
    reason = f"it leads to a private address, {location}"
    assert go(start, location, Redirects(allow_private=False)) == (location if allowed else reason)
    assert go(start, location) == location


@pytest.mark.parametrize(
    ("location", "allowed"),
    [
        ("/other", True),
        ("ws://b.example/", True),
        ("wss://B.example:8443/", True),
        ("ws://c.example:81/", True),
        ("ws://c.example/", False),
        ("ws://x.d.example/", True),
        ("ws://x.y.d.example:9/", True),
        ("ws://d.example/", False),
        ("ws://xd.example/", False),
        ("ws://[::1]:9/", True),
        ("ws://[::2]/", False),
        ("ws://e.example:82/", False),
        ("ws://x.e.example:82/", True),
        ("ws://x.e.example/", False),
        ("ws://evil.example/b.example", False),
        ("ws://b.example.evil.example/", False),
        ("ws://example.com:81/", False),
    ],
)
def test_allowed_hosts(location, allowed):
    allow = ["b.EXAMPLE", "c.example:81", "*.d.example", "[::1]", "*.e.example:82"]
    reached = go("ws://example.com/", location, Redirects(allow=allow))
    assert reached.endswith(" is not allowed") is not allowed


def test_allow_function(uri, redirect):
    asked = []

    def allow(target):
        asked.append(str(target))
        return target.path == "/yes"

    plan = Attempts(uri, redirects=Redirects(allow=allow))
    plan.refuse(redirect("/yes"))
    with pytest.raises(RedirectError, match="ws://example.com/no is not allowed"):
        plan.refuse(redirect("/no?secret"))
    assert asked == ["ws://example.com/yes", "ws://example.com/no?secret"]


def test_observer(uri, redirect):
    seen = []
    redirects = Redirects(
        on_redirect=lambda source, target: seen.append((source.path, target.path)), allow=["b.example"]
    )
    plan = Attempts(uri, redirects=redirects)
    plan.refuse(redirect("/a"))
    plan.refuse(redirect("ws://b.example/b"))
    with pytest.raises(RedirectError):
        plan.refuse(redirect("ws://c.example/c"))
    assert seen == [("/chat", "/a"), ("/a", "/b")]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"limit": "10"}, TypeError, "limit must be an int, not str"),
        ({"limit": -1}, ValueError, "limit must be >= 0, not -1"),
        ({"allow": "example.com"}, TypeError, "allow must be a sequence of str, not str"),
        ({"allow": ["https://example.com"]}, ValueError, "allow must hold hosts with or without port, not 'https://ex"),
        ({"allow": ["*"]}, ValueError, "allow must hold hosts"),
        ({"allow": ["a/b"]}, ValueError, "allow must hold hosts"),
        ({"sensitive_headers": "X-Key"}, TypeError, "sensitive_headers must be a sequence of str, not str"),
    ],
)
def test_wrong_policy(arguments, error, text):
    with pytest.raises(error, match=f"^{text.replace('*', '.')}"):
        Redirects(**arguments)


@pytest.mark.parametrize("redirects", [1, "yes", 10, ["example.com"]])
def test_wrong_type(uri, redirects):
    with pytest.raises(TypeError, match="redirects must be Redirects, bool or None"):
        Attempts(uri, redirects=redirects)


def test_resolve_keeps_the_port(uri):
    assert resolve(uri, "/x") == "ws://example.com:80/x"
