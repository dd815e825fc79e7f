"""Clients that are sent elsewhere."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from twoway.asyncio import InvalidStatus, connect, process_exception, serve, unix_connect, unix_serve
from twoway.auth import RedirectError, Redirects


async def tell(connection):
    """Tell the client what it has asked for."""
    await connection.send(connection.request.path)


async def ask(uri, **options):
    async with connect(uri, **options) as client:
        return await client.recv()


def redirect(connection, location, status=302):
    response = connection.respond(status, "")
    response.headers["Location"] = location
    return response


def table(locations, seen=None):
    """Make a ``process_request`` from a table: path -> where it leads."""

    def process_request(connection, request):
        if seen is not None:
            seen.append(request)
        if request.path in locations:
            return redirect(connection, locations[request.path])
        return None

    return process_request


@pytest.mark.feature("follow redirects")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_all_kinds_of_redirects(serving, status):
    def process_request(connection, request):
        return redirect(connection, "/there", status) if request.path == "/" else None

    async with serving(tell, process_request=process_request) as (_, uri):
        assert await ask(uri) == "/there"
        with pytest.raises(InvalidStatus, match=f"HTTP {status}$"):
            await ask(uri, redirects=False)


@pytest.mark.feature("follow redirects")
@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/a/b?c=d", "/a/b?c=d"),
        ("there", "/x/there"),
        ("../there?x", "/there?x"),
        ("//localhost:{port}/other", "/other"),
        ("ws://127.0.0.1:{port}/", "/"),
        ("http://localhost:{port}/there", "/there"),
        ("http://user:password@localhost:{port}/there", "/there"),
        ("ws://localhost:{port}/there#fragment", "/there"),
    ],
)
async def test_locations(serving, location, path):
    locations = {}
    async with serving(tell, process_request=table(locations)) as (_, uri):
        locations["/x/y"] = location.format(port=uri.rstrip("/").rpartition(":")[2])
        assert await ask(f"{uri}x/y") == path


@pytest.mark.feature("follow redirects")
async def test_another_origin_gets_no_secrets(serving):
    seen = []
    async with serving(tell, process_request=table({}, seen)) as (_, target):
        process_request = table({"/": f"{target}there"}, seen)
        async with serving(tell, process_request=process_request) as (_, uri):
            headers = {"Cookie": "a=b", "Authorization": "Basic abc", "X-Key": "c", "X-Other": "d", "Host": "named"}
            policy = Redirects(sensitive_headers=["X-Key"])
            assert await ask(uri, additional_headers=headers, redirects=policy) == "/there"
    first, second = seen
    assert {name: first.headers[name] for name in headers} == headers
    assert second.headers["X-Other"] == "d"
    assert not [name for name in ("Cookie", "Authorization", "X-Key") if name in second.headers]
    assert second.headers["Host"] == target.split("/")[2]


async def test_the_same_origin_keeps_them(serving):
    seen = []
    async with serving(tell, process_request=table({"/": "/there"}, seen)) as (_, uri):
        assert await ask(uri, additional_headers={"Cookie": "a=b"}) == "/there"
    assert [request.headers["Cookie"] for request in seen] == ["a=b"] * 2


@pytest.mark.feature("follow redirects")
@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("/", "it leads in a loop, ws://localhost:.*"),
        ("wss://localhost:1/\tx", "its Location is malformed"),
        ("ftp://localhost/", "it leads to another scheme"),
        ("http://", "its Location leads nowhere"),
        ("ws://[::1/", "its Location leads nowhere"),
        ("ws://host:99999/", "its Location leads nowhere"),
    ],
)
async def test_locations_that_are_not_followed(wire, location, reason):
    async def behave(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location.encode() + b"\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with wire.server(behave) as uri:
        with pytest.raises(InvalidStatus, match=f"HTTP 302; {reason}") as excinfo:
            await ask(uri)
    error = excinfo.value
    assert isinstance(error.__cause__, RedirectError)
    assert process_exception(error) is error


async def test_line_ends_in_a_location_are_no_headers(wire):
    async def behave(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /a\nX: y\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with wire.server(behave) as uri:
        with pytest.raises(Exception) as excinfo:
            await ask(uri)
    assert type(excinfo.value).__module__ == "twoway.protocol"


async def test_there_is_a_limit(serving):
    count = 0

    def process_request(connection, request):
        nonlocal count
        count += 1
        return redirect(connection, f"/{count}")

    async with serving(tell, process_request=process_request) as (_, uri):
        with pytest.raises(InvalidStatus, match="there are more than 10 redirects"):
            await ask(uri)
        assert count == 11
        count = 0
        with pytest.raises(InvalidStatus, match="there are more than 2 redirects"):
            await ask(uri, redirects=Redirects(limit=2))
        assert count == 3


@pytest.mark.feature("time limit for the opening handshake")
async def test_all_redirects_have_one_time_limit(serving):
    count = 0

    async def process_request(connection, request):
        nonlocal count
        count += 1
        await asyncio.sleep(0.15)
        return redirect(connection, f"/{count}")

    async with serving(tell, process_request=process_request) as (_, uri):
        with pytest.raises(TimeoutError, match="timed out"):
            await ask(uri, open_timeout=0.4)
    assert 1 < count < 5


@pytest.mark.feature("follow redirects")
async def test_from_tls_to_plain_only_if_asked(serving, tls):
    async with serving(tell) as (_, target):
        options = {"ssl": tls.server, "process_request": table({"/": target})}
        async with serving(tell, **options) as (_, uri):
            with pytest.raises(InvalidStatus, match="it leads from wss to ws"):
                await ask(uri, ssl=tls.client)
            assert await ask(uri, ssl=tls.client, redirects=Redirects(allow_downgrade=True)) == "/"


async def test_from_tls_to_tls_elsewhere(serving, tls):
    """The context is used for both; the name is for the first one."""
    async with serving(tell, ssl=tls.server) as (_, target):
        options = {"ssl": tls.server, "process_request": table({"/": target})}
        async with serving(tell, **options) as (_, uri):
            uri = uri.replace("localhost", "127.0.0.1")
            assert await ask(uri, ssl=tls.client, server_hostname="localhost") == "/"


async def test_from_plain_to_tls_takes_the_default_context(serving, tls, monkeypatch):
    monkeypatch.setattr("ssl.create_default_context", lambda *args, **kwargs: tls.client)
    async with serving(tell, ssl=tls.server) as (_, target):
        process_request = table({"/": target})
        async with serving(tell, process_request=process_request) as (_, uri):
            assert await ask(uri) == "/"


async def test_policies(serving):
    seen = []
    async with serving(tell) as (_, target), serving(tell, process_request=table({"/": target})) as (_, uri):
        policy = Redirects(allow=["example.com"])
        with pytest.raises(InvalidStatus, match="is not allowed"):
            await ask(uri, redirects=policy)
        policy = Redirects(on_redirect=lambda source, to: seen.append((str(source), str(to))))
        assert await ask(uri, redirects=policy) == "/"
    assert seen == [(uri, target)]


async def test_private_addresses_can_be_forbidden(serving):
    async with serving(tell, process_request=table({"/": "http://127.1/"})) as (_, uri):
        port = int(uri.rstrip("/").rpartition(":")[2])
        with pytest.raises(InvalidStatus, match="it leads to a private address"):
            await ask("ws://public.example/", host="127.0.0.1", port=port, redirects=Redirects(allow_private=False))


async def test_another_address_is_for_the_first_origin_only(serving):
    async with serving(tell) as (_, target):
        process_request = table({"/": "/b", "/b": f"{target}c"})
        async with serving(tell, process_request=process_request) as (_, uri):
            port = int(uri.rstrip("/").rpartition(":")[2])
            assert await ask("ws://server.test/", host="127.0.0.1", port=port) == "/c"


async def test_a_socket_that_is_there_is_no_way_elsewhere(serving):
    async with serving(tell, process_request=table({"/": "/there"})) as (_, uri):
        sock = socket.create_connection(("127.0.0.1", int(uri.rstrip("/").rpartition(":")[2])))
        with pytest.raises(InvalidStatus, match="HTTP 302; sock serves for one connection"):
            await ask(uri, sock=sock)


@pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets")
async def test_a_unix_socket_serves_one_origin(tmp_path):
    path = str(tmp_path / "s")
    locations = {"/": "/there", "/away": "ws://example.com/"}
    async with unix_serve(tell, path, process_request=table(locations)):
        async with unix_connect(path) as client:
            assert await client.recv() == "/there"
        with pytest.raises(InvalidStatus, match="HTTP 302; what is on a Unix socket has no other address"):
            await unix_connect(path, "ws://localhost/away")


@pytest.mark.feature("reconnect automatically")
async def test_reconnecting_begins_at_the_first_address(serving):
    seen = []
    async with serving(tell, process_request=table({"/": "/there"}, seen)) as (_, uri):
        async for client in connect(uri):
            assert await client.recv() == "/there"
            await client.close()
            if len(seen) == 4:
                break
    assert [request.path for request in seen] == ["/", "/there"] * 2


async def test_a_redirect_to_where_nobody_is(serving):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with serving(tell, process_request=table({"/": f"ws://127.0.0.1:{port}/"})) as (_, uri):
        with pytest.raises(OSError) as excinfo:
            await ask(uri)
    assert process_exception(excinfo.value) is None


async def test_one_handshake_at_a_time_on_the_way_too(serving):
    async with serving(tell) as (_, target), serving(tell, process_request=table({"/": target})) as (_, uri):
        assert await ask(uri, serialize_connecting=True) == "/"


async def test_a_connection_that_was_refused_is_dropped():
    left = []

    async def process_request(connection, request):
        left.append(connection)
        return redirect(connection, "/there") if request.path == "/" else None

    async with serve(tell, "127.0.0.1", 0, process_request=process_request) as server:
        assert await ask(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/") == "/there"
        await left[0].wait_closed()
