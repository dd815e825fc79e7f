from __future__ import annotations

import http.cookiejar
import itertools

import pytest

from twoway.auth import Attempts, AuthError, BasicAuth, BearerAuth, DigestAuth, RedirectError, Redirects
from twoway.http import Headers, Response, StatusError, parse_uri

DIGEST = 'Digest realm="r", nonce="n", qop="auth"'
SECRETS = [
    ("Authorization", "Bearer a"),
    ("Cookie", "b=c"),
    ("Proxy-Authorization", "d"),
    ("Host", "e"),
    ("X-Key", "f"),
]


def test_nothing_special(uri):
    plan = Attempts(uri, headers={"X-Key": "f"})
    assert (plan.uri, plan.history, plan.same_origin) == (uri, (uri,), True)
    assert plan.headers() == Headers({"X-Key": "f"})
    plan.accept(Response(101, ""))


def test_headers_are_copies(uri):
    given = Headers({"A": "b"})
    plan = Attempts(uri, headers=given, auth=BearerAuth("t"))
    plan.headers()["C"] = "d"
    assert plan.headers() == Headers([("A", "b"), ("Authorization", "Bearer t")])
    assert given == Headers({"A": "b"})


def test_credentials_in_the_uri():
    plan = Attempts(parse_uri("ws://Aladdin:open%20sesame@example.com/"))
    assert plan.headers()["Authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert plan.uri == parse_uri("ws://example.com/")


def test_credentials_in_the_uri_answer_digest(challenge, params):
    plan = Attempts(parse_uri("ws://user:secret@example.com/"))
    plan.refuse(challenge(DIGEST))
    assert params(plan.headers()["Authorization"])["username"] == "user"


def test_credentials_in_the_uri_must_be_possible():
    with pytest.raises(ValueError, match="username must not hold a colon"):
        Attempts(parse_uri("ws://a%3Ab@example.com/"))


def test_which_credentials_win():
    uri = parse_uri("ws://user:secret@example.com/")
    assert Attempts(uri, auth=BearerAuth("t")).headers()["Authorization"] == "Bearer t"
    assert Attempts(uri, headers={"authorization": "Bearer u"}).headers()["Authorization"] == "Bearer u"
    with pytest.raises(ValueError, match="headers must not hold Authorization beside auth"):
        Attempts(uri, auth=BearerAuth("t"), headers={"authorization": "Bearer u"})


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, "Basic is asked for, and there are no credentials"),
        ({"headers": SECRETS}, "Basic is asked for, and the Authorization header that was given was refused"),
    ],
)
def test_no_credentials(uri, challenge, arguments, reason):
    plan = Attempts(uri, **arguments)
    with pytest.raises(AuthError) as caught:
        plan.refuse(challenge("Basic realm=r"))
    assert caught.value.reason == reason
    assert caught.value.response.status_code == 401


@pytest.mark.parametrize("status", [200, 400, 402, 403, 404, 407, 426, 500, 503])
def test_other_answers(uri, status):
    response = Response(status, "", Headers([("Location", "/x"), ("WWW-Authenticate", "Basic")]))
    with pytest.raises(StatusError) as caught:
        Attempts(uri, auth=("user", "secret")).refuse(response)
    assert type(caught.value) is StatusError
    assert caught.value.response is response


@pytest.mark.feature("follow redirects")
@pytest.mark.parametrize(
    "location",
    ["wss://example.com/", "ws://example.com:81/", "ws://other.example/", "ws://www.example.com/", "//example.com./"],
)
def test_another_origin_gets_no_secrets(uri, redirect, location):
    plan = Attempts(uri, headers=[*SECRETS, ("Origin", "https://example.com")])
    plan.refuse(redirect(location))
    assert not plan.same_origin
    assert plan.headers() == Headers([("X-Key", "f"), ("Origin", "https://example.com")])


def test_the_same_origin_gets_all(uri, redirect):
    plan = Attempts(uri, headers=SECRETS)
    for location in ("/a", "http://EXAMPLE.com:80/b", "//example.com/c"):
        plan.refuse(redirect(location))
        assert plan.same_origin
        assert plan.headers() == Headers(SECRETS)


def test_more_headers_can_be_sensitive(uri, redirect):
    plan = Attempts(uri, headers=SECRETS, redirects=Redirects(sensitive_headers=["x-key", "x-other"]))
    plan.refuse(redirect("ws://other.example/"))
    assert plan.headers() == Headers()


@pytest.mark.parametrize("auth", [None, BasicAuth("user", "secret"), BearerAuth("t"), DigestAuth("user", "secret")])
def test_credentials_are_for_one_origin(challenge, redirect, auth):
    plan = Attempts(parse_uri(f"ws://{'' if auth else 'user:secret@'}example.com/"), auth=auth)
    plan.refuse(redirect("ws://other.example/"))
    assert plan.headers() == Headers()
    for line in (DIGEST, "Basic realm=r", "Bearer"):
        with pytest.raises(AuthError, match="the credentials are for ws://example.com only"):
            plan.refuse(challenge(line))


def test_credentials_do_not_come_back(redirect, challenge, uri):
    plan = Attempts(uri, auth=BasicAuth("user", "secret"), headers=SECRETS[1:])
    plan.refuse(redirect("ws://other.example/"))
    plan.refuse(redirect("ws://example.com/delete?everything"))
    assert plan.same_origin
    assert plan.headers() == Headers({"X-Key": "f"})
    with pytest.raises(AuthError, match="for ws://example.com only"):
        plan.refuse(challenge("Basic"))


def test_header_of_the_caller_does_not_come_back(redirect, challenge, uri):
    plan = Attempts(uri, headers=SECRETS)
    plan.refuse(redirect("ws://other.example/"))
    with pytest.raises(AuthError, match="for ws://example.com only"):
        plan.refuse(challenge("Basic"))


