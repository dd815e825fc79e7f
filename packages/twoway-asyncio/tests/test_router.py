"""`route`: which handler gets which connection, and what is answered to everybody else."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest

pytest.importorskip("werkzeug", reason="routing needs Werkzeug")

from werkzeug.routing import Map, Rule, Submount

from twoway.asyncio import InvalidStatus, Router, connect, route, unix_route


async def tell(connection, **arguments):
    await connection.send(repr(arguments))


async def say_a(connection):
    await connection.send("a")


@pytest.fixture
def routed():
    """Serve a map; gives the address, without a path."""

    @asynccontextmanager
    async def routed(*rules, url_map=None, **options):
        async with route(url_map or Map(rules), "127.0.0.1", 0, **options) as server:
            yield f"localhost:{server.sockets[0].getsockname()[1]}"

    return routed


@pytest.fixture
def ask(routed, wire):
    """Ask for a path; gives status and Location."""

    async def ask(target, *rules, host="example.org", upgrade=True, **options):
        request = wire.REQUEST.replace(b"GET / ", b"GET " + target.encode() + b" ")
        request = request.replace(b"Host: localhost\r\n", f"Host: {host}\r\n".encode() if host else b"")
        if not upgrade:
            request = request.replace(b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"")
        async with routed(*rules, **options) as address, wire.client(f"ws://{address}", request) as (reader, _):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").split("\r\n")
            fields = dict(line.split(": ", 1) for line in head[1:] if line)
            return int(head[0].split()[1]), fields.get("Location")

    return ask


async def received(uri, **options):
    async with connect(uri, **options) as client:
        return await client.recv()


# Dispatch


@pytest.mark.feature("a handler for each path")
@pytest.mark.parametrize("websocket", [True, False])
async def test_the_path_chooses_the_handler_and_gives_its_arguments(routed, websocket):
    rules = [
        Rule("/a", endpoint=say_a, websocket=websocket),
        Submount("/channel", [Rule("/<int:number>/<name>", endpoint=tell, websocket=websocket)]),
        Rule("/file/<path:name>", endpoint=tell, defaults={"mode": "r"}, websocket=websocket),
    ]
    async with routed(*rules) as address:
        assert await received(f"ws://{address}/a") == "a"
        assert await received(f"ws://{address}/a?query=is-not-the-path") == "a"
        assert await received(f"ws://{address}/channel/7/x") == "{'number': 7, 'name': 'x'}"
        assert await received(f"ws://{address}/channel/7/gr%C3%B6%C3%9Fe") == "{'number': 7, 'name': 'größe'}"
        assert eval(await received(f"ws://{address}/file/b/c")) == {"mode": "r", "name": "b/c"}


@pytest.mark.feature("a handler for each path")
async def test_rules_can_be_added_while_it_serves(routed):
    url_map = Map()
    async with routed(url_map=url_map) as address:
        with pytest.raises(InvalidStatus, match="404"):
            await received(f"ws://{address}/a")
        url_map.add(Rule("/a", endpoint=say_a))
        assert await received(f"ws://{address}/a") == "a"


@pytest.mark.feature("a handler for each path")
async def test_rules_may_name_hosts(ask):
    rules = [Rule("/", endpoint=say_a, host="a.example.org")]
    for host, status in (("a.example.org", 101), ("A.EXAMPLE.ORG", 101), ("b.example.org", 404)):
        assert await ask("/", url_map=Map(rules, host_matching=True), host=host) == (status, None)
        rules = [rule.empty() for rule in rules]


async def test_it_can_be_awaited():
    server = await route(Map([Rule("/", endpoint=say_a)]), "127.0.0.1", 0)
    async with server:
        assert await received(f"ws://localhost:{server.sockets[0].getsockname()[1]}") == "a"


@pytest.mark.feature("a handler for each path")
async def test_on_a_unix_socket(wire, tmp_path):
    request = b"GET /branch HTTP/1.1\r\nHost: localhost\r\n\r\n"
    path = tmp_path / "socket"
    async with unix_route(Map([Rule("/branch/", endpoint=say_a)]), path, server_name="example.org"):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(request)
        answer = await reader.read()
        writer.close()
    assert b"\r\nLocation: http://example.org/branch/\r\n" in answer


# Other answers


@pytest.mark.feature("a handler for each path")
@pytest.mark.parametrize("target", ["/", "/b", "/a/b", "/channel/x", "/channel/", "/a/", "//example.com/x", "/%00"])
@pytest.mark.parametrize("upgrade", [True, False])
async def test_an_unknown_path_is_answered_with_404(ask, target, upgrade):
    rules = [Rule("/a", endpoint=say_a), Rule("/channel/<int:number>", endpoint=tell)]
    assert await ask(target, *rules, upgrade=upgrade) == (404, None)


async def test_who_wants_no_websocket_is_told(ask):
    assert await ask("/a", Rule("/a", endpoint=say_a), upgrade=False) == (426, None)


@pytest.mark.feature("a handler for each path")
@pytest.mark.parametrize(
    ("upgrade", "options", "scheme"),
    [(True, {}, "ws"), (False, {}, "http"), (True, {"ssl": True}, "wss"), (False, {"ssl": True}, "https")],
)
async def test_redirects_fit_the_request(ask, upgrade, options, scheme):
    async def location(target, **more):
        rules = [
            Rule("/branch/", endpoint=say_a),
            Rule("/new/<int:number>", endpoint=tell),
            Rule("/old/<int:number>", redirect_to="/new/<number>"),
        ]
        return await ask(target, *rules, upgrade=upgrade, **options, **more)

    assert await location("/branch") == (302, f"{scheme}://example.org/branch/")
    assert await location("/branch?x=%20y") == (302, f"{scheme}://example.org/branch/?x=%20y")
    assert await location("/old/7") == (302, f"{scheme}://example.org/new/7")
    assert await location("/old/7", server_name="example.com:81") == (302, f"{scheme}://example.com:81/new/7")


@pytest.mark.parametrize("target", ["//evil.example/branch", "/%2F/evil.example/branch", "/name/a%0D%0AX-Evil:%201"])
async def test_a_path_cannot_lead_to_another_host_or_forge_a_header(ask, target):
    rules = [Rule("/<path:anything>/", endpoint=tell), Rule("/name/<string:name>/", endpoint=tell)]
    status, location = await ask(target, *rules)
    assert status == 302
    assert location.startswith("ws://example.org/")


@pytest.mark.parametrize("host", ["", " ", "a..b", "a\r\nHost: b"])
async def test_a_request_must_tell_its_host(ask, host):
    assert await ask("/branch", Rule("/branch/", endpoint=say_a), host=host) == (400, None)


async def test_redirects_over_tls(tls, wire):
    url_map = Map([Rule("/branch/", endpoint=say_a)])
    async with route(url_map, "127.0.0.1", 0, ssl=tls.server) as server:
        address = f"localhost:{server.sockets[0].getsockname()[1]}"
        assert await received(f"wss://{address}/branch/", ssl=tls.client) == "a"
        with pytest.raises(InvalidStatus) as info:
            await received(f"wss://{address}/branch", ssl=tls.client, redirects=False)
        assert info.value.response.headers["Location"] == f"wss://{address}/branch/"


async def test_a_probe_of_http_1_0_must_tell_its_host_too(routed, wire):
    request = b"GET /branch HTTP/1.0\r\n\r\n"
    for options, answer in (({}, b"400 "), ({"server_name": "a"}, b"302 ")):
        async with (
            routed(Rule("/branch/", endpoint=say_a), **options) as address,
            wire.client(f"ws://{address}", request) as (reader, _),
        ):
            assert (await reader.read()).startswith(b"HTTP/1.1 " + answer)


# With callbacks and routers of one's own


@pytest.mark.feature("a handler for each path")
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_process_request_comes_first(ask, asynchronous):
    def process_request(connection, request):
        if request.path == "/moved":
            request.path = "/a"
        return connection.respond(200, "well") if request.path == "/health" else None

    async def process_request_later(connection, request):
        return process_request(connection, request)

    options = {"process_request": process_request_later if asynchronous else process_request}
    for target, status in (("/health", 200), ("/a", 101), ("/moved", 101), ("/b", 404)):
        assert (await ask(target, Rule("/a", endpoint=say_a), **options))[0] == status


async def test_process_request_may_accept_by_itself(routed):
    def process_request(connection, request):
        return connection.protocol.accept(request)

    async with routed(Rule("/a", endpoint=say_a), process_request=process_request) as address:
        assert await received(f"ws://{address}/a") == "a"
        with pytest.raises(InvalidStatus, match="404"):
            await received(f"ws://{address}/b")


async def test_options_of_serve_go_through(ask):
    assert (await ask("/a", Rule("/a", endpoint=say_a), allowed_hosts=["localhost"]))[0] == 421


@pytest.mark.feature("a handler for each path")
async def test_a_router_of_ones_own(routed):
    class Own(Router):
        def not_found(self, connection):
            return connection.respond(410, f"gone from {self.server_name} with {self.url_scheme}")

        async def handler(self, connection):
            await connection.send("first")
            await super().handler(connection)

    rules = [Rule("/a", endpoint=say_a)]
    async with routed(*rules, create_router=Own, server_name="example.net") as address:
        async with connect(f"ws://{address}/a") as client:
            assert [message async for message in client] == ["first", "a"]
        with pytest.raises(InvalidStatus, match="410") as info:
            await received(f"ws://{address}/b")
        assert info.value.response.body == b"gone from example.net with ws"


async def test_endpoints_may_be_anything_for_a_router_of_ones_own(routed):
    class Named(Router):
        async def handler(self, connection):
            name, arguments = self._matches.pop(connection)
            await connection.send(f"{name} {arguments}")

    async with routed(Rule("/<int:number>", endpoint="name"), create_router=Named) as address:
        assert await received(f"ws://{address}/7") == "name {'number': 7}"


async def test_a_refused_handshake_leaves_nothing_in_the_router(routed, no_gc):
    routers = []

    def create_router(*arguments):
        routers.append(Router(*arguments))
        return routers[0]

    async with routed(Rule("/a", endpoint=say_a), create_router=create_router, origins=["https://a"]) as address:
        with pytest.raises(InvalidStatus, match="403"):
            await received(f"ws://{address}/a")
    assert len(routers[0]._matches) == 0


# Wrong arguments


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        ([{}], {}, "url_map must be a werkzeug.routing.Map, not dict"),
        ([Map([Rule("/x", endpoint="x")])], {}, "the endpoint of '/x' must be a coroutine function, not 'x'"),
        ([Map()], {"process_request": 1}, "process_request must be callable or None, not int"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments, options, says):
    with pytest.raises(TypeError, match=says):
        route(*arguments, **options)


def test_rules_without_a_handler_are_fine():
    route(Map([Rule("/x", redirect_to="/y"), Rule("/z", endpoint="z", build_only=True)]))


def test_without_werkzeug_only_route_fails():
    program = """
import sys
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "werkzeug":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Nothing())
from twoway.asyncio import route
try:
    route(None)
except ImportError as exc:
    print(exc)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "route() needs Werkzeug: pip install twoway-asyncio[routing]\n"
