"""
Two hosts in network namespaces of their own, where the kernel and the user's rights allow that.

Where they do not, the tests are skipped, and the end of the report says so.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trustme

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "soak"))

from fault_rig.process import Peer
from netns_rig.link import Host, Link

StartPeer: TypeAlias = Callable[..., Peer]
SERVER, CLIENT = "10.213.7.1", "10.213.7.2"
_why_not: list[str] = []


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _why_not:
        terminalreporter.section("NOT TESTED", sep="!", red=True)
        terminalreporter.line(f"NO TEST WITH A NETWORK OF ITS OWN HAS RUN: {_why_not[0]}")


@pytest.fixture(scope="session")
def names() -> Iterator[str]:
    """Names that are not taken by another run of these tests."""
    return (f"tw{os.getpid()}-{number}" for number in itertools.count())


@pytest.fixture
def hosts(names: Iterator[str]) -> Iterator[tuple[Host, Host]]:
    """A host for servers, and one for clients."""
    made: list[Host] = []
    try:
        for address in (SERVER, CLIENT):
            made.append(Host(next(names), address))
    except OSError as exc:
        for host in made:
            host.close()
        _why_not.append(str(exc))
        pytest.skip(f"NOT TESTED HERE: {exc}")
    yield made[0], made[1]
    for host in made:
        host.close()


@pytest.fixture
def link(hosts: tuple[Host, Host]) -> Iterator[Link]:
    """The only way from one host to the other."""
    link = Link(hosts, "seed")
    yield link
    link.close()


@pytest.fixture(scope="session")
def tls_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificates that peers use."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    certificate = authority.issue_cert(SERVER, key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(str(folder / "ca"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "chain"))
    certificate.private_key_pem.write_to_path(str(folder / "key"))
    return folder


@pytest.fixture
def start_peer(hosts: tuple[Host, Host], link: Link, tls_folder: Path) -> Iterator[StartPeer]:
    """What starts a peer on one of the hosts; it is killed at the end of the test if it still runs."""
    peers: list[Peer] = []

    def start(host: Host, *arguments: str) -> Peer:
        peers.append(Peer(*arguments, environment={"FAULT_RIG_TLS": str(tls_folder)}, prefix=host.prefix))
        return peers[-1]

    yield start
    for peer in peers:
        peer.kill()