def test_digest_follows_a_redirect_within_the_origin(uri, challenge, redirect, params):
    plan = Attempts(uri, auth=DigestAuth("user", "secret"))
    plan.refuse(challenge(DIGEST))
    plan.refuse(redirect("/other"))
    sent = params(plan.headers()["Authorization"])
    assert (sent["uri"], sent["nc"]) == ("/other", "00000002")


def test_redirect_then_challenge(uri, challenge, redirect, params):
    plan = Attempts(uri, auth=("user", "secret"))
    plan.refuse(redirect("/other"))
    plan.refuse(challenge(DIGEST))
    assert params(plan.headers()["Authorization"])["uri"] == "/other"


def failure(plan, redirect, *locations) -> RedirectError:
    for location in locations[:-1]:
        plan.refuse(redirect(location))
    with pytest.raises(RedirectError) as caught:
        plan.refuse(redirect(locations[-1]))
    return caught.value


@pytest.mark.feature("follow redirects")
def test_loops_are_named(redirect):
    plan = Attempts(parse_uri("ws://user:secret@a.example/?token=secret"))
    exc = failure(plan, redirect, "ws://b.example/", "ws://a.example/?token=secret")
    path = "ws://a.example/ -> ws://b.example/ -> ws://a.example/"
    assert str(exc) == f"redirect (HTTP 302) not followed: it leads in a loop, {path}"
    assert exc.history == ("ws://a.example/", "ws://b.example/")


def test_redirect_to_itself(uri, redirect):
    assert "in a loop" in str(failure(Attempts(uri), redirect, str(uri)))


def test_longer_loops_are_shortened(uri, redirect):
    exc = failure(Attempts(uri), redirect, "/1", "/2", "/3", "/" + "4" * 200, "/1")
    path = f"... -> ws://example.com/2 -> ws://example.com/3 -> ws://example.com/{'4' * 83}... -> ws://example.com/1"
    assert exc.reason == f"it leads in a loop, {path}"


@pytest.mark.feature("follow redirects")
@pytest.mark.parametrize(("redirects", "limit"), [(True, 10), (Redirects(limit=2), 2), (Redirects(limit=0), 0)])
def test_limit(uri, redirect, redirects, limit):
    plan = Attempts(uri, redirects=redirects)
    exc = failure(plan, redirect, *[f"/{number}" for number in range(limit + 1)])
    assert exc.reason.startswith(f"there are more than {limit} redirects, ")
    assert len(plan.history) == len(exc.history) == limit + 1


def test_with_cookies_a_loop_may_end(uri, redirect):
    plan = Attempts(uri, cookies=http.cookiejar.CookieJar())
    plan.refuse(redirect("/login"))
    response = redirect(str(uri))
    response.headers["Set-Cookie"] = "session=1"
    plan.refuse(response)
    assert plan.headers()["Cookie"] == "session=1"
    exc = failure(plan, redirect, *["/login", str(uri)] * 4, "/login")
    assert exc.reason.startswith("there are more than 10 redirects, in a loop, ... -> ")


@pytest.mark.feature("limits against hostile peers")
def test_servers_that_never_stop(challenge, redirect, follow):
    """Whatever they answer, in any order, the requests end."""
    stale = 'Digest realm="r", nonce="{}", qop="auth", stale=true'
    numbers = itertools.count()
    answers = {
        "stale": lambda: challenge(stale.format(next(numbers))),
        "basic": lambda: challenge("Basic realm=r"),
        "both": lambda: challenge(stale.format(next(numbers)), "Basic realm=r"),
        "here": lambda: redirect(f"/{next(numbers)}"),
        "there": lambda: redirect(f"ws://h{next(numbers)}.example/"),
    }
    for one in answers.values():
        for two in answers.values():
            for three in answers.values():
                turns = itertools.cycle([one, two, three])
                for auth in (("user", "secret"), DigestAuth("user", "secret", allow_basic=True), BearerAuth("t"), None):
                    plan = Attempts(parse_uri("ws://user:secret@example.com/"), auth=auth)
                    with pytest.raises((AuthError, RedirectError)):
                        follow(plan, lambda uri, headers, turns=turns: next(turns)())


@pytest.mark.feature("keep cookies")
def test_cookies(uri, redirect):
    jar = http.cookiejar.CookieJar()
    plan = Attempts(uri, cookies=jar, headers={"Cookie": "mine=1"})
    assert plan.headers()["Cookie"] == "mine=1"
    response = redirect("ws://other.example/")
    response.headers["Set-Cookie"] = "theirs=2; Path=/"
    plan.refuse(response)
    assert "Cookie" not in plan.headers()
    plan.accept(Response(101, "", Headers([("Set-Cookie", "a=3; Path=/"), ("Set-Cookie", "b=4; Path=/")])))
    assert Attempts(parse_uri("ws://other.example/x"), cookies=jar).headers()["Cookie"] == "a=3; b=4"
    plan = Attempts(uri, cookies=jar, headers=[("Cookie", "mine=1"), ("Cookie", "too=1")])
    assert plan.headers().get_all("Cookie") == ["mine=1; too=1; theirs=2"]


def test_cookies_of_a_challenge(uri, challenge):
    plan = Attempts(uri, auth=("user", "secret"), cookies=http.cookiejar.CookieJar())
    response = challenge("Basic realm=r")
    response.headers["Set-Cookie"] = "a=b"
    plan.refuse(response)
    assert plan.headers() == Headers([("Cookie", "a=b"), ("Authorization", "Basic dXNlcjpzZWNyZXQ=")])
