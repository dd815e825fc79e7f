"""Who is there: credentials of clients, and servers that ask for them."""

from __future__ import annotations

import base64
import logging
import socket
import time
from itertools import repeat
from weakref import ref

import pytest

from twoway.auth import AuthError, BasicAuth, BearerAuth, DigestAuth, PasswordAuth, RedirectError, netrc_auth
from twoway.threading import (
    ClientConnection,
    InvalidHandshake,
    InvalidStatus,
    basic_auth,
    connect,
    digest_auth,
    process_exception,
    route,
)

USERS = [("ada", "open sesame"), ("grün", "päss:wort")]
FORBIDDEN = b"HTTP/1.1 401 Who are you\r\nContent-Length: 0\r\nConnection: close\r\n"


def name(connection):
    """Tell the client what the server calls it."""
    connection.send(str(connection.username))


def ask(uri, **options):
    with connect(uri, **options) as client:
        return client.recv()


def with_user(uri, user, password):
    from urllib.parse import quote

    return uri.replace("//", f"//{quote(user)}:{quote(password, safe='')}@")


@pytest.fixture(params=["basic", "digest"])
def scheme(request):
    return request.param


@pytest.fixture
def guard(scheme):
    """Make a ``process_request``."""
    return {"basic": basic_auth, "digest": digest_auth}[scheme]


# Both sides


@pytest.mark.feature("HTTP Basic authentication")
@pytest.mark.feature("HTTP Digest authentication")
@pytest.mark.feature("HTTP Basic, Digest and Bearer authentication")
@pytest.mark.parametrize("way", ["pair", "object", "uri", "function"])
@pytest.mark.parametrize("user", USERS)
def test_who_knows_the_password_comes_in(serving, guard, scheme, user, way):
    auth = {
        "pair": user,
        "object": {"basic": BasicAuth, "digest": DigestAuth}[scheme](*user),
        "uri": None,
        "function": lambda: user,
    }[way]
    with serving(name, process_request=guard("chat", USERS)) as (_, uri):
        if way == "uri":
            uri = with_user(uri, *user)
        assert ask(uri, auth=auth) == user[0]


@pytest.mark.feature("HTTP Basic authentication")
@pytest.mark.feature("HTTP Digest authentication")
@pytest.mark.parametrize(
    ("auth", "reason"),
    [
        (None, "there are no credentials"),
        (("ada", "wrong"), "the user name or password was refused"),
        (("nobody", "open sesame"), "the user name or password was refused"),
        (BearerAuth("abc"), "the bearer token was sent, but .* is asked for"),
    ],
)
def test_others_do_not(serving, guard, auth, reason):
    with (
        serving(name, process_request=guard("chat", USERS)) as (_, uri),
        pytest.raises(InvalidStatus, match=rf"rejected WebSocket connection: HTTP 401; .*{reason}") as excinfo,
    ):
        ask(uri, auth=auth)
    error = excinfo.value
    assert isinstance(error.__cause__, AuthError)
    assert 'realm="chat"' in error.response.headers.get_all("WWW-Authenticate")[0]
    assert process_exception(error) is error
    assert "wrong" not in repr(error)


def test_passwords_can_come_from_a_function(serving, scheme):
    def check(user, password):
        return (user, password) in USERS

    def get_password(user):
        return dict(USERS).get(user)

    if scheme == "basic":
        guard = basic_auth("chat", check_credentials=check)
    else:
        guard = digest_auth("chat", get_password=get_password)
    with serving(name, process_request=guard) as (_, uri):
        assert ask(uri, auth=USERS[0]) == "ada"
        with pytest.raises(InvalidStatus, match="401"):
            ask(uri, auth=("ada", "wrong"))


def test_a_function_that_fails_lets_nobody_in(serving, caplog):
    caplog.set_level(logging.CRITICAL)

    def check(user, password):
        raise RuntimeError

    with (
        serving(name, process_request=basic_auth(check_credentials=check)) as (_, uri),
        pytest.raises(InvalidStatus, match="500"),
    ):
        ask(uri, auth=("ada", "x"))


