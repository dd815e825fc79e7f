"""Extensions that do not fit together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from twoway.http import ResponseParser, accept_key
from twoway.protocol import (
    ClientOptions,
    ClientProtocol,
    InvalidNegotiation,
    ServerOptions,
    ServerProtocol,
    State,
)

Make = Callable[..., Any]
OFFER = "rot; turn=1, tor; turn=2, rit; turn=3"


@pytest.mark.feature("negotiate extensions")
def test_of_two_offers_that_use_the_same_bit_the_second_is_declined(http: Make, rot: Any) -> None:
    """RFC 7692 §5"""
    factories = [rot(1, bit=0x40), rot(2, name="tor", bit=0x40), rot(3, name="rit", bit=0x10)]
    protocol = ServerProtocol(ServerOptions(extensions=factories))
    protocol.receive_data(http(Sec_WebSocket_Extensions=OFFER), 1)
    assert protocol.request is not None
    protocol.send_response(protocol.accept(protocol.request), 1)
    answer = ResponseParser().receive_data(b"".join(protocol.data_to_send()))
    assert answer is not None
    assert answer.headers["Sec-WebSocket-Extensions"] == "rot; turn=1, rit; turn=3"
    assert [extension.turn for extension in protocol.extensions] == [1, 3]  # type: ignore[attr-defined]
    assert [extension.closed for extension in factories[1].made] == [1]


@pytest.mark.feature("negotiate extensions")
@pytest.mark.parametrize(("bit", "state"), [(0x40, State.CLOSING), (0x10, State.OPEN)])
def test_an_answer_with_two_extensions_that_use_the_same_bit_fails(rot: Any, bit: int, state: State) -> None:
    """RFC 7692 §5"""
    factories = [rot(1, bit=0x40), rot(2, name="tor", bit=bit)]
    protocol = ClientProtocol("ws://localhost/", ClientOptions(extensions=factories))
    protocol.send_request(protocol.connect())
    answer = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_key(protocol.key)}\r\n"
        "Sec-WebSocket-Extensions: rot; turn=1, tor; turn=2\r\n\r\n"
    )
    protocol.receive_data(answer.encode(), 1)
    assert protocol.state is state
    if state is State.CLOSING:
        assert isinstance(protocol.handshake_exc, InvalidNegotiation)
        assert "'tor' beside another one with the same reserved bits" in str(protocol.handshake_exc)
        assert protocol.extensions == ()
