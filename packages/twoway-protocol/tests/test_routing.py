"""Dispatch by path: which handler a request leads to, and what is answered to everybody else."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from typing import Any

import pytest

pytest.importorskip("werkzeug", reason="routing needs Werkzeug")

from werkzeug.routing import Map, Rule

from twoway.http import Headers, Request, Response
from twoway.protocol import RouterBase, ServerOptions, ServerProtocol, check_map


class Connection:
    def respond(self, status: int, text: str) -> Response:
        return ServerProtocol(ServerOptions(), 0).reject(status, text)


class Router(RouterBase[Connection]):
    def find(self, connection: Connection) -> tuple[Any, dict[str, Any]]:
        handler, arguments = self._matches.pop(connection)
        return handler, dict(arguments)


def say_a() -> None: ...


def tell() -> None: ...


def ask(path: str, upgrade: bool = True, host: str | list[str] = "example.org") -> Request:
    hosts = [host] if isinstance(host, str) else host
    fields = [("Host", item) for item in hosts] + [("Upgrade", "websocket")] * upgrade
    return Request(path, Headers(fields))


@pytest.fixture
def answer() -> Callable[..., Any]:
    """Route a request: gives handler and arguments, or status and Location."""

    def answer(request: Request, *rules: Rule, url_map: Map | None = None, **options: Any) -> Any:
        router, connection = Router(url_map or Map(list(rules)), **options), Connection()
        response = router.route_request(connection, request)
        if response is None:
            return router.find(connection)
        assert len(router._matches) == 0
        return response.status_code, response.headers.get("Location")

    return answer


def rules(websocket: bool = False) -> list[Rule]:
    return [
        Rule("/a", endpoint=say_a, websocket=websocket),
        Rule("/channel/<int:number>", endpoint=tell, websocket=websocket),
        Rule("/branch/", endpoint=say_a, websocket=websocket),
        Rule("/old/<int:number>", redirect_to="/channel/<number>", websocket=websocket),
    ]


@pytest.mark.parametrize("websocket", [True, False])
def test_the_path_chooses_the_handler_and_gives_its_arguments(answer: Callable[..., Any], websocket: bool) -> None:
    assert answer(ask("/a?query=is-not-the-path"), *rules(websocket)) == (say_a, {})
    assert answer(ask("/channel/7"), *rules(websocket)) == (tell, {"number": 7})
    assert answer(ask("/gr%C3%B6%C3%9Fe"), Rule("/<name>", endpoint=tell)) == (tell, {"name": "größe"})


def test_rules_may_name_hosts(answer: Callable[..., Any]) -> None:
    for host, expected in (("a.example.org", (say_a, {})), ("b.example.org", (404, None))):
        url_map = Map([Rule("/", endpoint=say_a, host="a.example.org")], host_matching=True)
        assert answer(ask("/", host=host), url_map=url_map) == expected


@pytest.mark.parametrize("path", ["/", "/b", "/a/b", "/channel/x", "//example.com/x", "/%00"])
@pytest.mark.parametrize("upgrade", [True, False])
def test_an_unknown_path_is_answered_with_404(answer: Callable[..., Any], path: str, upgrade: bool) -> None:
    assert answer(ask(path, upgrade), *rules()) == (404, None)


def test_a_rule_for_another_method_is_not_ours(answer: Callable[..., Any]) -> None:
    assert answer(ask("/a"), Rule("/a", endpoint=say_a, methods=["POST"])) == (404, None)


@pytest.mark.parametrize(
    ("upgrade", "options", "scheme"),
    [
        (True, {}, "ws"),
        (False, {}, "http"),
        (True, {"url_scheme": "wss"}, "wss"),
        (False, {"url_scheme": "wss"}, "https"),
    ],
)
def test_redirects_fit_the_request(
    answer: Callable[..., Any], upgrade: bool, options: dict[str, Any], scheme: str
) -> None:
    assert answer(ask("/branch?x=%20y", upgrade), *rules(), **options) == (
        302,
        f"{scheme}://example.org/branch/?x=%20y",
    )
    options["server_name"] = "example.com:81"
    assert answer(ask("/old/7", upgrade), *rules(), **options) == (302, f"{scheme}://example.com:81/channel/7")


def test_redirects_may_lead_to_other_hosts_and_letters(answer: Callable[..., Any]) -> None:
    assert answer(ask("/x"), Rule("/x", redirect_to="https://example.com/y")) == (302, "https://example.com/y")
    assert answer(ask("/x"), Rule("/x", redirect_to="/größe")) == (302, "ws://example.org/gr%C3%B6%C3%9Fe")


@pytest.mark.parametrize("path", ["//evil.example/branch", "/%2F/evil.example/branch", "/name/a%0D%0AX-Evil:%201"])
def test_a_path_cannot_lead_to_another_host_or_forge_a_header(answer: Callable[..., Any], path: str) -> None:
    found = [Rule("/<path:anything>/", endpoint=tell), Rule("/name/<string:name>/", endpoint=tell)]
    status, location = answer(ask(path), *found)
    assert status == 302
    assert location.startswith("ws://example.org/")
    assert "\r" not in location


@pytest.mark.parametrize("host", ["", "a..b", [], ["a", "b"]])
def test_a_request_must_tell_its_host(answer: Callable[..., Any], host: Any) -> None:
    assert answer(ask("/branch", host=host), *rules()) == (400, None)


def test_answers_can_be_changed() -> None:
    class Own(Router):
        def not_found(self, connection: Connection) -> Response:
            return connection.respond(410, f"gone from {self.server_name} with {self.url_scheme}")

    response = Own(Map(), "example.net", "wss").route_request(Connection(), ask("/b"))
    assert response is not None
    assert response.body == b"gone from example.net with wss"


def test_a_connection_that_never_opens_leaves_nothing_behind() -> None:
    router, connection = Router(Map(rules())), Connection()
    assert router.route_request(connection, ask("/a")) is None
    assert len(router._matches) == 1
    del connection
    gc.collect()
    assert len(router._matches) == 0


# Checking a map


def test_maps_of_handlers() -> None:
    check_map(Map(), "a function", "something")
    check_map(Map([Rule("/x", redirect_to="/y"), Rule("/z", endpoint="z", build_only=True)]), "a function", "something")
    check_map(Map([Rule("/x", endpoint="x")]), None, "something")


def test_wrong_maps() -> None:
    with pytest.raises(TypeError, match=r"^url_map must be a werkzeug.routing.Map, not dict$"):
        check_map({}, "a function", "something")
    with pytest.raises(TypeError, match=r"^url_map: the endpoint of '/x' must be a function, not 'x'$"):
        check_map(Map([Rule("/x", endpoint="x")]), "a function", "something")


def test_without_werkzeug_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.delitem(sys.modules, "werkzeug")
    monkeypatch.delitem(sys.modules, "werkzeug.routing")
    monkeypatch.setattr(sys, "meta_path", [Nothing()])
    with pytest.raises(ImportError, match=r"^route\(\) needs Werkzeug: pip install something\[routing\]$"):
        check_map(None, None, "something[routing]")


def test_a_broken_werkzeug_is_not_taken_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "werkzeug.routing", None)
    with pytest.raises(ModuleNotFoundError) as caught:
        check_map(None, None, "something")
    assert caught.value.name == "werkzeug.routing"
