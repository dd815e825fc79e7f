from __future__ import annotations

import base64
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twoway.auth import Attempts, BasicAuth, BasicAuthenticator, BasicClaim
from twoway.http import Headers, Request, Response, parse_uri


def request(value: str) -> Request:
    return Request("/", Headers([("Authorization", value)]))


def sign(username: str, password: str) -> Request:
    return Request("/", Attempts(parse_uri("ws://h/"), auth=BasicAuth(username, password)).headers())


def encoded(data: bytes) -> Request:
    return request(f"Basic {base64.b64encode(data).decode()}")


@pytest.mark.feature("HTTP Basic authentication")
@pytest.mark.parametrize(
    "value",
    ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "BASIC QWxhZGRpbjpvcGVuIHNlc2FtZQ=="],
)
def test_rfc_7617(value):
    assert BasicAuthenticator("WallyWorld", ("Aladdin", "open sesame")).check(request(value)) == "Aladdin"
    assert BasicAuthenticator("foo", ("test", "123£")).check(request("Basic dGVzdDoxMjPCow==")) == "test"


def test_challenge():
    response = BasicAuthenticator('a "b" \\').refuse()
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="a \\"b\\" \\\\", charset="UTF-8"'
    assert BasicAuthenticator().refuse().headers["WWW-Authenticate"] == 'Basic realm="", charset="UTF-8"'


USERS = [("ada", "secret"), ("bob", ""), ("", "nobody"), ("é", "pass:wörd"), ("ada", "second")]


@pytest.mark.feature("HTTP Basic authentication")
@pytest.mark.parametrize(("username", "password"), [*USERS, ("e\u0301", "pass:wo\u0308rd")])
def test_right(username, password):
    assert BasicAuthenticator("r", USERS).check(sign(username, password)) in (username, "é")


@pytest.mark.feature("HTTP Basic authentication")
@pytest.mark.parametrize(
    ("username", "password"),
    [("ada", ""), ("ada", "Secret"), ("ada", "secret "), ("Ada", "secret"), ("bob", "secret"), ("eve", ""), ("", "")],
)
def test_wrong(username, password):
    response = BasicAuthenticator("r", USERS).check(sign(username, password))
    assert isinstance(response, Response)
    assert response.status_code == 401
    assert "WWW-Authenticate" in response.headers


@pytest.mark.parametrize("username", ["ada", "eve", "bob", ""])
def test_the_time_does_not_tell_which_users_exist(monkeypatch, username):
    compared = []

    def compare(first, second):
        compared.append((type(first), len(first), len(second)))
        return real(first, second)

    real = hmac.compare_digest
    monkeypatch.setattr("hmac.compare_digest", compare)
    BasicAuthenticator("r", USERS).check(sign(username, "secret"))
    # All of them, whichever fits, as bytes of one length.
    assert compared == [(bytes, 32, 32)] * len(USERS)


@pytest.mark.parametrize(
    "message",
    [
        encoded(b"ada"),
        encoded(b""),
        encoded(b"ada:\xff"),
        encoded(b"ada:\xe9"),
        encoded(b"ada:a\r\nb"),
        encoded(b"a\x00da:secret"),
        encoded(b"\xed\xa0\x80:"),
        request("Basic YWRhOnNlY3JldA"),
        request("Basic YWRhOnNlY3JldA="),
        request("Basic YWRhOnNlY3JldA==="),
        request("Basic YWRh-nNl_3JldA=="),
        request("Basic YWRhOnNlY3JldA==~"),
    ],
)
def test_malformed(message):
    asked = []
    auth = BasicAuthenticator("r", check_credentials=lambda *pair: asked.append(pair) or True)
    assert auth.check(message).status_code == 401
    assert not asked


def test_function():
    auth = BasicAuthenticator("r", check_credentials=lambda username, password: (username, password) == ("é", "a:b"))
    assert auth.check(sign("é", "a:b")) == "é"
    assert auth.check(sign("é", "a:c")).status_code == 401


def test_claim_for_whoever_asks_somewhere_else():
    claim = BasicAuthenticator("r").read(sign("ada", "secret"))
    assert isinstance(claim, BasicClaim)
    assert (claim.username, claim.password) == ("ada", "secret")
    assert repr(claim) == "BasicClaim(username='ada')"
    assert claim.verify("secret")
    assert not claim.verify("other")
    assert not claim.verify(None)
    assert not BasicAuthenticator("r").read(sign("ada", "")).verify(None)
    assert claim.conclude(True) == "ada"
    assert claim.conclude(False) == claim.refuse() == BasicAuthenticator("r").refuse()


def test_function_that_is_to_be_awaited():
    async def check(username, password):
        return password == "secret"

    def run(awaitable):
        with pytest.raises(StopIteration) as caught:
            awaitable.send(None)
        return caught.value.value

    auth = BasicAuthenticator("r", check_credentials=check)
    claim = auth.read(sign("ada", "secret"))
    assert claim.conclude(run(claim.ask())) == "ada"
    pending = claim.ask()
    with pytest.raises(TypeError, match="answer must be a bool, not coroutine"):
        claim.conclude(pending)
    pending.close()


def test_function_must_return_bool():
    with pytest.raises(TypeError, match="answer must be a bool, not NoneType"):
        BasicAuthenticator("r", check_credentials=lambda username, password: None).check(sign("ada", "secret"))


def test_arguments():
    with pytest.raises(TypeError, match="credentials and check_credentials must not be given both"):
        BasicAuthenticator("r", ("ada", "secret"), lambda username, password: True)
    with pytest.raises(TypeError, match="credentials or check_credentials must be given"):
        BasicAuthenticator("r").check(sign("ada", "secret"))


@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
def test_any_credentials_get_an_answer(data):
    answer = BasicAuthenticator("r", ("ada", "secret")).check(encoded(data))
    assert isinstance(answer, Response) or data == b"ada:secret"
