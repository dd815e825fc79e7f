"""
Apache asks for credentials, with mod_auth_basic and with mod_auth_digest, before requests come to our server; and our
server asks curl.
"""

from __future__ import annotations

from urllib.parse import quote

import pytest
from server_rig.program import free_ports

from twoway.auth import Attempts, AuthError, BasicAuth, DigestAuth
from twoway.http import parse_uri
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


@pytest.mark.parametrize("credentials", USERS)
def test_with_credentials(apache, scheme, credentials):
    with apache.serve(), apache.connect(f"/{scheme}/chat", auth=credentials) as client:
        client.send("hello")
        assert client.recv() == "hello"


@pytest.mark.parametrize("credentials", USERS)
def test_with_credentials_of_that_kind(apache, scheme, credentials):
    kind = {"basic": BasicAuth, "digest": DigestAuth}[scheme]
    with apache.serve(), apache.connect(f"/{scheme}/chat?room=1", auth=kind(*credentials)) as client:
        client.send("hello")
        assert client.recv() == "hello"


@pytest.mark.parametrize(("user", "password"), USERS)
def test_with_credentials_in_the_uri(apache, driver, scheme, user, password):
    uri = apache.uri(f"/{scheme}/chat").replace("//", f"//{quote(user)}:{quote(password, safe='')}@")
    with apache.serve(), driver.connect(uri) as client:
        client.send("hello")
        assert client.recv() == "hello"


def test_the_second_connection_is_not_asked(apache, scheme):
    """Apache takes a nonce again, with the next count."""
    asked = []

    def auth():
        asked.append(1)
        return credentials

    credentials = DigestAuth("ada", "open sesame", allow_basic=True)
    with apache.serve():
        for _ in range(3):
            with apache.connect(f"/{scheme}/chat", auth=auth) as client:
                client.send("hello")
                assert client.recv() == "hello"
    assert len(asked) == 3


def test_wrong_password(apache, scheme):
    with (
        pytest.raises(InvalidStatus, match="HTTP 401; the user name or password was refused") as excinfo,
        apache.serve(),
        apache.connect(f"/{scheme}/chat", auth=("ada", "wrong")),
    ):
        pass
    assert _challenge(excinfo).startswith(CHALLENGES[scheme])
    assert isinstance(excinfo.value.__cause__, AuthError)


def test_no_password_is_shown_where_only_digest_is_allowed(apache):
    with (
        pytest.raises(InvalidStatus, match="Basic is offered, which would show the password"),
        apache.serve(),
        apache.connect("/basic/chat", auth=DigestAuth("ada", "open sesame")),
    ):
        pass


@pytest.mark.parametrize(
    ("option", "settings"),
    [
        ("--basic", {}),
        ("--digest", {}),
        ("--digest", {"algorithms": ["MD5"]}),
        ("--digest", {"algorithms": ["SHA-256"]}),
    ],
)
def test_our_server_asks_curl(driver, curl, option, settings):
    make = driver.module.basic_auth if option == "--basic" else driver.module.digest_auth
    authentication = make("chat", USERS, **settings)

    def process_response(connection, request, response):
        if response.status_code == 426:  # curl does not shake hands, and yet it is let in
            response.body = connection.username.encode()
            response.headers["Content-Length"] = str(len(response.body))

    (port,) = free_ports(1)
    uri = f"http://127.0.0.1:{port}/chat?room=1"
    with driver.serve(lambda connection: None, port, process_request=authentication, process_response=process_response):
        for user, password in USERS:
            assert curl(option, "--user", f"{user}:{password}", uri) == (0, user)
        # Two requests at once: the nonce serves again, with the next count.
        assert curl(option, "--user", "ada:open sesame", uri, uri) == (0, "adaada")
        for wrong in ("ada:wrong", "nobody:open sesame"):
            status, output = curl(option, "--user", wrong, "--write-out", "%{http_code}", uri)
            assert (status, output[-3:]) == (0, "401")


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_our_server_behind_each_reverse_proxy(site, scheme):
    """Its challenges, and what our clients answer, pass through."""
    make = {"basic": site.driver.module.basic_auth, "digest": site.driver.module.digest_auth}[scheme]
    names = []

    def handler(connection):
        names.append(connection.username)
        connection.send("welcome")

    with site.serve(handler, process_request=make("chat", USERS)):
        with site.connect("/chat?room=1", auth=USERS[0]) as client:
            assert client.recv() == "welcome"
        with pytest.raises(InvalidStatus, match="HTTP 401"), site.connect("/chat", auth=("ada", "wrong")):
            pass
    assert names == ["ada"]
