"""URIs of servers and proxies, and where redirects lead."""

from __future__ import annotations

from dataclasses import replace
from http.cookiejar import CookieJar

from twoway.auth import Attempts, AuthError, RedirectError, Redirects, is_private_address
from twoway.http import (
    Headers,
    InvalidProxy,
    RequestParser,
    Response,
    StatusError,
    Tunnel,
    URIError,
    build_request,
    choose_proxy,
    parse_proxy,
    parse_uri,
)

from .target import lines

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
SOURCE = parse_uri("wss://example.com/a/b?c")
SECRETS = [("Authorization", "x"), ("Cookie", "a=b"), ("Proxy-Authorization", "x"), ("X-Api-Key", "k"), ("Accept", "*")]


def uri(data: bytes) -> None:
    """Parse a URI; its parts make the same one again, and a request that says just that."""
    try:
        parsed = parse_uri(data.decode("utf-8", "surrogateescape"))
    except URIError as exc:
        str(exc)
        return
    assert 1 <= parsed.port <= 65535
    bare = replace(parsed, username=None, password=None)
    assert parse_uri(str(bare)) == bare
    other = replace(parsed, password=None)
    assert (str(parsed), repr(parsed)) == (str(other), repr(other))
    if len(parsed.resource_name) < 8000:
        read = RequestParser().receive_data(build_request(parsed, KEY).serialize())
        assert read is not None
        assert (read.path, read.headers["Host"]) == (parsed.resource_name, parsed.host_header)
    Tunnel(parsed.authority, parse_proxy("proxy.example"))


def proxy(data: bytes) -> None:
    """Parse the URL of a proxy; its parts make the same one again. Use it as a list of exceptions, too."""
    text = data.decode("utf-8", "surrogateescape")
    choose_proxy(True, SOURCE, getproxies=lambda: {"no": text})
    try:
        parsed = parse_proxy(text)
    except InvalidProxy as exc:
        str(exc)
        return
    bare = replace(parsed, username=None, password=None)
    assert parse_proxy(str(bare)) == bare
    assert 1 <= parsed.port <= 65535


def redirect(data: bytes) -> None:
    """Follow a Location: never to plain text or a private address, nor with secrets to another origin."""
    policy = Redirects(allow_private=False, sensitive_headers=["X-Api-Key"])
    attempts = Attempts(SOURCE, headers=SECRETS, redirects=policy)
    for value in lines(data)[:3]:
        try:
            attempts.refuse(Response(302, "Found", Headers([("Location", value)])))
        except ValueError:  # no header can have that value
            return
        except RedirectError as exc:
            str(exc)
            return
        target, headers = attempts.uri, attempts.headers()
        assert target.secure
        assert target.username is None
        assert not is_private_address(target.host)
        assert parse_uri(str(target)) == target
        if not attempts.same_origin:
            assert list(headers) == ["Accept"]
        build_request(target, KEY, additional_headers=headers).serialize()


def cookies(data: bytes) -> None:
    """Keep the cookies that a server sets, and send them to it, and to where it redirects."""
    try:
        headers = Headers([("Set-Cookie", value) for value in lines(data)])
    except ValueError:
        return
    attempts = Attempts(SOURCE, cookies=CookieJar())
    for location in ("/again", "wss://other.example/"):
        headers["Location"] = location
        try:
            attempts.refuse(Response(302, "Found", headers))
        except RedirectError:
            return
        assert "\n" not in attempts.headers().get("Cookie", "")
    try:
        attempts.refuse(Response(401, "Unauthorized", headers))
    except (AuthError, StatusError):
        return
    raise AssertionError("401 without credentials")