def test_each_route_has_its_users(scheme, guard):
    routing = pytest.importorskip("werkzeug.routing")
    rules = routing.Map([routing.Rule("/a", endpoint=name)])
    with route(rules, "127.0.0.1", 0, process_request=guard("chat", USERS)) as server:
        uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/a"
        assert ask(uri, auth=USERS[1]) == "grün"
        with pytest.raises(InvalidStatus, match="401"):
            ask(uri)


@pytest.mark.feature("HTTP Digest authentication")
def test_the_server_can_prove_that_it_knows_the_password(serving):
    guard = digest_auth("chat", USERS)
    with serving(name, process_request=guard, process_response=guard.process_response) as (_, uri):
        with connect(uri, auth=USERS[0]) as client:
            assert "rspauth" in client.response.headers["Authentication-Info"]
        with pytest.raises(InvalidStatus) as excinfo:
            ask(uri)
        assert "Authentication-Info" not in excinfo.value.response.headers


def test_a_server_that_does_not_know_the_password_is_found_out(serving):
    guard = digest_auth("chat", USERS)

    def lie(connection, request, response):
        if response.status_code == 101:
            guard.process_response(connection, request, response)
            info = response.headers["Authentication-Info"]
            response.headers["Authentication-Info"] = info.replace('rspauth="', 'rspauth="0')

    with (
        serving(name, process_request=guard, process_response=lie) as (_, uri),
        pytest.raises(InvalidHandshake, match="Authentication-Info") as excinfo,
    ):
        ask(uri, auth=USERS[0])
    assert process_exception(excinfo.value) is excinfo.value


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (basic_auth, ()),
        (basic_auth, ("chat", [])),
        (basic_auth, ("chat", ("a", "b"), print)),
        (basic_auth, ("line\n", ("a", "b"))),
        (digest_auth, ()),
        (digest_auth, ("chat", "ada")),
    ],
)
def test_wrong_arguments_of_servers(function, arguments):
    with pytest.raises((TypeError, ValueError)):
        function(*arguments)


def test_processes_with_one_secret_take_each_others_nonces(serving):
    secret = b"0123456789abcdef"
    auth = DigestAuth("ada", "open sesame")
    requests = []

    def counting(guard):
        def process_request(connection, request):
            requests.append(request)
            return guard(connection, request)

        return process_request

    with serving(name, process_request=counting(digest_auth("chat", USERS, secret=secret))) as (_, uri):
        assert ask(uri, auth=auth) == "ada"
        port = int(uri.rstrip("/").rpartition(":")[2])
    assert len(requests) == 2
    with serving(name, process_request=counting(digest_auth("chat", USERS, secret=secret))) as (_, other):
        # As if both were behind one address.
        other_port = int(other.rstrip("/").rpartition(":")[2])
        assert ask(uri, auth=auth, host="127.0.0.1", port=other_port) == "ada"
    assert len(requests) == 3
    assert port != other_port


# Clients


@pytest.mark.feature("HTTP Basic, Digest and Bearer authentication")
def test_bearer(serving):
    tokens = []

    def process_request(connection, request):
        tokens.append(request.headers["Authorization"])

    with serving(name, process_request=process_request) as (_, uri):
        ask(uri, auth=BearerAuth("mF_9.B5f"))
    assert tokens == ["Bearer mF_9.B5f"]


def test_what_netrc_has(serving, guard, tmp_path):
    path = tmp_path / "netrc"
    path.write_text("machine localhost login ada password opensesame\n")
    path.chmod(0o600)
    with serving(name, process_request=guard("chat", ("ada", "opensesame"))) as (_, uri):
        assert ask(uri, auth=netrc_auth("localhost", path)) == "ada"


