"""
Servers and clients of both drivers talk through a network that harms their connections, for as long as is asked for.

No message may be lost, come twice, or come in another order on a connection that reported success; nothing may be left
of any connection. Each side of both drivers talks to each side of the other, plain and over TLS.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fault_rig.ledger import Entry, check_all
from fault_rig.process import Peer, rest
from fault_rig.relay import Relay, relaying
from fault_rig.workload import Record

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="NOT TESTED HERE: what a process holds is read from /proc"
)

DRIVERS = ("asyncio", "threading")
COPIES = 2
WARM_UP = 2
# What connections still take to end when no more are begun; seconds.
LAST_ONES = 60
# How much more a process may hold at the end than after the first connections, however many there were: what a module
# takes that is imported late. Bytes, and blocks of Python's allocator.
GROWTH = {"resident": 16 << 20, "blocks": 10_000}


class Rig:
    """
    Run servers, relays, and clients.

    Args:
        start_peer: Starts a peer.
        seed: Decides what is said, and what the relays do.
    """

    def __init__(self, start_peer: Any, seed: str) -> None:
        self.seed = seed
        self.servers: dict[str, Peer] = {name: start_peer(name, "server", "127.0.0.1", "0,0") for name in DRIVERS}
        self.clients: dict[str, Peer] = {name: start_peer(name, "client") for name in DRIVERS}
        self.relays: dict[str, Relay] = {}
        self.slots: dict[str, list[dict[str, Any]]] = {name: [] for name in DRIVERS}
        ports = {name: server.hear("ports") for name, server in self.servers.items()}
        for client, server, tls, copy in itertools.product(DRIVERS, DRIVERS, (False, True), range(COPIES)):
            name = f"{client}-{server}-{'tls' if tls else 'plain'}-{copy}"
            self.relays[name] = Relay(("127.0.0.1", ports[server][tls]), f"{seed} {name}")
            self.slots[client].append({"name": name, "seed": seed, "host": "127.0.0.1", "tls": tls})

    def run(self, seconds: float) -> None:
        """Let the clients make connections for a time."""
        for name, client in self.clients.items():
            for slot in self.slots[name]:
                slot |= {"port": self.relays[slot["name"]].port, "until": time.monotonic() + seconds}
            client.tell(do="run", slots=self.slots[name])
        for name, client in self.clients.items():
            done = client.hear("done", seconds + LAST_ONES)
            for slot in self.slots[name]:
                slot["number"] = done[slot["name"]]

    def held(self, like: dict[str, Any] | None) -> dict[str, Any]:
        """Return what each process holds when all is at rest."""
        peers = {"server": self.servers, "client": self.clients}
        return {
            f"{side} {name}": rest(peer, like and like[f"{side} {name}"])
            for side, by_name in peers.items()
            for name, peer in by_name.items()
        }

    def entries(self) -> list[Entry]:
        """Join what both sides and the relays have noted of each connection."""
        served: dict[str, Record] = {}
        for server in self.servers.values():
            served |= {record.name: record for record in server.records}
        entries = []
        for record in itertools.chain.from_iterable(client.records for client in self.clients.values()):
            _, _, slot, number = record.name.split("/")
            link = self.relays[slot].links[int(number)]
            entries.append(Entry(record, served.get(record.name), link.fate, link.struck))
        return entries


@pytest.mark.timeout(0)
def test_nothing_is_lost_and_nothing_is_left(start_peer, soak_seconds, soak_seed, capsys):
    rig = Rig(start_peer, soak_seed)
    with relaying(list(rig.relays.values())):
        rig.run(WARM_UP)
        before = rig.held(None)
        rig.run(soak_seconds)
        after = rig.held(before)
    for peer in (*rig.clients.values(), *rig.servers.values()):
        peer.finish()
    entries = rig.entries()
    growth = {(name, what): after[name][what] - before[name][what] for name in after for what in GROWTH}
    with capsys.disabled():
        print(f"\nseed {soak_seed}: {describe(entries)}\ngrowth: {growth}")
    problems = check_all(entries)
    assert not problems, f"seed {soak_seed}: {len(problems)} problems:\n" + "\n".join(problems[:20])
    assert {key: size for key, size in growth.items() if size > GROWTH[key[1]]} == {}
    assert {entry.is_success for entry in entries} == {True, False}


def describe(entries: list[Entry]) -> str:
    """Say how many connections there were, and how they ended for clients."""
    ends = Counter(
        f"{entry.fate.fault if entry.struck else 'unharmed'}: {entry.client.cause or entry.client.error.split(':')[0]}"
        for entry in entries
    )
    messages = sum(record.received for entry in entries for record in entry.sides)
    successes = sum(entry.is_success for entry in entries)
    lines = [f"{len(entries)} connections, {successes} with success, {messages} messages received"]
    return "\n".join([*lines, *(f"  {count:6} {end}" for end, count in ends.most_common())])
