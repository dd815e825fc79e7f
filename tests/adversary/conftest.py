"""
Peers that misbehave, against servers and clients of both drivers.

Each server is started once in a module. Whatever a test has done to it, at its end a good connection still works, no
handler hangs, and nobody has logged more than a line at INFO or seen an exception that was not meant for a user.
"""

from __future__ import annotations

import gc
import logging
import os
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

sys.path.insert(0, str(Path(__file__).parent))

from adversary_rig.attack import Asked, Reply, Victim
from adversary_rig.drivers import DRIVERS, Driver, Serving
from adversary_rig.peer import DEADLINE, Peer, dial
from adversary_rig.victims import server_options

Servers = Callable[[str], Serving]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "threat(name): which row of docs/security.md the test proves; see tools/threats.py"
    )


@pytest.fixture(autouse=True, scope="session")
def no_proxy_settings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower().endswith("_proxy"):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", params=list(DRIVERS))
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """A driver; all of the tests of one run before those of the next."""
    driver = DRIVERS[request.param]()
    with driver.serve() as serving:  # what it keeps for later is there from now on
        driver.say(f"ws://127.0.0.1:{serving.port}/", "first")
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def servers(driver: Driver) -> Iterator[Servers]:
    """The servers of a driver, by name; each starts when it is needed first. What they took is given back."""
    before = _resources()
    running: dict[str, Serving] = {}
    with ExitStack() as stack:

        def get(name: str) -> Serving:
            if name not in running:
                running[name] = stack.enter_context(driver.serve(**server_options(name, driver)))
            return running[name]

        yield get
    until = time.monotonic() + DEADLINE
    while (after := _resources()) > before and time.monotonic() < until:
        gc.collect()
        time.sleep(0.01)
    assert after <= before, "sockets or handlers are left"


def _resources() -> int:
    """Count open sockets."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return 0
    links = []
    for path in folder.iterdir():
        try:
            links.append(os.readlink(path))
        except OSError:  # it was the one that reads the folder
            continue
    return sum(link.startswith("socket:") for link in links)


@pytest.fixture(autouse=True)
def calm(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that nobody was impressed by what a test did."""
    caplog.set_level(logging.INFO)
    if "driver" not in request.fixturenames:
        yield
        return
    driver, usual = request.getfixturevalue("driver"), request.getfixturevalue("servers")("usual")
    yield
    assert driver.say(f"ws://127.0.0.1:{usual.port}/", "still here") == "still here"
    usual.wait_until_idle()
    assert driver.errors == []
    for record in caplog.get_records("call"):
        if "ran" in record.getMessage() and "late" in record.getMessage():
            continue  # this machine is busy, and short timeouts show that
        assert record.levelno <= logging.INFO, record.getMessage()
        assert record.exc_info is None, record.getMessage()
        assert record.getMessage().isprintable(), record.getMessage()
        assert len(record.getMessage()) < 500, record.getMessage()


@pytest.fixture
def attacker(servers: Servers) -> Iterator[Callable[..., Peer]]:
    """Connect to a server, by its name."""
    with ExitStack() as stack:
        yield lambda name="usual", **options: stack.enter_context(dial(servers(name).port, **options))


@pytest.fixture
def ask(attacker: Callable[..., Peer]) -> Callable[[Asked], Reply]:
    """Send a request to a server, and check what it answers and that it ends the connection unless it accepts."""

    def ask(attack: Asked) -> Reply:
        peer = attacker(attack.server)
        if callable(attack.send):
            attack.send(peer)
        else:
            peer.send(attack.send)
        if attack.status == 101:
            peer.wait(done=lambda: b"\r\n\r\n" in peer.received)
        else:
            peer.wait()
        reply = Reply(peer)
        assert reply.status == attack.status, bytes(peer.received)
        for name, value in attack.fields.items():
            assert reply.fields[name] == [value]
        assert not set(attack.absent) & set(reply.fields)
        if attack.status is None or attack.status >= 400:
            check_refusal(reply)
        return reply

    return ask


def check_refusal(reply: Reply) -> None:
    """Check what is so for every refusal: one answer in plain text, and the end."""
    assert reply.ended is not None
    assert reply.rest == b""
    if reply.status is not None:
        assert "close" in reply.fields["connection"][0].lower()
        assert reply.fields["content-type"] == ["text/plain; charset=utf-8"]
        assert len(reply.body) < 200


@pytest.fixture(params=["server", "client"])
def victim(request: pytest.FixtureRequest, driver: Driver, servers: Servers) -> Victim:
    """One side of a driver, for peers that open a connection as they should and go wrong afterwards."""
    return Victim(request.param, driver, servers)


@pytest.fixture(scope="session")
def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Certificates for localhost: the context of a server, and one of a client that trusts it."""
    authority = trustme.CA()
    contexts = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("localhost").configure_cert(contexts[0])
    authority.configure_trust(contexts[1])
    return contexts