@pytest.mark.feature("reconnect automatically")
def test_a_token_is_asked_for_with_each_attempt(serving):
    tokens = iter("abc")
    seen = []

    def process_request(connection, request):
        seen.append(request.headers["Authorization"])
        return connection.respond(503, "") if len(seen) < 3 else None

    with serving(name, process_request=process_request) as (_, uri):
        auth = lambda: BearerAuth(next(tokens))  # noqa: E731
        for client in connect(uri, auth=auth, reconnect_delays=lambda: repeat(0)):
            assert client.recv() == "None"
            break
    assert seen == ["Bearer a", "Bearer b", "Bearer c"]


def test_the_second_connection_is_not_asked(serving):
    requests = []
    guard = digest_auth("chat", USERS)

    def process_request(connection, request):
        requests.append(request)
        return guard(connection, request)

    with serving(name, process_request=process_request) as (_, uri):
        connector = connect(uri, auth=USERS[0])
        for _ in range(3):
            with connector as client:
                assert client.recv() == "ada"
    assert len(requests) == 4


def test_a_stale_nonce_is_replaced(serving, monkeypatch):
    now = time.monotonic()
    monkeypatch.setattr("twoway.threading._auth.monotonic", lambda: now)
    auth = DigestAuth("ada", "open sesame")
    with serving(name, process_request=digest_auth("chat", USERS, nonce_lifetime=10)) as (_, uri):
        assert ask(uri, auth=auth) == "ada"
        now += 20
        assert ask(uri, auth=auth) == "ada"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"auth": "ada"}, TypeError),
        ({"auth": ("ada",)}, TypeError),
        ({"auth": ("a:b", "c")}, ValueError),
        ({"auth": ("ada", "x"), "additional_headers": {"Authorization": "Basic x"}}, ValueError),
        ({"redirects": "yes"}, TypeError),
        ({"redirects": 3}, TypeError),
    ],
)
def test_wrong_arguments_of_clients(options, error):
    with pytest.raises(error):
        connect("ws://localhost/", **options)


def test_a_function_that_gives_something_else(serving):
    with serving(name) as (_, uri), pytest.raises(TypeError, match="auth must be"):
        ask(uri, auth=lambda: "ada")


def test_a_header_of_ones_own_is_left_alone(serving):
    value = "Basic " + base64.b64encode(b"ada:open sesame").decode()
    with serving(name, process_request=basic_auth("chat", USERS)) as (_, uri):
        assert ask(with_user(uri, "bob", "x"), additional_headers={"Authorization": value}) == "ada"
        with pytest.raises(InvalidStatus, match="the Authorization header that was given was refused"):
            ask(uri, additional_headers={"Authorization": "Basic x"})


def test_secrets_are_in_no_log(serving, guard, caplog):
    caplog.set_level(logging.DEBUG)
    with serving(name, process_request=guard("chat", USERS)) as (_, uri):
        options = {"additional_headers": {"Cookie": "session=hidden"}}
        assert ask(with_user(uri, "ada", "open sesame"), **options) == "ada"
    assert caplog.records
    secrets = ["sesame", "hidden", base64.b64encode(b"ada:open sesame").decode(), "response="]
    assert not [secret for secret in secrets if secret in caplog.text]


def test_a_socket_serves_for_one_request(serving, guard):
    with serving(name, process_request=guard("chat", USERS)) as (_, uri):
        port = int(uri.rstrip("/").rpartition(":")[2])
        with pytest.raises(InvalidStatus, match="HTTP 401; sock serves for one connection"):
            ask(uri, auth=USERS[0], sock=socket.create_connection(("127.0.0.1", port)))
        if guard is basic_auth:
            sock = socket.create_connection(("127.0.0.1", port))
            assert ask(uri, auth=BasicAuth(*USERS[0]), sock=sock) == "ada"


# Hostile servers


def counted(behave, requests):
    def run(stream):
        requests.append(stream.readuntil(b"\r\n\r\n"))
        behave(stream)

    return run


