"""
A host vanishes: its packets stop, and no FIN or RST tells of it. Nobody waits for longer than the limits say.

Each test has clients of both drivers, each connected to servers of both.
"""

from __future__ import annotations

import signal
import time

import pytest
from fault_rig.with_hold import GRACE, LIMITS

DRIVERS = ("asyncio", "threading")

HEARTBEAT = LIMITS["ping_interval"] + LIMITS["ping_timeout"]
# What a busy machine needs to notice that the time is over, and to say so; seconds.
SLACK = 2


class World:
    """
    Be clients and servers on two hosts.

    Args:
        start_peer: Starts a peer on a host.
        hosts: Of the servers, and of the clients.
    """

    def __init__(self, start_peer, hosts):
        self.start_peer, (self.server_host, self.client_host) = start_peer, hosts
        self.servers, self.clients, self.uris = [], [], []

    def serve(self, role="watch"):
        address = self.server_host.address
        self.servers = [self.start_peer(self.server_host, driver, role, address, "0") for driver in DRIVERS]
        self.uris = [f"ws://{address}:{server.hear('ports')[0]}/" for server in self.servers]

    def hold(self, act, opened=True):
        self.clients = [self.start_peer(self.client_host, driver, "hold", act, *self.uris) for driver in DRIVERS]
        if opened:
            hear_all(self.clients, "open")

    def go(self):
        for client in self.clients:
            client.tell(go=True)


def hear_all(peers, word):
    """Hear a word from each of them about each of the connections."""
    return [peer.hear(word) for peer in peers for _ in DRIVERS]


@pytest.fixture
def world(start_peer, hosts):
    return World(start_peer, hosts)


def check_noticed(peers, since, causes=("HEARTBEAT",)):
    ends = hear_all(peers, "ended")
    assert {end["cause"] for end in ends} <= set(causes)
    assert max(end["at"] for end in ends) - since < HEARTBEAT + SLACK


def test_both_sides_notice_that_the_link_is_cut(world, link):
    world.serve()
    world.hold("receive")
    link.is_cut, since = True, time.monotonic()
    check_noticed(world.clients, since)
    check_noticed(world.servers, since)


@pytest.mark.parametrize("side", ["client", "server"])
def test_both_sides_notice_that_a_device_is_down(world, side):
    world.serve()
    world.hold("receive")
    host = world.client_host if side == "client" else world.server_host
    host.set_link(host.name, "down")
    since = time.monotonic()
    # The kernel of that host may know that there is no way any more.
    check_noticed(world.clients, since, ("HEARTBEAT", "OS_ERROR"))
    check_noticed(world.servers, since, ("HEARTBEAT", "OS_ERROR"))


def test_who_sends_and_sends_notices_it_too(world, link):
    world.serve()
    world.hold("send")
    world.go()
    time.sleep(0.5)
    link.is_cut, since = True, time.monotonic()
    check_noticed(world.clients, since)
    check_noticed(world.servers, since)


def test_close_returns_in_its_time(world, link):
    world.serve()
    world.hold("close")
    link.is_cut = True
    world.go()
    ends = hear_all(world.clients, "ended")
    assert {end["cause"] for end in ends} <= {"CLOSE_TIMEOUT", "HEARTBEAT"}
    assert max(end["took"] for end in ends) < LIMITS["close_timeout"] + SLACK


def test_connecting_ends_in_its_time(world, link):
    world.serve()
    link.is_cut = True
    world.hold("receive", opened=False)
    ends = hear_all(world.clients, "refused")
    assert {end["kind"] for end in ends} == {"TimeoutError"}
    assert max(end["took"] for end in ends) < LIMITS["open_timeout"] + SLACK


def test_a_server_shuts_down_in_its_time(world, link):
    world.serve()
    world.hold("receive")
    link.is_cut, since = True, time.monotonic()
    for server in world.servers:
        server.process.send_signal(signal.SIGTERM)
    for server in world.servers:
        ends = [server.hear("ended") for _ in DRIVERS]
        report = server.hear("shutdown")[0]
        assert report["closed"] == 0
        assert report["aborted"] == len(ends)
        assert report["abandoned"] == 0
        server.finish()
    assert time.monotonic() - since < GRACE + 1 + SLACK


def test_clients_come_back_when_the_link_does(world, link):
    world.serve("echo")
    clients = [
        world.start_peer(world.client_host, driver, "load", uri, "a") for driver in DRIVERS for uri in world.uris
    ]
    for client in clients:
        client.hear("loaded")
    link.is_cut = True
    lost = [client.hear("lost") for client in clients]
    assert {(each["kind"], each["cause"], each["problem"]) for each in lost} == {
        ("ConnectionClosedError", "HEARTBEAT", "")
    }
    link.is_cut = False
    for client in clients:
        client.hear("loaded")
