from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from twoway.frames import (
    ClientExtensionFactory,
    Close,
    Extension,
    Frame,
    FrameDecoder,
    MessageDecoder,
    NegotiationError,
    Opcode,
    ServerExtensionFactory,
    encode_frame,
)
from twoway.http import Request, Response
from twoway.protocol import ClientOptions, ClientProtocol, Closed, HandshakeFailed, Protocol, ServerOptions
from twoway.protocol.testing import connected_pair

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@pytest.fixture(params=["client", "server"])
def side(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_open() -> Callable[..., Any]:
    """Make one side of an OPEN connection; the other side is of no importance."""

    def make(side: str, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None, **both: Any) -> Any:
        pair = connected_pair(ClientOptions(**both, **(client or {})), ServerOptions(**both, **(server or {})))
        return pair.client if side == "client" else pair.server

    return make


@pytest.fixture
def frame() -> Callable[..., bytes]:
    """Make the bytes of a frame as the peer of `protocol` would send it."""

    def make(protocol: Protocol, opcode: int, payload: str | bytes = b"", fin: bool = True, rsv: int = 0) -> bytes:
        return encode_frame(opcode, payload, fin, rsv, not isinstance(protocol, ClientProtocol))

    return make


@pytest.fixture
def closing() -> Callable[..., bytes]:
    """Make the bytes of a Close frame as the peer of `protocol` would send it."""

    def make(protocol: Protocol, code: int = 1000, reason: str = "") -> bytes:
        masked = not isinstance(protocol, ClientProtocol)
        return encode_frame(Opcode.CLOSE, Close(code, reason).serialize(), masked=masked)

    return make


@pytest.fixture
def sent() -> Callable[[Protocol], list[Any]]:
    """Give what a protocol has written since the last time, as its peer reads it."""

    def read(protocol: Protocol) -> list[Any]:
        decoder = MessageDecoder(masked=isinstance(protocol, ClientProtocol), fragments=True)
        items = [item for data in protocol.data_to_send() for item in decoder.feed(data)]
        assert decoder.error is None
        return items

    return read


@pytest.fixture
def sent_frames() -> Callable[[Protocol], list[Frame]]:
    """Give the frames that a protocol has written since the last time."""

    def read(protocol: Protocol) -> list[Frame]:
        decoder = FrameDecoder(masked=isinstance(protocol, ClientProtocol), reserved_bits=0x70, max_size=None)
        frames = [frame for data in protocol.data_to_send() for frame in decoder.feed(data)]
        assert decoder.error is None
        assert not decoder.incomplete
        return frames

    return read


@pytest.fixture
def http() -> Callable[..., bytes]:
    """Make a valid handshake request; a header that is None is left out, one that is a list is repeated."""

    def make(line: str = "GET /chat HTTP/1.1", **headers: str | list[str] | None) -> bytes:
        fields: dict[str, str | list[str] | None] = {
            "Host": "example.com",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": KEY,
            "Sec-WebSocket-Version": "13",
        }
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        lines = [line]
        for name, value in fields.items():
            values = [value] if isinstance(value, str) else value or []
            lines += [f"{name}: {item}" for item in values]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    return make


@pytest.fixture(scope="session")
def describe() -> Callable[[Iterable[object]], list[object]]:
    """Make events comparable: without random keys, objects of exceptions, and frames that hang on them."""

    def one(event: object) -> object:
        if isinstance(event, Request):
            return "Request", event.path
        if isinstance(event, Response):
            return "Response", event.status_code
        if isinstance(event, (HandshakeFailed, Closed)):
            return type(event), type(event.error), str(event.error)
        return event

    return lambda events: [one(event) for event in events]


class Rot(Extension):
    """Move every byte on by a number, and mark first frames with RSV2."""

    def __init__(self, turn: int, bit: int = 0x20) -> None:
        self.name = "rot"
        self.turn = turn
        self.bit = bit
        self.reserved_bits = {Opcode.TEXT: bit, Opcode.BINARY: bit}
        self.calls: list[object] = []
        self.released = 0
        self.closed = 0

    def encode(self, frame: Frame, *, compress: bool | None = None) -> Frame:
        self.calls.append(compress)
        bits = (bool(self.bit & bit and frame.opcode) for bit in (0x40, 0x20, 0x10))
        mine = [mine or before for mine, before in zip(bits, (frame.rsv1, frame.rsv2, frame.rsv3), strict=True)]
        return Frame(frame.opcode, self._move(frame.data, self.turn), frame.fin, *mine)

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        rsv2 = frame.rsv2 and self.bit != 0x20
        rsv3 = frame.rsv3 and self.bit != 0x10
        return Frame(frame.opcode, self._move(frame.data, -self.turn), frame.fin, frame.rsv1, rsv2, rsv3)

    def release(self) -> bool:
        self.released += 1
        return True

    def close(self) -> None:
        self.closed += 1

    def _move(self, data: bytes, turn: int) -> bytes:
        return bytes((byte + turn) % 256 for byte in data)


class RotFactory(ClientExtensionFactory, ServerExtensionFactory):
    """Agree on the number, which must be one of those allowed."""

    def __init__(self, turn: int = 1, name: str = "rot", bit: int = 0x20) -> None:
        self.turn = turn
        self.name = name
        self.bit = bit
        self.made: list[Rot] = []

    def get_request_params(self) -> Sequence[tuple[str, str | None]]:
        return [("turn", str(self.turn)), ("fast", None)]

    def process_response_params(
        self, params: Sequence[tuple[str, str | None]], accepted_extensions: Sequence[Extension]
    ) -> Extension:
        return self._make(params)

    def process_request_params(
        self, params: Sequence[tuple[str, str | None]], accepted_extensions: Sequence[Extension]
    ) -> tuple[Sequence[tuple[str, str | None]], Extension]:
        extension = self._make(params)
        return [("turn", str(self.turn))], extension

    def _make(self, params: Sequence[tuple[str, str | None]]) -> Rot:
        if dict(params).get("turn") != str(self.turn):
            raise NegotiationError(f"turn must be {self.turn}")
        self.made.append(Rot(self.turn, self.bit))
        return self.made[-1]


@pytest.fixture
def rot() -> type[RotFactory]:
    """Give the class of factories of a toy extension."""
    return RotFactory
