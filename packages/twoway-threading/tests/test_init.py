"""What users see of the package."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import twoway.threading

OWN = [
    "ClientConnection",
    "Connection",
    "Pong",
    "Router",
    "Server",
    "ServerConnection",
    "broadcast",
    "connect",
    "route",
    "serve",
    "unix_connect",
    "unix_serve",
    "unix_route",
]


def test_all_is_exact():
    assert set(OWN) < set(twoway.threading.__all__)
    assert all(hasattr(twoway.threading, name) for name in twoway.threading.__all__)


@pytest.mark.parametrize("name", OWN)
def test_classes_say_where_they_are_imported_from_and_what_they_are_for(name):
    item = getattr(twoway.threading, name)
    assert item.__module__ == "twoway.threading"
    public = [value for key, value in vars(item).items() if not key.startswith("_")]
    assert all(inspect.getdoc(value) for value in [item, *public] if callable(value) or isinstance(value, property))


def test_client_and_server_have_the_same_options_in_common():
    client, server = (
        set(inspect.signature(item).parameters) for item in (twoway.threading.connect, twoway.threading.serve)
    )
    common = {
        "close_timeout",
        "compression",
        "create_connection",
        "extensions",
        "idle_release",
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
    assert common <= client & server


def test_nothing_of_asyncio_comes_with_it():
    program = "import sys, twoway.threading; print([name for name in sys.modules if name.startswith('asyncio')])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_importing_starts_no_thread_and_opens_nothing():
    program = "import threading, twoway.threading; print(threading.active_count())"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "1\n"
