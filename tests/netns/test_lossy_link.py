"""Packets get lost, come late and in another order, or not at all for a while: no connection fails for that."""

from __future__ import annotations

import itertools
import random
import threading
import time

import pytest
from fault_rig.ledger import Entry, check_all

DRIVERS = ("asyncio", "threading")
SECONDS = 6


@pytest.fixture
def talk(hosts, link, start_peer):
    """Let clients of both drivers talk to servers of both, plain and over TLS; give what all have noted."""

    def talk():
        servers = {driver: start_peer(hosts[0], driver, "server", hosts[0].address, "0,0") for driver in DRIVERS}
        clients = {driver: start_peer(hosts[1], driver, "client") for driver in DRIVERS}
        ports = {driver: server.hear("ports") for driver, server in servers.items()}
        for client, peer in clients.items():
            slots = [
                {
                    "name": f"{client}-{server}-{tls}",
                    "seed": "lossy",
                    "host": hosts[0].address,
                    "port": port,
                    "tls": bool(tls),
                }
                for server in DRIVERS
                for tls, port in enumerate(ports[server])
            ]
            until = time.monotonic() + SECONDS
            peer.tell(do="run", slots=[slot | {"until": until} for slot in slots])
        for peer in clients.values():
            peer.hear("done", 60)
        for peer in (*clients.values(), *servers.values()):
            peer.finish()
        served = {record.name: record for server in servers.values() for record in server.records}
        noted = itertools.chain.from_iterable(client.records for client in clients.values())
        return [Entry(record, served.get(record.name)) for record in noted]

    return talk


def test_all_messages_arrive_although_packets_get_lost(link, talk):
    link.loss, link.delay = 0.01, (0.002, 0.01)
    entries = talk()
    assert check_all(entries) == []
    assert link.lost > 100
    assert sum(entry.is_success for entry in entries) > 20


def test_all_messages_arrive_although_the_link_is_down_now_and_then(link, talk):
    over, dice = threading.Event(), random.Random("interruptions")

    def interrupt():
        # Far enough from each other for TCP to recover: else its attempts, each after twice the time of the one
        # before, may all meet an interruption, and then it is right to give up.
        while not over.wait(dice.uniform(1.5, 2.5)):
            link.is_cut = True
            time.sleep(0.3)
            link.is_cut = False

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        entries = talk()
    finally:
        over.set()
        thread.join()
    assert check_all(entries) == []
    assert link.lost > 10
    assert sum(entry.is_success for entry in entries) > 20
