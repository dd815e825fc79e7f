"""Clients with a cookie jar of the standard library."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy

import pytest

from twoway.asyncio import InvalidStatus, connect


async def tell(connection):
    """Tell the client which cookies came."""
    await connection.send(connection.request.headers.get("Cookie", ""))


async def ask(uri, **options):
    async with connect(uri, **options) as client:
        return await client.recv()


def setting(*cookies, status=None, location=None):
    """Make a ``process_response`` that sets cookies for a client that has none."""

    def process_response(connection, request, response):
        if "Cookie" not in request.headers:
            for cookie in cookies:
                response.headers.add("Set-Cookie", cookie)

    return process_response


@pytest.mark.feature("keep cookies")
async def test_cookies_are_kept_for_the_next_connection(serving):
    jar = CookieJar()
    async with serving(tell, process_response=setting("a=1; Path=/", "b=2; HttpOnly")) as (_, uri):
        assert await ask(uri, cookies=jar) == ""
        assert sorted((await ask(uri, cookies=jar)).split("; ")) == ["a=1", "b=2"]
        assert await ask(uri) == ""


@pytest.mark.feature("keep cookies")
async def test_cookies_are_kept_over_redirects(serving):
    def process_request(connection, request):
        if "Cookie" in request.headers:
            return None
        response = connection.respond(302, "")
        response.headers["Location"] = "/"
        response.headers["Set-Cookie"] = "seen=yes"
        return response

    async with serving(tell, process_request=process_request) as (_, uri):
        assert await ask(uri, cookies=CookieJar()) == "seen=yes"
        with pytest.raises(InvalidStatus, match="loop"):
            await ask(uri)


@pytest.mark.feature("keep cookies")
async def test_cookies_are_kept_over_reconnections(serving):
    async with serving(tell, process_response=setting("a=1")) as (_, uri):
        seen = []
        async for client in connect(uri, cookies=CookieJar()):
            seen.append(await client.recv())
            await client.close()
            if len(seen) == 2:
                break
    assert seen == ["", "a=1"]


async def test_cookies_of_a_refusal_are_kept(serving):
    jar = CookieJar()

    def process_request(connection, request):
        response = connection.respond(403, "")
        response.headers["Set-Cookie"] = "a=1"
        return response

    async with serving(tell, process_request=process_request) as (_, uri):
        with pytest.raises(InvalidStatus, match="HTTP 403$"):
            await ask(uri, cookies=jar)
    assert [cookie.name for cookie in jar] == ["a"]


async def test_a_header_of_ones_own_is_joined(serving):
    jar = CookieJar()
    async with serving(tell, process_response=setting("a=1")) as (_, uri):
        await ask(uri, cookies=jar)
        assert await ask(uri, cookies=jar, additional_headers={"Cookie": "own=x"}) == "own=x; a=1"


async def test_secure_cookies_stay_with_tls(serving, tls):
    jar = CookieJar(DefaultCookiePolicy(secure_protocols=("https", "wss")))
    async with serving(tell, ssl=tls.server, process_response=setting("a=1; Secure")) as (_, uri):
        assert await ask(uri, cookies=jar, ssl=tls.client) == ""
        assert await ask(uri, cookies=jar, ssl=tls.client) == "a=1"
    async with serving(tell) as (_, uri):
        assert await ask(uri, cookies=jar) == ""
