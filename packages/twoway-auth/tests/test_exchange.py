from __future__ import annotations

import hashlib

import pytest

from twoway.auth import Attempts, AuthError, BasicAuth, DigestAuth, PasswordAuth, ProxyAuth, read_auth
from twoway.http import HeaderError, Headers, Response, StatusError

PROXY = ("proxy.example", 3128)
DIGEST = 'Digest realm="r", nonce="n", qop="auth"'


def test_read_auth():
    auth = BasicAuth("user", "secret")
    assert read_auth(auth) is auth
    assert read_auth(None) is None
    pair = read_auth(("user", "secret"))
    assert isinstance(pair, PasswordAuth)
    assert (pair.username, pair.password, pair.preemptive) == ("user", "secret", False)


@pytest.mark.parametrize("auth", ["user:secret", ["user", "secret"], ("user",), ("a", "b", "c"), 1, {"user": "secret"}])
def test_types(uri, auth):
    for make in (read_auth, lambda auth: Attempts(uri, auth=auth), lambda auth: ProxyAuth(auth, "h:80", PROXY)):
        with pytest.raises(TypeError, match="auth must be credentials") as caught:
            make(auth)
        assert "secret" not in str(caught.value)


def test_pair_is_checked():
    with pytest.raises(TypeError, match="password must be a str"):
        read_auth(("user", None))


def test_proxy_without_credentials(challenge):
    auth = ProxyAuth(None, "example.com:443", PROXY)
    assert auth.headers() == Headers()
    auth.accept(Response(200, ""))
    with pytest.raises(AuthError) as caught:
        auth.refuse(challenge("Basic realm=squid", status=407))
    assert str(caught.value) == (
        "proxy wants authentication (HTTP 407): Basic is asked for, and there are no credentials for it"
    )


def test_proxy_with_basic(challenge):
    auth = ProxyAuth(PasswordAuth("user", "secret", preemptive=True), "example.com:443", PROXY)
    assert auth.headers() == Headers([("Proxy-Authorization", "Basic dXNlcjpzZWNyZXQ=")])
    with pytest.raises(AuthError, match=r"proxy .* refused"):
        auth.refuse(challenge("Basic realm=squid", status=407))


def test_proxy_with_digest(challenge, params, cnonces):
    credentials = DigestAuth("user", "secret", make_cnonce=cnonces)
    auth = ProxyAuth(credentials, "[::1]:443", PROXY)
    assert auth.headers() == Headers()
    auth.refuse(challenge(DIGEST, "Basic realm=r", status=407))
    sent = params(auth.headers()["Proxy-Authorization"])
    ha1 = hashlib.md5(b"user:r:secret").hexdigest()
    ha2 = hashlib.md5(b"CONNECT:[::1]:443").hexdigest()
    assert sent["uri"] == "[::1]:443"
    assert sent["response"] == hashlib.md5(f"{ha1}:n:00000001:c1:auth:{ha2}".encode()).hexdigest()
    auth.accept(Response(200, "", Headers([("Proxy-Authentication-Info", "nextnonce=m")])))
    # The next tunnel needs no challenge; for another proxy, and for servers, the nonce is none.
    next_one = ProxyAuth(credentials, "example.com:80", PROXY)
    assert params(next_one.headers()["Proxy-Authorization"])["nonce"] == "m"
    next_one.accept(Response(200, ""))
    assert ProxyAuth(credentials, "example.com:80", ("other", 3128)).headers() == Headers()


def test_proxy_that_lies(challenge):
    auth = ProxyAuth(DigestAuth("user", "secret"), "example.com:443", PROXY)
    auth.refuse(challenge(DIGEST, status=407))
    with pytest.raises(HeaderError, match="Proxy-Authentication-Info"):
        auth.accept(Response(200, "", Headers([("Proxy-Authentication-Info", "rspauth=x")])))


@pytest.mark.parametrize("status", [401, 302, 403, 502])
def test_other_answers_of_a_proxy(challenge, status):
    with pytest.raises(StatusError) as caught:
        ProxyAuth(("user", "secret"), "example.com:443", PROXY).refuse(challenge(DIGEST, status=status))
    assert type(caught.value) is StatusError


def test_server_challenge_is_not_for_the_proxy():
    response = Response(407, "", Headers([("WWW-Authenticate", DIGEST)]))
    with pytest.raises(AuthError, match="no scheme is asked for"):
        ProxyAuth(("user", "secret"), "example.com:443", PROXY).refuse(response)


@pytest.mark.parametrize("line", ["Basic realm=x y", "Digest " + "x" * 1_000_000])
def test_malformed_challenge(uri, challenge, line):
    plan = Attempts(uri, auth=("user", "secret"))
    with pytest.raises(AuthError, match="invalid WWW-Authenticate header") as caught:
        plan.refuse(challenge(line))
    assert len(str(caught.value)) < 300
    assert isinstance(caught.value.__cause__, HeaderError)
    assert "Authorization" not in plan.headers()
