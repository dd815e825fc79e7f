"""What connections of drivers tell about themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from twoway.frames import Close
from twoway.protocol import (
    Cause,
    ClientOptions,
    ClientProtocol,
    ConnectionFacts,
    Protocol,
    ServerOptions,
    State,
    read_uri,
)
from twoway.protocol.testing import connected_pair


class Connection(ConnectionFacts):
    __slots__ = ("_id", "protocol")

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self._id = None


def test_an_identifier_is_unique_and_stays() -> None:
    protocol = connected_pair().client
    first, second = Connection(protocol), Connection(protocol)
    assert isinstance(first.id, UUID)
    assert first.id == first.id != second.id


def test_nothing_is_known_before_the_handshake() -> None:
    connection = Connection(ClientProtocol(read_uri("ws://localhost/"), ClientOptions(), 0))
    assert connection.state is State.CONNECTING
    assert (connection.request, connection.response, connection.subprotocol) == (None, None, None)
    assert connection.extensions == ()


def test_an_open_connection(rot: Callable[[], Any]) -> None:
    client = ClientOptions(subprotocols=["chat"], extensions=[rot()])
    pair = connected_pair(client, ServerOptions(subprotocols=["chat"], extensions=[rot()]))
    for connection in map(Connection, (pair.client, pair.server)):
        assert connection.state is State.OPEN
        assert connection.request is not None
        assert connection.request.path == "/"
        assert connection.response is not None
        assert connection.response.status_code == 101
        assert connection.subprotocol == "chat"
        assert [extension.name for extension in connection.extensions] == ["rot"]
        assert connection.latency == 0
        assert (connection.close_code, connection.close_reason, connection.cause) == (None, None, None)
        assert (connection.close_rcvd, connection.close_sent, connection.close_rcvd_then_sent) == (None, None, None)


def test_a_closed_connection() -> None:
    pair = connected_pair()
    client, server = Connection(pair.client), Connection(pair.server)
    pair.client.close(3000, "bye", now=pair.now)
    pair.exchange()
    for connection in (client, server):
        assert connection.state is State.CLOSED
        assert (connection.close_code, connection.close_reason) == (3000, "bye")
        assert connection.close_rcvd == connection.close_sent == Close(3000, "bye")
    assert (client.cause, server.cause) == (Cause.LOCAL_CLOSE, Cause.REMOTE_CLOSE)
    assert (client.close_rcvd_then_sent, server.close_rcvd_then_sent) == (False, True)


@pytest.mark.parametrize("name", [name for name, fact in vars(ConnectionFacts).items() if isinstance(fact, property)])
def test_facts_cannot_be_set(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(Connection(connected_pair().client), name, None)
