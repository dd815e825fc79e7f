"""Clients with a cookie jar of the standard library."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy

import pytest

from twoway.threading import InvalidStatus, connect


def tell(connection):
    """Tell the client which cookies came."""
    connection.send(connection.request.headers.get("Cookie", ""))


def ask(uri, **options):
    with connect(uri, **options) as client:
        return client.recv()


def setting(*cookies, status=None, location=None):
    """Make a ``process_response`` that sets cookies for a client that has none."""

    def process_response(connection, request, response):
        if "Cookie" not in request.headers:
            for cookie in cookies:
                response.headers.add("Set-Cookie", cookie)

    return process_response


@pytest.mark.feature("keep cookies")
def test_cookies_are_kept_for_the_next_connection(serving):
    jar = CookieJar()
    with serving(tell, process_response=setting("a=1; Path=/", "b=2; HttpOnly")) as (_, uri):
        assert ask(uri, cookies=jar) == ""
        assert sorted((ask(uri, cookies=jar)).split("; ")) == ["a=1", "b=2"]
        assert ask(uri) == ""


@pytest.mark.feature("keep cookies")
def test_cookies_are_kept_over_redirects(serving):
    def process_request(connection, request):
        if "Cookie" in request.headers:
            return None
        response = connection.respond(302, "")
        response.headers["Location"] = "/"
        response.headers["Set-Cookie"] = "seen=yes"
        return response

    with serving(tell, process_request=process_request) as (_, uri):
        assert ask(uri, cookies=CookieJar()) == "seen=yes"
        with pytest.raises(InvalidStatus, match="loop"):
            ask(uri)


@pytest.mark.feature("keep cookies")
def test_cookies_are_kept_over_reconnections(serving):
    with serving(tell, process_response=setting("a=1")) as (_, uri):
        seen = []
        for client in connect(uri, cookies=CookieJar()):
            seen.append(client.recv())
            client.close()
            if len(seen) == 2:
                break
    assert seen == ["", "a=1"]


def test_cookies_of_a_refusal_are_kept(serving):
    jar = CookieJar()

    def process_request(connection, request):
        response = connection.respond(403, "")
        response.headers["Set-Cookie"] = "a=1"
        return response

    with (
        serving(tell, process_request=process_request) as (_, uri),
        pytest.raises(InvalidStatus, match="HTTP 403$"),
    ):
        ask(uri, cookies=jar)
    assert [cookie.name for cookie in jar] == ["a"]


def test_a_header_of_ones_own_is_joined(serving):
    jar = CookieJar()
    with serving(tell, process_response=setting("a=1")) as (_, uri):
        ask(uri, cookies=jar)
        assert ask(uri, cookies=jar, additional_headers={"Cookie": "own=x"}) == "own=x; a=1"


def test_secure_cookies_stay_with_tls(serving, tls):
    jar = CookieJar(DefaultCookiePolicy(secure_protocols=("https", "wss")))
    with serving(tell, ssl=tls.server, process_response=setting("a=1; Secure")) as (_, uri):
        assert ask(uri, cookies=jar, ssl=tls.client) == ""
        assert ask(uri, cookies=jar, ssl=tls.client) == "a=1"
    with serving(tell) as (_, uri):
        assert ask(uri, cookies=jar) == ""
