"""Apache asks for credentials, with mod_auth_basic and with mod_auth_digest, before requests come to our server."""

from __future__ import annotations

import pytest

from twoway.protocol import InvalidStatus

USERS = [("ada", "open sesame"), ("gr\u00fcn", "p\u00e4ss:wort")]
CHALLENGES = {"basic": 'Basic realm="behind Basic"', "digest": 'Digest realm="behind Digest", nonce="'}


@pytest.fixture(params=list(CHALLENGES))
def scheme(request):
    return request.param


@pytest.fixture
def apache(make_site):
    return make_site("apache2", "tcp")


def _challenge(excinfo):
    assert excinfo.value.response.status_code == 401
    return excinfo.value.response.headers["WWW-Authenticate"]


def test_without_credentials(apache, scheme):
    with pytest.raises(InvalidStatus) as excinfo, apache.serve(), apache.connect(f"/{scheme}/chat"):
        pass
    assert _challenge(excinfo).startswith(CHALLENGES[scheme])


def test_apache_lets_others_in(apache, scheme, curl):
    """Prove the configuration with curl: our server answers, though not a handshake."""
    with apache.serve():
        uri = apache.uri(f"/{scheme}/chat").replace("ws", "http", 1)
        for user, password in USERS:
            status, output = curl(f"--{scheme}", "--user", f"{user}:{password}", "--write-out", "%{http_code}", uri)
            assert (status, output[-3:]) == (0, "426")
        status, output = curl(f"--{scheme}", "--user", "ada:wrong", "--write-out", "%{http_code}", uri)
        assert (status, output[-3:]) == (0, "401")


@pytest.mark.needs("auth")
@pytest.mark.parametrize("credentials", USERS)
def test_with_credentials(apache, scheme, credentials):
    with apache.serve(), apache.connect(f"/{scheme}/chat", auth=credentials) as client:
        client.send("hello")
        assert client.recv() == "hello"


@pytest.mark.needs("auth")
def test_wrong_password(apache, scheme):
    with (
        pytest.raises(InvalidStatus) as excinfo,
        apache.serve(),
        apache.connect(f"/{scheme}/chat", auth=("ada", "wrong")),
    ):
        pass
    assert _challenge(excinfo).startswith(CHALLENGES[scheme])
