"""
Apache asks for credentials, with mod_auth_basic and with mod_auth_digest, before requests come to our server; and our
server asks curl.
"""

from __future__ import annotations

import time

import pytest
from server_rig.program import free_ports

from twoway.auth import Attempts, BasicAuthenticator, DigestAuthenticator
from twoway.http import Response, parse_uri
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


@pytest.mark.parametrize("credentials", USERS)
def test_the_plan_of_twoway_auth(apache, scheme, credentials):
    path = f"/{scheme}/chat?room=1"
    attempts = Attempts(parse_uri(apache.uri(path)), auth=credentials)
    with apache.serve():
        with pytest.raises(InvalidStatus) as excinfo, apache.connect(path):
            pass
        attempts.refuse(excinfo.value.response)
        with apache.connect(path, additional_headers=attempts.headers()) as client:
            attempts.accept(client.response)
            client.send("hello")
            assert client.recv() == "hello"


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


@pytest.mark.parametrize(
    ("option", "authenticator"),
    [
        ("--basic", BasicAuthenticator("chat", USERS)),
        ("--digest", DigestAuthenticator("chat", USERS)),
        ("--digest", DigestAuthenticator("chat", USERS, algorithms=["MD5"])),
        ("--digest", DigestAuthenticator("chat", USERS, algorithms=["SHA-256"])),
    ],
)
def test_our_server_asks_curl(driver, curl, option, authenticator):
    def process_request(connection, request):
        outcome = authenticator.check(request, time.monotonic())
        return outcome if isinstance(outcome, Response) else connection.respond(200, outcome)

    (port,) = free_ports(1)
    uri = f"http://127.0.0.1:{port}/chat?room=1"
    with driver.serve(lambda connection: None, port, process_request=process_request):
        for user, password in USERS:
            assert curl(option, "--user", f"{user}:{password}", uri) == (0, user)
        # Two requests at once: the nonce serves again, with the next count.
        assert curl(option, "--user", "ada:open sesame", uri, uri) == (0, "adaada")
        for wrong in ("ada:wrong", "nobody:open sesame"):
            status, output = curl(option, "--user", wrong, "--write-out", "%{http_code}", uri)
            assert (status, output[-3:]) == (0, "401")
