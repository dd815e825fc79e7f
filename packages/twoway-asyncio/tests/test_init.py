"""What users see of the package."""

from __future__ import annotations

import inspect

import pytest

import twoway.asyncio
import twoway.protocol

OWN = [
    "ClientConnection",
    "Connection",
    "Router",
    "Server",
    "ServerConnection",
    "connect",
    "route",
    "serve",
    "unix_connect",
    "unix_serve",
    "unix_route",
]


def test_all_is_exact():
    assert set(OWN) < set(twoway.asyncio.__all__)
    assert all(hasattr(twoway.asyncio, name) for name in twoway.asyncio.__all__)


@pytest.mark.parametrize("name", OWN)
def test_classes_say_where_they_are_imported_from_and_what_they_are_for(name):
    item = getattr(twoway.asyncio, name)
    assert item.__module__ == "twoway.asyncio"
    public = [value for key, value in vars(item).items() if not key.startswith("_")]
    assert all(inspect.getdoc(value) for value in [item, *public] if callable(value) or isinstance(value, property))


@pytest.mark.parametrize("name", ["ConnectionClosed", "ShutdownReport", "backoff", "process_exception"])
def test_what_is_the_same_in_every_driver_is_of_the_protocol(name):
    assert getattr(twoway.asyncio, name) is getattr(twoway.protocol, name)
    assert getattr(twoway.asyncio, name).__module__ == "twoway.protocol"


def test_client_and_server_have_the_same_options_in_common():
    client, server = (
        set(inspect.signature(item).parameters) for item in (twoway.asyncio.connect, twoway.asyncio.serve)
    )
    common = {
        "close_timeout",
        "compression",
        "create_connection",
        "extensions",
        "idle_release",
        "kwargs",
        "logger",
        "max_fragments",
        "max_queue",
        "max_queue_bytes",
        "max_size",
        "open_timeout",
        "ping_interval",
        "ping_timeout",
        "slow_consumer",
        "subprotocols",
        "write_limit",
    }
    assert client & server == common
