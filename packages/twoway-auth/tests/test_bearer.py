from __future__ import annotations

import pytest

from twoway.auth import Attempts, AuthError, BearerAuth


@pytest.mark.feature("HTTP Basic, Digest and Bearer authentication")
def test_is_sent_at_once(uri):
    assert Attempts(uri, auth=BearerAuth("mF_9.B5f-4.1JqM")).headers()["Authorization"] == "Bearer mF_9.B5f-4.1JqM"
    assert Attempts(uri, auth=BearerAuth("a+/~==")).headers()["Authorization"] == "Bearer a+/~=="


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        # RFC 6750 §3, the example
        ('Bearer realm="example", error="invalid_token", error_description="expired"', "refused with 'invalid_token'"),
        ("Bearer", "the bearer token was refused$"),
        ("Basic realm=x, Newauth, Basic realm=y", "sent, but Basic, Newauth is asked for"),
        ("", "the bearer token was refused$"),
    ],
)
def test_error_says_why(uri, challenge, line, reason):
    with pytest.raises(AuthError, match=reason) as caught:
        Attempts(uri, auth=BearerAuth("secret")).refuse(challenge(line))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "a b", "a\r\nb", "=", "a=b", "é", '"a"', "a,"])
def test_token(token):
    with pytest.raises(ValueError, match="token"):
        BearerAuth(token)


def test_types():
    with pytest.raises(TypeError, match="token must be a str, not bytes"):
        BearerAuth(b"a")


def test_repr_shows_no_secret():
    assert repr(BearerAuth("secret")) == "BearerAuth()"
    assert BearerAuth("secret").token == "secret"
