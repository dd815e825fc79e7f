"""Reverse proxies cut connections on which nothing happens; keepalive pings are what happens."""

from __future__ import annotations

import time

import pytest
from server_rig.sites import IDLE_TIMEOUT, REVERSE_PROXIES

from twoway.protocol import ConnectionClosedError


@pytest.fixture(params=list(REVERSE_PROXIES))
def idle(request, make_site):
    return make_site(request.param, "idle")


@pytest.mark.parametrize("whose", ["client", "server"])
def test_pings_keep_the_connection(idle, whose):
    options = {"client": {"ping_interval": None}, "server": {"ping_interval": None}}
    options[whose]["ping_interval"] = IDLE_TIMEOUT / 4
    with idle.serve(**options["server"]), idle.connect(**options["client"]) as client:
        time.sleep(IDLE_TIMEOUT * 2)
        client.send("still here")
        assert client.recv() == "still here"


def test_without_pings_both_sides_learn_that_it_was_cut(idle):
    with idle.open(ping_interval=None) as client:
        with pytest.raises(ConnectionClosedError) as excinfo:
            client.recv()
        assert (excinfo.value.rcvd, client.close_code) == (None, 1006)
