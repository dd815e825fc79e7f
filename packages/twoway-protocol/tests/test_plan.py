"""Where one attempt to connect leads: redirects, credentials, proxies; with a stand-in for `twoway.auth`."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from twoway.http import HeaderError, Headers, Proxy, Response, StatusError, parse_uri
from twoway.protocol import (
    ClientOptions,
    InvalidHandshake,
    InvalidHeader,
    InvalidProxy,
    InvalidStatus,
    Plan,
    Planner,
    read_uri,
)

SECURE = Proxy("http", "proxy.example", 3128)


class Refusal(StatusError):
    """Say why there is no further attempt, as the errors of `twoway.auth` do."""

    def __init__(self, response, reason):
        super().__init__(response)
        self.reason = reason


class Auth:
    """Stand for `twoway.auth`, and remember how it was used."""

    def __init__(self, *outcomes):
        self.calls = []
        self.outcomes = list(outcomes)
        self.accepted = []

    def __call__(self):
        self.calls.append("load")
        return self

    def read_auth(self, auth):
        if auth == "bad":
            raise TypeError("auth must be good")
        return ("read", auth)

    def BasicAuth(self, username, password):
        return ("basic", username, password)

    def PasswordAuth(self, username, password, preemptive):
        self.calls.append(("password", username, password, preemptive))
        return SimpleNamespace(username=username)

    def Attempts(self, uri, *, auth, headers, redirects, cookies):
        self.calls.append(("attempts", auth, redirects, cookies))
        return Attempts(self, uri, headers)

    def ProxyAuth(self, auth, authority, proxy):
        self.calls.append(("proxy", auth, authority, proxy))
        return SimpleNamespace(headers=lambda: {"Proxy-Authorization": "token"})


class Attempts:
    def __init__(self, auth, uri, headers):
        self.auth = auth
        self.uri = uri
        self._headers = Headers(headers)

    def headers(self):
        return Headers([*self._headers.items(), ("X-Auth", "token")])

    def refuse(self, response):
        outcome = self.auth.outcomes.pop(0)
        if isinstance(outcome, str):
            self.uri = parse_uri(outcome)
            return
        raise outcome(response)

    def accept(self, response):
        if "bad" in response.headers:
            raise HeaderError("Authentication-Info", "bad")
        self.auth.accepted.append(response)


@pytest.fixture
def make():
    """Make a planner."""

    def make(uri="ws://localhost/", auth_module=None, **arguments):
        settings = dict.fromkeys(("additional_headers", "auth", "cookies", "proxy", "proxy_headers", "proxy_auth"))
        settings |= {"redirects": True, "fixed": None, "logger": logging.getLogger("test")}
        settings |= {"load": auth_module or Auth()}
        return Planner(read_uri(uri), ClientOptions(), **{**settings, **arguments})

    return make


def refusal(status=401):
    return InvalidStatus(Response(status, ""))


# The first connection


def test_without_anything_special_nothing_is_loaded(make):
    auth = Auth()
    plan = Plan(make("ws://example.com/x?y", auth, additional_headers={"A": "b"}))
    assert str(plan.uri) == "ws://example.com/x?y"
    assert plan.same_origin
    assert plan.options.additional_headers == Headers({"A": "b"})
    assert plan.find_proxy() is None
    assert plan.place == "example.com:80"
    plan.accept(Response(101, ""))
    assert auth.calls == []


@pytest.mark.parametrize("options", [{"auth": ("a", "b")}, {"cookies": object()}, {"uri": "ws://a:b@localhost/"}])
def test_what_may_add_to_the_first_request_is_loaded(make, options):
    auth = Auth()
    planner = make(auth_module=auth, **options)
    plan = Plan(planner, planner.ask("additional_headers"), planner.ask("auth"))
    assert plan.options.additional_headers == Headers({"X-Auth": "token"})
    response = Response(101, "")
    plan.accept(response)
    assert auth.accepted == [response]


def test_credentials_are_made_once_and_arguments_tried_without_them(make):
    auth = Auth()
    planner = make(auth_module=auth, auth="mine")
    assert planner.ask("auth") == ("read", "mine")
    assert ("attempts", ("basic", "", ""), True, None) in auth.calls
    Plan(planner, None, planner.ask("auth"))
    assert auth.calls[-1] == ("attempts", ("read", "mine"), True, None)


def test_a_policy_is_checked_at_once(make):
    auth = Auth()
    policy = object()
    make(auth_module=auth, redirects=policy)
    assert ("attempts", None, policy, None) in auth.calls


def test_functions_are_called_for_each_attempt(make):
    values = iter("abc")
    planner = make(additional_headers=lambda: {"X": next(values)}, auth=lambda: None, proxy_headers=lambda: 1)
    for value in "ab":
        plan = Plan(planner, planner.ask("additional_headers"), planner.ask("auth"))
        assert plan.options.additional_headers == Headers({"X": value})
    assert planner.ask("proxy_headers") == 1
    assert planner.ask("proxy_auth") is None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"auth": "bad"}, TypeError),
        ({"proxy_auth": "bad"}, TypeError),
        ({"additional_headers": {"a b": "c"}}, ValueError),
        ({"proxy_headers": {"Host": "c"}}, ValueError),
        ({"proxy": 1}, TypeError),
        ({"proxy": "gopher://x"}, InvalidProxy),
        ({"proxy": "http://x", "fixed": "path"}, ValueError),
    ],
)
def test_wrong_arguments(make, arguments, error):
    with pytest.raises(error):
        make(**arguments)


# Refusals


def test_a_refusal_for_good_is_raised_as_it_is(make):
    auth = Auth()
    exc = refusal(403)
    with pytest.raises(InvalidStatus) as excinfo:
        Plan(make(auth_module=auth)).refuse(exc)
    assert excinfo.value is exc
    assert auth.calls == []


@pytest.mark.feature("follow redirects")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 401])
def test_a_refusal_that_asks_for_something_is_shown_to_who_knows(make, status):
    plan = Plan(make(auth_module=Auth("wss://example.com/there")))
    plan.refuse(refusal(status))
    assert str(plan.uri) == "wss://example.com/there"
    assert not plan.same_origin
    assert plan.options.additional_headers == Headers({"X-Auth": "token"})


def test_why_there_is_no_further_attempt(make):
    plan = Plan(make(auth_module=Auth(lambda response: Refusal(response, "nobody knows"))))
    with pytest.raises(InvalidStatus, match="HTTP 401; nobody knows") as excinfo:
        plan.refuse(refusal())
    assert excinfo.value.reason == "nobody knows"
    assert isinstance(excinfo.value.__cause__, Refusal)


def test_nothing_to_add(make):
    """Cookies are kept for any answer, so that all of them are shown."""
    plan = Plan(make(auth_module=Auth(StatusError), cookies=object()))
    exc = refusal(403)
    with pytest.raises(InvalidStatus) as excinfo:
        plan.refuse(exc)
    assert excinfo.value is exc


def test_a_server_that_is_another_one(make):
    plan = Plan(make(auth_module=Auth(lambda response: HeaderError("Authentication-Info", "x")), cookies=object()))
    with pytest.raises(InvalidHeader, match="Authentication-Info"):
        plan.refuse(refusal(302))
    with pytest.raises(InvalidHandshake, match="Authentication-Info"):
        plan.accept(Response(101, "", Headers({"bad": "1"})))


@pytest.mark.parametrize(
    ("fixed", "target", "reason"),
    [
        ("sock", "ws://localhost/there", "sock serves for one connection"),
        ("path", "ws://localhost/there", None),
        ("path", "ws://example.com/", "no other address"),
    ],
)
def test_what_leads_to_one_place_only(make, fixed, target, reason):
    plan = Plan(make(auth_module=Auth(target), fixed=fixed, proxy=True))
    assert plan.find_proxy() is None
    if reason is None:
        plan.refuse(refusal())
        assert str(plan.uri) == target
    else:
        with pytest.raises(InvalidStatus, match=f"HTTP 401; .*{reason}"):
            plan.refuse(refusal())


def test_errors_do_not_keep_themselves(make):
    import gc
    import weakref

    gc.collect()
    gc.disable()
    try:
        for outcome, status in ((StatusError, 403), (lambda response: Refusal(response, "x"), 401)):
            plan = Plan(make(auth_module=Auth(outcome), cookies=object()))
            exc = refusal(status)
            watched = weakref.ref(exc)
            try:
                plan.refuse(exc)
            except InvalidStatus as error:
                also = weakref.ref(error)
            del exc, plan
            assert watched() is None
            assert also() is None
    finally:
        gc.enable()


# Proxies


@pytest.mark.feature("HTTP and HTTPS proxies")
@pytest.mark.parametrize("proxy", ["http://ada:secret@proxy.example:3128", lambda uri: SECURE, SECURE])
def test_a_proxy(make, caplog, proxy):
    caplog.set_level(logging.INFO)
    plan = Plan(make(proxy=proxy))
    found = plan.find_proxy()
    assert found is plan.proxy
    assert (found.host, found.port) == ("proxy.example", 3128)
    assert plan.place.startswith("localhost:80 through proxy http://")
    assert plan.place.endswith("proxy.example:3128 (argument)")
    assert "secret" not in caplog.text
    assert f"connecting to {plan.place}" in caplog.text


def test_a_setting_that_is_no_proxy(make):
    plan = Plan(make(proxy=lambda uri: "gopher://localhost"))
    with pytest.raises(InvalidProxy, match="gopher"):
        plan.find_proxy()


def test_systems_that_ask_the_network_for_a_proxy(make, monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert Plan(make(proxy=True)).may_block
    assert not Plan(make(proxy=SECURE)).may_block
    monkeypatch.setattr("sys.platform", "linux")
    assert not Plan(make(proxy=True)).may_block


def test_a_tunnel(make):
    auth = Auth()
    plan = Plan(make("wss://example.com/", auth, proxy=SECURE))
    plan.find_proxy()
    request = plan.tunnel("other.example", 443, {"X": "y"}, None).begin()
    assert request == b"CONNECT other.example:443 HTTP/1.1\r\nHost: other.example:443\r\nX: y\r\n\r\n"
    request = plan.tunnel("example.com", 443, None, "mine").begin()
    assert b"\r\nProxy-Authorization: token\r\n" in request
    assert auth.calls[-1] == ("proxy", "mine", "example.com:443", ("proxy.example", 3128))


def test_credentials_in_the_url_of_a_proxy_are_made_once(make):
    auth = Auth()
    planner = make(auth_module=auth, proxy=lambda uri: f"http://{next(users)}:b@proxy.example")
    users = iter("aac")
    for _ in range(3):
        plan = Plan(planner)
        plan.find_proxy()
        assert b"Proxy-Authorization" in plan.tunnel("localhost", 80, None, None).begin()
    assert [call[1] for call in auth.calls if call[0] == "password"] == ["a", "c"]