@pytest.mark.feature("limits against hostile peers")
@pytest.mark.parametrize("auth", [("ada", "x"), DigestAuth("ada", "x"), PasswordAuth("ada", "x", preemptive=True)])
@pytest.mark.parametrize(
    "challenge",
    [
        b'Basic realm="a"',
        b'Digest realm="a", qop="auth", nonce="same", algorithm=SHA-256',
        b'Digest realm="a", qop="auth", nonce="same", stale=true',
        b'Digest realm="a", qop="auth-int", nonce="x"',
        b'Digest realm="a", qop="auth", nonce="x", algorithm=ROT13, Basic realm="a"',
        b"Negotiate",
        b"",
        b'Digest realm="' + b"a" * 7000,
        b", ".join([b'Digest realm="a"'] * 400),
    ],
)
def test_servers_that_are_never_content(wire, challenge, auth):
    requests = []

    def refuse(stream):
        stream.write(FORBIDDEN + b"WWW-Authenticate: " + challenge + b"\r\n\r\n")
        stream.read()

    with wire.server(counted(refuse, requests)) as uri, pytest.raises(InvalidStatus, match="401") as excinfo:
        ask(uri, auth=auth, open_timeout=20)
    assert isinstance(excinfo.value.__cause__, AuthError)
    assert 1 <= len(requests) <= 3


@pytest.mark.feature("limits against hostile peers")
def test_megabytes_of_challenges(wire):
    def refuse(stream):
        stream.readuntil(b"\r\n\r\n")
        stream.write(FORBIDDEN)
        while True:
            stream.write(b"WWW-Authenticate: Basic realm=" + b"a" * 1000 + b"\r\n")

    with wire.server(refuse) as uri, pytest.raises(InvalidHandshake):
        ask(uri, auth=("ada", "x"))


@pytest.mark.feature("time limit for the opening handshake")
def test_all_attempts_have_one_time_limit(wire):
    requests = []

    def refuse(stream):
        time.sleep(0.25)
        challenge = b'WWW-Authenticate: Digest realm="a", qop="auth", stale=true, nonce="%d"\r\n' % len(requests)
        stream.write(FORBIDDEN + challenge)
        stream.write(b"\r\n" if len(requests) < 2 else b"")
        stream.read()

    with (
        wire.server(counted(refuse, requests)) as uri,
        pytest.raises(TimeoutError, match="opening handshake with localhost:[0-9]+ timed out"),
    ):
        ask(uri, auth=("ada", "x"), open_timeout=0.4)
    assert len(requests) == 2


def test_credentials_stay_with_their_origin(serving, guard):
    with serving(name, process_request=guard("chat", USERS)) as (_, target):

        def process_request(connection, request):
            response = connection.respond(302, "")
            response.headers["Location"] = target
            return response

        with serving(name, process_request=process_request) as (_, uri):
            with pytest.raises(InvalidStatus, match="the credentials are for ws://localhost:[0-9]+ only") as excinfo:
                ask(uri, auth=USERS[0])
            assert not isinstance(excinfo.value.__cause__, RedirectError)


# What is left behind


@pytest.mark.parametrize("password", ["open sesame", "wrong"])
def test_connections_that_were_refused_are_forgotten(serving, no_gc, until, scheme, guard, password):
    made = []

    class Watched(ClientConnection):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            made.append(ref(self))

    asking = guard("chat", USERS)

    def process_request(connection, request):
        if request.path == "/there":
            return asking(connection, request)
        response = connection.respond(302, "")
        response.headers["Location"] = "/there"
        return response

    with serving(name, process_request=process_request) as (_, uri):
        try:
            ask(uri, auth=("ada", password), create_connection=Watched)
        except InvalidStatus as exc:
            assert exc.reason == "the user name or password was refused"
        until(lambda: [one() for one in made] == [None] * 3)
