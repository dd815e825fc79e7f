from __future__ import annotations

import pytest

from twoway.auth import Attempts, AuthError, BasicAuth, DigestAuth, PasswordAuth
from twoway.http import Response, parse_uri

BASIC = "Basic realm=r"
DIGEST = 'Digest realm="r", nonce="n", qop="auth"'
UNKNOWN = 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-9'
STALE = 'Digest realm="r", nonce="n2", qop="auth", stale=TRUE'
OTHER = "Negotiate"

NOTHING = None
REFUSED = "the user name or password was refused"


def outcome(plan, response) -> str:
    """Give the scheme of the next request, or the reason why there is none."""
    try:
        plan.refuse(response)
    except AuthError as exc:
        return exc.reason
    return plan.headers()["Authorization"].partition(" ")[0]


@pytest.mark.feature("HTTP Basic, Digest and Bearer authentication")
@pytest.mark.parametrize(
    ("auth", "first", "lines", "second"),
    [
        (("user", "secret"), None, [BASIC], "Basic"),
        (("user", "secret"), None, [BASIC, DIGEST], "Digest"),
        (("user", "secret"), None, [DIGEST], "Digest"),
        (("user", "secret"), None, [BASIC, UNKNOWN], "Digest is offered, but the algorithm 'SHA-9' is unknown"),
        (("user", "secret"), None, [OTHER], "Negotiate is asked for, and there is a user name and password"),
        (("user", "secret"), None, [], "no scheme is asked for, and there is a user name and password"),
        (PasswordAuth("user", "secret", allow_md5=False), None, [BASIC, DIGEST],
         "Digest is offered, but the algorithm MD5 is not allowed"),
        (PasswordAuth("user", "secret", preemptive=True), "Basic", [BASIC], REFUSED),
        (PasswordAuth("user", "secret", preemptive=True), "Basic", [BASIC, DIGEST], "Digest"),
        (DigestAuth("user", "secret"), None, [BASIC],
         "Basic is offered, which would show the password, and only Digest is allowed"),
        (DigestAuth("user", "secret"), None, [BASIC, UNKNOWN],
         "Digest is offered, but the algorithm 'SHA-9' is unknown"),
        (DigestAuth("user", "secret"), None, [BASIC, DIGEST], "Digest"),
        (DigestAuth("user", "secret", allow_basic=True), None, [BASIC], "Basic"),
        (DigestAuth("user", "secret", allow_basic=True), None, [BASIC, UNKNOWN], "Basic"),
        (DigestAuth("user", "secret", allow_basic=True), None, [BASIC, DIGEST], "Digest"),
        (DigestAuth("user", "secret", allow_basic=True), None, [UNKNOWN],
         "Digest is offered, but the algorithm 'SHA-9' is unknown"),
        (BasicAuth("user", "secret"), "Basic", [BASIC, DIGEST], REFUSED),
    ],
)  # fmt: skip
def test_answer(uri, challenge, auth, first, lines, second):
    plan = Attempts(uri, auth=auth)
    assert plan.headers().get("Authorization", "None").partition(" ")[0] == str(first)
    assert outcome(plan, challenge(*lines)) == second


@pytest.mark.parametrize("lines", [[DIGEST], [BASIC, DIGEST], [BASIC]])
def test_refused_twice(uri, challenge, lines):
    plan = Attempts(uri, auth=DigestAuth("user", "secret", allow_basic=True))
    assert outcome(plan, challenge(*lines)) in ("Basic", "Digest")
    assert outcome(plan, challenge(*lines)) == REFUSED
    assert "Authorization" not in plan.headers()


@pytest.mark.feature("HTTP Basic, Digest and Bearer authentication")
def test_no_downgrade_after_digest(uri, challenge):
    plan = Attempts(uri, auth=DigestAuth("user", "secret", allow_basic=True))
    assert outcome(plan, challenge(DIGEST)) == "Digest"
    assert outcome(plan, challenge(BASIC)) == REFUSED


def test_stale_nonce_is_replaced_once(uri, challenge, params, cnonces):
    plan = Attempts(uri, auth=DigestAuth("user", "secret", make_cnonce=cnonces))
    plan.refuse(challenge(DIGEST))
    plan.refuse(challenge(STALE))
    sent = params(plan.headers()["Authorization"])
    assert (sent["nonce"], sent["nc"], sent["cnonce"]) == ("n2", "00000001", "c2")
    assert outcome(plan, challenge(STALE)) == "the server calls each of its nonces stale"


def test_stale_nonce_and_wrong_password(uri, challenge):
    plan = Attempts(uri, auth=DigestAuth("user", "secret"))
    assert outcome(plan, challenge(DIGEST)) == "Digest"
    assert outcome(plan, challenge(STALE)) == "Digest"
    assert outcome(plan, challenge(DIGEST)) == REFUSED


@pytest.mark.parametrize("line", [DIGEST, STALE])
def test_nonce_of_the_last_connection_that_is_too_old(uri, challenge, params, line):
    auth = DigestAuth("user", "secret")
    plan = Attempts(uri, auth=auth)
    plan.refuse(challenge(DIGEST))
    plan.accept(Response(101, ""))
    plan = Attempts(uri, auth=auth)
    assert params(plan.headers()["Authorization"])["nc"] == "00000002"
    assert outcome(plan, challenge(line)) == "Digest"
    assert params(plan.headers()["Authorization"])["nc"] == "00000001"


def test_connections_at_the_same_time_do_not_share_a_nonce(uri, challenge):
    auth = DigestAuth("user", "secret")
    plan = Attempts(uri, auth=auth)
    plan.refuse(challenge(DIGEST))
    plan.accept(Response(101, ""))
    first, second = Attempts(uri, auth=auth), Attempts(uri, auth=auth)
    assert "Authorization" in first.headers()
    assert "Authorization" not in second.headers()


def test_nonces_belong_to_an_origin(challenge):
    auth = PasswordAuth("user", "secret")
    plan = Attempts(parse_uri("ws://one/"), auth=auth)
    plan.refuse(challenge(DIGEST))
    plan.accept(Response(101, ""))
    for other in ("ws://two/", "wss://one/", "ws://one:81/"):
        assert "Authorization" not in Attempts(parse_uri(other), auth=auth).headers()
    assert "Authorization" in Attempts(parse_uri("ws://one/other"), auth=auth).headers()


def test_nonces_of_so_many_origins_are_kept(challenge):
    auth = DigestAuth("user", "secret")
    uris = [parse_uri(f"ws://host{number}/") for number in range(70)]
    for uri in uris:
        plan = Attempts(uri, auth=auth)
        plan.refuse(challenge(DIGEST))
        plan.accept(Response(101, ""))
    assert sum("Authorization" in Attempts(uri, auth=auth).headers() for uri in uris) == 64


def test_repr_shows_no_secret():
    assert repr(DigestAuth("user", "secret")) == "DigestAuth(username='user')"
    assert repr(PasswordAuth("user", "secret")) == "PasswordAuth(username='user')"


def test_attributes():
    auth = DigestAuth("user", "secret", allow_basic=True)
    assert (auth.username, auth.password, auth.allow_md5, auth.allow_basic) == ("user", "secret", True, True)
    assert PasswordAuth("user", "secret", preemptive=True, allow_md5=False).preemptive
