"""The opening handshake: subprotocols, headers, paths, origins, refusals."""

from __future__ import annotations

import re

import pytest

from twoway.asyncio import InvalidStatus

ORIGIN = "https://example.com"


@pytest.mark.parametrize(
    ("offered", "supported", "chosen"),
    [
        (["chat"], ["chat"], "chat"),
        (["a", "chat.v2", "chat.v1"], ["chat.v1", "chat.v2"], {"chat.v1", "chat.v2"}),
        ([], [], None),
    ],
    ids=["same", "several", "none"],
)
async def test_subprotocol(link, offered, supported, chosen):
    ours, theirs = (supported, offered) if link.role == "client" else (offered, supported)
    async with link(ours={"subprotocols": ours}, subprotocols=theirs) as (connection, end):
        assert connection.subprotocol == end.subprotocol
        # Whose order counts is up to the server.
        assert connection.subprotocol in chosen if isinstance(chosen, set) else connection.subprotocol == chosen


@pytest.mark.only("client")  # the server of websockets refuses such clients
async def test_a_client_that_offers_no_subprotocol(link):
    async with link(ours={"subprotocols": ["chat"]}) as (connection, end):
        assert connection.subprotocol is end.subprotocol is None


@pytest.mark.only("client")
async def test_our_server_may_choose_the_subprotocol_itself(link):
    ours = {"select_subprotocol": lambda connection, offered: offered[-1]}
    async with link(ours=ours, subprotocols=["first", "last"]) as (connection, end):
        assert connection.subprotocol == end.subprotocol == "last"


@pytest.mark.only("client")
@pytest.mark.parametrize("path", ["/", "/a/b?c=d&e", "/?x", "/a%20b%C3%BC"])
async def test_path(link, path):
    async with link(path=path) as (connection, _):
        assert connection.request.path == path


@pytest.mark.only("server")
async def test_a_path_that_is_not_ascii_is_escaped(link):
    async with link(path="/üb?ñ=1") as (connection, _):
        assert connection.request.path == "/%C3%BCb?%C3%B1=1"


@pytest.mark.only("client")
@pytest.mark.needs("headers")
async def test_their_headers(link):
    async with link(headers=(("X-Test", "one"), ("Cookie", "a=b; c=d"))) as (connection, _):
        assert connection.request.headers["X-Test"] == "one"
        assert connection.request.headers["Cookie"] == "a=b; c=d"


async def test_our_headers(link):
    name = "server_header" if link.role == "client" else "user_agent_header"
    async with link(ours={name: "Test/1"}) as (connection, _):
        headers = connection.response.headers if link.role == "client" else connection.request.headers
        assert headers["Server" if link.role == "client" else "User-Agent"] == "Test/1"


@pytest.mark.only("client")
@pytest.mark.needs("headers")
@pytest.mark.parametrize("origins", [[ORIGIN], [re.compile(r"https://.*\.com")]], ids=["string", "pattern"])
async def test_an_accepted_origin(link, origins):
    async with link(ours={"origins": origins}, origin=ORIGIN) as (connection, _):
        assert connection.request.headers["Origin"] == ORIGIN


@pytest.mark.only("client")
@pytest.mark.needs("headers", "status")
@pytest.mark.parametrize("origin", ["https://example.org", "http://example.com", "https://example.com:444", None])
async def test_a_refused_origin(link, origin):
    with pytest.raises(link.refused) as caught:
        async with link(ours={"origins": [ORIGIN]}, origin=origin):
            pass
    assert caught.value.status == 403


@pytest.mark.only("client")
async def test_our_refusal(link):
    ours = {"process_request": lambda connection, request: connection.respond(401, "Who are you?\n")}
    with pytest.raises(link.refused) as caught:
        async with link(ours=ours):
            pass
    # Pages of a browser are told nothing.
    assert caught.value.status == (401 if "status" in link.peer.can else 0)


@pytest.mark.only("client")
@pytest.mark.needs("status")
async def test_a_host_that_is_not_ours(link):
    with pytest.raises(link.refused) as caught:
        async with link(ours={"allowed_hosts": ["example.com"]}):
            pass
    assert caught.value.status == 421


@pytest.mark.only("server")
@pytest.mark.parametrize("status", [401, 404, 503])
async def test_their_refusal(link, status):
    with pytest.raises(InvalidStatus) as caught:
        async with link(refusal=status):
            pass
    assert caught.value.response.status_code == status
    assert caught.value.response.body == b"No.\n"
