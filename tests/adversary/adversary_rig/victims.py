"""The settings of those who are attacked, by name."""

from __future__ import annotations

import socket
from typing import Any

from twoway.http import HTTPLimits

from .drivers import Driver, answer_plain_http, delay

#: What ends by itself does so in this time, so that tests need not wait; seconds.
HASTY = {"open_timeout": 0.4, "ping_interval": 0.15, "ping_timeout": 0.15, "close_timeout": 0.2}
#: So little is taken by the system off the hands of a victim that is called narrow; bytes.
NARROW = 16384
USER = ("ada", "open sesame")

SERVERS: dict[str, dict[str, Any]] = {
    "usual": {"subprotocols": ["chat", "v2.chat"]},
    "hasty": HASTY,
    "hasty without pings": {**HASTY, "ping_interval": None},
    "guarded": {"origins": ["https://good.example"], "allowed_hosts": ["localhost", "good.example"]},
    "uncompressed": {"compression": None},
    "plain": {"process_request": answer_plain_http, "limits": HTTPLimits(max_body=1000)},
    "slow": {"process_request": delay},
}
CLIENTS: dict[str, dict[str, Any]] = {
    "usual": {},
    "hasty": HASTY,
    "hasty without pings": {**HASTY, "ping_interval": None},
    "uncompressed": {"compression": None},
}


def server_options(name: str, driver: Driver) -> dict[str, Any]:
    """Give the settings of a server."""
    if name == "basic":
        return {"process_request": driver.module.basic_auth("secrets", credentials=USER)}
    if name == "digest":
        return {"process_request": driver.module.digest_auth("secrets", credentials=USER)}
    if name == "digest of the moment":
        return {"process_request": driver.module.digest_auth("secrets", credentials=USER, nonce_lifetime=0.05)}
    if name == "narrow":
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NARROW)
        return {"sock": sock}
    return SERVERS[name]


def client_options(name: str, port: int) -> dict[str, Any]:
    """Give the settings of a client that connects to that port."""
    if name == "narrow":
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NARROW)
        sock.connect(("127.0.0.1", port))
        return {"sock": sock}
    return CLIENTS[name]
