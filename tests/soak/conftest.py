"""
Peers in processes of their own, and options for how long and with which seed they talk.

    pytest tests/soak --soak-seconds 600 --soak-seed 7
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import trustme

sys.path.insert(0, str(Path(__file__).parent))

from fault_rig.process import Peer

StartPeer: TypeAlias = Callable[..., Peer]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak-seconds", type=float, default=8, help="how long peers talk through the relay")
    parser.addoption("--soak-seed", default=None, help="what decides about messages and faults; default: a random one")


@pytest.fixture(scope="session")
def soak_seconds(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--soak-seconds"))


@pytest.fixture(scope="session")
def soak_seed(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--soak-seed") or random.randrange(10**6))


@pytest.fixture(scope="session")
def tls_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificates that peers use."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    certificate = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.ECDSA)
    authority.cert_pem.write_to_path(str(folder / "ca"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "chain"))
    certificate.private_key_pem.write_to_path(str(folder / "key"))
    return folder


@pytest.fixture
def start_peer(tls_folder: Path) -> Iterator[StartPeer]:
    """What starts a peer; it is killed at the end of the test if it still runs."""
    peers: list[Peer] = []

    def start(*arguments: str, **options: Any) -> Peer:
        peers.append(Peer(*arguments, environment={"FAULT_RIG_TLS": str(tls_folder)}, **options))
        return peers[-1]

    yield start
    for peer in peers:
        peer.kill()
