"""Settings: wrong ones are refused when they are made."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from twoway.http import HTTPLimits
from twoway.protocol import ClientOptions, ClientProtocol, Options, ServerOptions


def test_defaults_are_safe() -> None:
    options = Options()
    assert options.max_sizes == (1 << 20, None)
    assert options.max_fragments == 4096
    assert (options.open_timeout, options.close_timeout) == (10, 10)
    assert (options.ping_interval, options.ping_timeout) == (20, 20)
    assert options.limits == HTTPLimits()
    assert options.max_lifetime is None


def test_constant() -> None:
    with pytest.raises(FrozenInstanceError):
        ServerOptions().max_size = None  # type: ignore[misc]


@pytest.mark.parametrize("value", [(5, 3), (None, 3), (5, None)])
def test_two_sizes(value: Any) -> None:
    assert Options(max_size=value).max_sizes == value


@pytest.mark.parametrize("kind", [ClientOptions, ServerOptions])
@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("max_size", -1, ValueError, "max_size must be >= 0, not -1"),
        ("max_size", "1", TypeError, "max_size must be an int or None, not str"),
        ("max_size", (1, -1), ValueError, "max_size must be >= 0, not -1"),
        ("max_size", (1, 2, 3), ValueError, "max_size must be one value or a tuple of 2, not of 3"),
        ("max_fragments", 1.5, TypeError, "max_fragments must be an int or None, not float"),
        ("open_timeout", -1, ValueError, "open_timeout must be >= 0 seconds, or None for no limit, not -1"),
        ("close_timeout", "1", TypeError, "close_timeout must be a number of seconds or None, not str"),
        ("ping_timeout", float("nan"), ValueError, "ping_timeout must be >= 0 seconds, or None for no limit, not nan"),
        ("ping_interval", 0, ValueError, "ping_interval must be > 0 seconds, or None for no limit, not 0"),
        ("max_lifetime", 0.0, ValueError, "max_lifetime must be > 0 seconds, or None for no limit, not 0.0"),
        ("idle_release", 0, ValueError, "idle_release must be > 0 seconds, or None for no limit, not 0"),
        ("limits", None, TypeError, "limits must be HTTPLimits, not NoneType"),
        ("extensions", "rot", TypeError, "extensions must be a sequence of "),
        ("extensions", [1], TypeError, "extensions must hold "),
        ("subprotocols", "chat", TypeError, "subprotocols must be a sequence of str, not str"),
        ("subprotocols", [1], TypeError, "subprotocols must hold str, not int"),
        ("subprotocols", ["a b"], ValueError, "subprotocols must hold HTTP tokens, not 'a b'"),
        ("subprotocols", ["a", "a"], ValueError, "subprotocols must be different from each other"),
    ],
)
def test_wrong_values(kind: type[Options], name: str, value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        kind(**{name: value})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("origin", "a\r\nb: c", ValueError, "value of Origin must be "),
        ("origin", 1, TypeError, "name and value must be str"),
        ("user_agent_header", "a\nb", ValueError, "value of User-Agent must be "),
        ("host", "a b", ValueError, "host must be a host with or without port"),
        ("additional_headers", {"a b": "c"}, ValueError, "name must be an HTTP token"),
        ("additional_headers", {"Upgrade": "c"}, ValueError, "additional_headers must not hold Upgrade"),
    ],
)
def test_wrong_values_for_clients(name: str, value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        ClientOptions(**{name: value})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("origins", "https://example.com", TypeError, "origins must be a sequence of str, patterns and None, not str"),
        ("origins", "", TypeError, "origins must be a sequence of str, patterns and None, not str"),
        ("origins", [b"https://example.com"], TypeError, "origins must hold str, patterns and None, not bytes"),
        ("allowed_hosts", "example.com", TypeError, "allowed_hosts must be a sequence of str, not str"),
        ("allowed_hosts", ["a b"], ValueError, "allowed_hosts must hold hosts with or without port, not 'a b'"),
        ("server_header", "a\r\nb", ValueError, "value of Server must be "),
    ],
)
def test_wrong_values_for_servers(name: str, value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        ServerOptions(**{name: value})
    assert str(caught.value).startswith(message)


def test_right_values(rot: Any) -> None:
    ServerOptions(
        origins=["https://example.com", re.compile("https://.*"), None],
        allowed_hosts=["localhost", "*.example.com"],
        extensions=[rot()],
        subprotocols=["chat"],
        server_header="x",
        logger=logging.getLogger("twoway.server"),
    )
    ServerOptions(origins=[], allowed_hosts=[])


def test_factories_of_the_other_side_are_refused(rot: Any) -> None:
    from twoway.frames import ClientExtensionFactory

    class Client(ClientExtensionFactory):
        name = "x"

        def get_request_params(self) -> Any: ...

        def process_response_params(self, params: Any, accepted_extensions: Any) -> Any: ...

    ClientOptions(extensions=[Client()])
    with pytest.raises(TypeError, match="extensions must hold ServerExtensionFactory objects, not Client"):
        ServerOptions(extensions=[Client()])  # type: ignore[list-item]


def test_headers_from_an_iterator_serve_every_connection() -> None:
    def headers() -> Iterator[tuple[str, str]]:
        yield "X-Token", "1"

    options = ClientOptions(additional_headers=headers())
    for _ in range(2):
        assert ClientProtocol("ws://localhost/", options).connect().headers["X-Token"] == "1"
