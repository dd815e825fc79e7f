"""Challenges and credentials, on both sides."""

from __future__ import annotations

from twoway.auth import (
    Attempts,
    AuthError,
    BasicAuth,
    BasicAuthenticator,
    DigestAuth,
    DigestAuthenticator,
    PasswordAuth,
    parse_challenges,
)
from twoway.http import HeaderError, Headers, Request, Response, parse_uri

from .target import lines

SOURCE = parse_uri("ws://example.com/dir/index.html")
CHALLENGE = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,'
    ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
# Its nonces stay good, so that inputs of the corpus may hold one.
AUTHENTICATOR = {"realm": "twoway", "credentials": ("Mufasa", "Circle of Life"), "secret": b"0123456789abcdef"}


def challenges(data: bytes) -> None:
    """Parse challenges; answer them with user name and password, more than once."""
    values = lines(data)
    try:
        found = parse_challenges(values)
    except HeaderError:
        return
    assert sum(1 + len(challenge.params) for challenge in found) <= 65
    try:
        response = Response(401, "Unauthorized", Headers([("WWW-Authenticate", value) for value in values]))
    except ValueError:
        return
    for auth in (PasswordAuth("user", "pass"), DigestAuth("user", "pass", allow_md5=False, make_cnonce=lambda: "c")):
        attempts = Attempts(SOURCE, auth=auth)
        try:
            for _ in range(3):
                attempts.refuse(response)
                (said,) = parse_challenges([attempts.headers()["Authorization"]])
                assert said.scheme in ("Basic", "Digest")
        except AuthError as exc:
            assert "pass" not in str(exc).replace("password", "")
        else:
            raise AssertionError("a fourth request after three refusals")


def confirmation(data: bytes) -> None:
    """Take Authentication-Info: only who knows the password, or says nothing about it, passes."""
    try:
        headers = Headers([("Authentication-Info", value) for value in lines(data)])
    except ValueError:
        return
    attempts = Attempts(SOURCE, auth=DigestAuth("Mufasa", "Circle of Life", make_cnonce=lambda: "c"))
    attempts.refuse(Response(401, "Unauthorized", Headers([("WWW-Authenticate", CHALLENGE)])))
    try:
        attempts.accept(Response(101, "Switching Protocols", headers))
    except HeaderError as exc:
        str(exc)


def authorization(data: bytes) -> None:
    """Read Authorization as a server does; what is wrong in any way gets 401, or 400 for another address."""
    try:
        request = Request("/", Headers([("Authorization", value) for value in lines(data)]))
    except ValueError:
        return
    for server in (BasicAuthenticator("twoway", ("Mufasa", "Circle of Life")), DigestAuthenticator(**AUTHENTICATOR)):
        outcome = server.check(request, 0)
        assert outcome == "Mufasa" if isinstance(outcome, str) else outcome.status_code in (400, 401)


def credentials(data: bytes) -> None:
    """Bring any user name and password from client to server, with Basic and with Digest."""
    username, _, password = data.decode("utf-8", "surrogateescape").partition("\n")
    try:
        clients = BasicAuth(username, password), DigestAuth(username, password)
    except ValueError:
        return
    pair = (username, password)
    servers = BasicAuthenticator("r", pair), DigestAuthenticator("r", pair, algorithms=["SHA-256", "MD5-sess"])
    for client, server in zip(clients, servers, strict=True):
        attempts = Attempts(SOURCE, auth=client)
        request = Request(SOURCE.resource_name, attempts.headers())
        outcome = server.check(request, 0)
        if isinstance(outcome, Response):
            assert isinstance(client, DigestAuth)
            attempts.refuse(outcome)
            outcome = server.check(Request(SOURCE.resource_name, attempts.headers()), 0)
        assert isinstance(outcome, str)
