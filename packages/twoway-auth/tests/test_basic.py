from __future__ import annotations

import pytest

from twoway.auth import Attempts, AuthError, BasicAuth


@pytest.mark.parametrize(
    ("username", "password", "value"),
    [
        ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617 §2
        ("test", "123£", "Basic dGVzdDoxMjPCow=="),  # RFC 7617 §2.1
        ("e\u0301", "", "Basic w6k6"),
    ],
)
def test_is_sent_at_once(uri, username, password, value):
    assert Attempts(uri, auth=BasicAuth(username, password)).headers()["Authorization"] == value


def test_is_sent_once(uri, challenge):
    plan = Attempts(uri, auth=BasicAuth("user", "secret"))
    with pytest.raises(AuthError, match="the user name or password was refused$"):
        plan.refuse(challenge('Basic realm="x"'))
    with pytest.raises(AuthError, match="the user name or password was sent, but Digest is asked for"):
        plan.refuse(challenge('Digest realm="x", nonce="y", qop="auth"'))


def test_repr_shows_no_secret():
    auth = BasicAuth("user", "secret")
    assert repr(auth) == "BasicAuth(username='user')"
    assert (auth.username, auth.password) == ("user", "secret")
