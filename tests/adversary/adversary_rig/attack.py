"""Attacks as data, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

from .drivers import Driver, Outcome, Serving
from .peer import DEADLINE, Peer, Trap, dial
from .victims import NARROW, client_options
from .wire import CLOSE, Frame, read_frames

#: What an attacker says to have compression, as a server and as a client.
COMPRESSION = (
    b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
    b"Sec-WebSocket-Extensions: permessage-deflate",
)

Act: TypeAlias = Callable[[Peer], None]


def table(attacks: Mapping[str, Any]) -> pytest.MarkDecorator:
    """Run a test for each attack of a table."""
    return pytest.mark.parametrize("attack", [pytest.param(attack, id=name) for name, attack in attacks.items()])


@dataclass(frozen=True)
class Asked:
    """
    Hold a request to a server, and the answer it must get.

    `send` is the bytes, or a function that gets the peer and sends them; `status` what is answered, None for a
    connection that ends without an answer; `server` which one; `fields` what the answer has, as lower-case names;
    `absent` which fields it has not.
    """

    send: bytes | Act
    status: int | None
    server: str = "usual"
    fields: Mapping[str, str] = field(default_factory=dict)
    absent: Sequence[str] = ()


@dataclass(frozen=True)
class Framed:
    """
    Hold frames to either side, behind a good opening handshake, and the end that they must lead to.

    `code` is that of the victim's Close frame, 0 for one without a code, None for no Close frame; `delivered` is what
    the victim's user gets, `echoed` whether the attacker gets it back, `compressed` whether that may be compressed.
    """

    frames: Sequence[Frame | bytes] | Act
    code: int | None
    delivered: Sequence[str | bytes] = ()
    echoed: bool = True
    compressed: bool = False
    victim: str = "usual"


@dataclass(frozen=True)
class Answered:
    """
    Hold a server's answer to a client, and the error that its user must get.

    `send` is the bytes, where ``%(accept)s`` stands for what the client wants to hear, or a function that gets the
    peer; `error` names the class of the error, `says` what its text holds, `options` are for `connect`.
    """

    send: bytes | Act
    error: str
    says: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    path: str = "/"


class Reply:
    """
    Read what a server has answered.

    Attributes:
        status: Of the response; None if there is none.
        fields: Of the response, lower-case name -> values.
        body: As long as Content-Length says.
        rest: What stands behind it.
        ended: How the connection has ended.
    """

    def __init__(self, peer: Peer) -> None:
        head, _, rest = bytes(peer.received).partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.ended = peer.ended
        self.status = int(lines[0].split(" ")[1]) if head else None
        self.fields: dict[str, list[str]] = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            self.fields.setdefault(name.lower(), []).append(value)
        length = int(self.fields.get("content-length", ["0"])[0])
        self.body, self.rest = rest[:length], rest[length:]


class Result:
    """
    Read what a victim has sent behind the opening handshake.

    Attributes:
        frames: First byte and payload of all of its frames.
        code: Of its Close frame: 0 for an empty one, None if there is none.
        delivered: What its user has got.
        ended: How it has ended the connection.
        error: For a client, what its user has got at last.
    """

    def __init__(self, peer: Peer, delivered: Sequence[str | bytes], error: BaseException | None) -> None:
        frames = read_frames(bytes(peer.received))
        # RFC 6455 §5.1: a client masks all frames, a server none.
        assert all(masked is not peer.client for _, _, masked in frames)
        self.frames = [(first, payload) for first, payload, _ in frames]
        closes = [payload for first, payload in self.frames if first == CLOSE]
        assert len(closes) <= 1, "more than one Close frame"
        assert not closes or self.frames[-1][0] == CLOSE, "something comes after the Close frame"
        self.code = int.from_bytes(closes[0][:2], "big") if closes else None
        self.delivered = list(delivered)
        self.ended = peer.ended
        self.error = error

    @property
    def echoes(self) -> list[str | bytes]:
        """Give the messages that came back."""
        data = [(first, payload) for first, payload in self.frames if first & 0x0F in (1, 2)]
        return [payload.decode() if first & 1 else payload for first, payload in data]


def wait_for_close(peer: Peer) -> None:
    """Read until the victim has ended the connection; a client leaves that to the server (RFC 6455 §7.1.1)."""
    peer.wait(done=lambda: not peer.client and has_closed(peer))


def has_closed(peer: Peer) -> bool:
    """Tell whether the victim has sent a Close frame."""
    return any(first == CLOSE for first, _, _ in read_frames(bytes(peer.received)))


class Victim:
    """
    Be a side of a driver that frames are sent to.

    Attributes:
        side: "server" or "client".
        driver: The driver.
    """

    def __init__(self, side: str, driver: Driver, servers: Callable[[str], Serving]) -> None:
        self.side = side
        self.driver = driver
        self._servers = servers

    def suffer(self, attack: Framed) -> Result:
        """Let an attack happen, to its end."""
        act = attack.frames if callable(attack.frames) else _sender(attack.frames)
        return self.meet(act, attack.compressed, attack.victim)

    def meet(self, act: Act, compressed: bool = False, name: str = "usual") -> Result:
        """Let a peer do something behind a good opening handshake; returns when all is over."""

        def behave(peer: Peer) -> None:
            peer.open(COMPRESSION[peer.client] if compressed else b"")
            act(peer)

        return self._as_server(behave, name) if self.side == "server" else self._as_client(behave, name)

    def _as_server(self, behave: Act, name: str) -> Result:
        serving = self._servers(name)
        serving.clear()
        begun = serving.begun + 1
        with dial(serving.port, NARROW if name == "narrow" else None) as peer:
            behave(peer)
        serving.wait_until_idle(begun)
        return Result(peer, serving.delivered, None)

    def _as_client(self, behave: Act, name: str) -> Result:
        with Trap(behave, receive_buffer=NARROW if name == "narrow" else None) as trap:
            outcome = self.start(trap.port, name).result(DEADLINE + 5)
            trap.join()
        (peer,) = trap.peers
        assert outcome.opened, outcome.error
        check_documented(self.driver, outcome)
        return Result(peer, outcome.messages, outcome.error)

    def start(self, port: int, name: str) -> Future[Outcome]:
        """Connect with the options of that name."""
        return self.driver.dial(f"ws://127.0.0.1:{port}/", **client_options(name, port))


def check_documented(driver: Driver, outcome: Outcome) -> None:
    """Check that the user got nothing but what is documented."""
    documented = (driver.module.WebSocketException, OSError, TimeoutError, ValueError)
    assert isinstance(outcome.error, documented), repr(outcome.error)
    assert type(outcome.error).__name__ not in ("UnicodeDecodeError", "UnicodeEncodeError"), repr(outcome.error)


def _sender(frames: Sequence[Frame | bytes]) -> Act:
    def act(peer: Peer) -> None:
        peer.send_frames(frames)
        wait_for_close(peer)

    return act
