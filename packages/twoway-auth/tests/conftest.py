from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from twoway.auth import Attempts, parse_challenges
from twoway.http import Headers, Response, WebSocketURI, parse_uri


@pytest.fixture
def challenge() -> Callable[..., Response]:
    """Make a 401, or a 407, with these challenges, one for each line."""

    def make(*lines: str, status: int = 401) -> Response:
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        return Response(status, "", Headers([(name, line) for line in lines]))

    return make


@pytest.fixture
def redirect() -> Callable[..., Response]:
    """Make a redirect; several locations make several lines."""

    def make(*locations: str, status: int = 302) -> Response:
        return Response(status, "", Headers([("Location", location) for location in locations]))

    return make


@pytest.fixture
def params() -> Callable[[str], dict[str, str]]:
    """Take Digest credentials apart."""

    def take(value: str) -> dict[str, str]:
        (found,) = parse_challenges([value])
        assert found.scheme == "Digest"
        return found.params

    return take


@pytest.fixture
def cnonces() -> Callable[[], str]:
    """Give client's nonces c1, c2, ..."""
    return map("c{}".format, range(1, 1000)).__next__


@pytest.fixture
def uri() -> WebSocketURI:
    return parse_uri("ws://example.com/chat?room=1")


@pytest.fixture
def follow() -> Callable[..., Iterator[Attempts]]:
    """Run a plan against a function that gives the answer to a target and headers, until 101; at most 100 requests."""

    def run(plan: Attempts, answer: Callable[[WebSocketURI, Headers], Response]) -> int:
        for number in range(1, 101):
            response = answer(plan.uri, plan.headers())
            if response.status_code == 101:
                plan.accept(response)
                return number
            plan.refuse(response)
        raise AssertionError("there was no end")

    return run
