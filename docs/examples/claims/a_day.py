"""A day in the life of a connection, without waiting for it; in the evening the peer vanishes."""

from __future__ import annotations

from twoway.frames import Ping
from twoway.protocol import State
from twoway.protocol.testing import connected_pair

pair = connected_pair()
pair.advance(86400)
pings = sum(isinstance(event, Ping) for event in pair.client_events())
print(f"after a day: {pair.client.state.name}, pings from the server: {pings}")
pair.online = False
vanished = pair.now
while pair.server.state is State.OPEN:
    pair.advance(0.5)
assert pair.server.cause is not None
print(f"the server noticed after {pair.now - vanished:.1f} s: {pair.server.cause.value}")
