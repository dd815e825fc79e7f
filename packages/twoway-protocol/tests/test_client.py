"""The client's side of the opening handshake."""

from __future__ import annotations

import gc
import logging
import weakref
from typing import Any

import pytest

from twoway.http import Headers, HTTPLimits, RequestParser, Response, WebSocketURI, accept_key
from twoway.protocol import (
    Cause,
    ClientOptions,
    ClientProtocol,
    Closed,
    HandshakeFailed,
    InvalidHandshake,
    InvalidHeader,
    InvalidMessage,
    InvalidNegotiation,
    InvalidState,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    SecurityError,
    State,
    read_uri,
)


def begin(options: ClientOptions | None = None, uri: str = "ws://example.com/chat?a=1") -> ClientProtocol:
    protocol = ClientProtocol(uri, options)
    protocol.send_request(protocol.connect())
    return protocol


def answer(protocol: ClientProtocol, status: str = "HTTP/1.1 101 Switching Protocols", **headers: Any) -> bytes:
    """Make a valid answer; a header that is None is left out, one that is a list is repeated."""
    fields: dict[str, Any] = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Accept": accept_key(protocol.key),
    }
    fields.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [status]
    for name, value in fields.items():
        values = [value] if isinstance(value, str) else value or []
        lines += [f"{name}: {item}" for item in values]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@pytest.mark.feature("opening handshake")
@pytest.mark.feature("set the Origin and User-Agent headers")
def test_request() -> None:
    options = ClientOptions(
        origin="https://example.com",
        subprotocols=["a", "b"],
        user_agent_header="us",
        additional_headers={"X-Token": "1"},
    )
    protocol = begin(options)
    request = RequestParser().receive_data(b"".join(protocol.data_to_send()))
    assert request is not None
    assert (request.method, request.path) == ("GET", "/chat?a=1")
    assert dict(request.headers) == {
        "Host": "example.com",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": protocol.key,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "a, b",
        "Origin": "https://example.com",
        "User-Agent": "us",
        "X-Token": "1",
    }


def test_host_may_be_chosen() -> None:
    request = ClientProtocol("ws://127.0.0.1:8765/", ClientOptions(host="example.com")).connect()
    assert request.headers["Host"] == "example.com"


def test_keys_differ() -> None:
    assert len({ClientProtocol("ws://localhost/").key for _ in range(100)}) == 100


@pytest.mark.feature("opening handshake")
def test_opening() -> None:
    protocol = begin()
    data = answer(protocol)
    protocol.receive_data(data + b"\x81\x02hi", 1)
    response, message = protocol.events()
    assert isinstance(response, Response)
    assert protocol.response is response
    assert message == "hi"
    assert protocol.state is State.OPEN
    assert (protocol.subprotocol, protocol.extensions) == (None, ())


def test_interim_answers_are_skipped() -> None:
    protocol = begin()
    protocol.receive_data(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(protocol), 1)
    assert protocol.state is State.OPEN


LONG = "x" * 200
SMALL = {"limits": HTTPLimits(max_line=100)}

# name -> (how the answer differs, options, kind of error)
BAD: dict[str, tuple[dict[str, Any], dict[str, Any], type[InvalidHandshake]]] = {
    "not HTTP": ({"status": "SSH-2.0-OpenSSH"}, {}, InvalidMessage),
    "HTTP/2": ({"status": "HTTP/2.0 101 x"}, {}, InvalidMessage),
    "bad header": ({"X": "a\x00b"}, {}, InvalidMessage),
    "refused": ({"status": "HTTP/1.1 403 Forbidden", "Content_Length": "0"}, {}, InvalidStatus),
    "no content": ({"status": "HTTP/1.1 204 No Content"}, {}, InvalidStatus),
    "redirect": ({"status": "HTTP/1.1 302 Found", "Location": "/x", "Content_Length": "0"}, {}, InvalidStatus),
    "no Upgrade": ({"Upgrade": None}, {}, InvalidUpgrade),
    "other Upgrade": ({"Upgrade": "h2c"}, {}, InvalidUpgrade),
    "two Upgrades": ({"Upgrade": ["websocket", "websocket"]}, {}, InvalidUpgrade),
    "no Connection": ({"Connection": None}, {}, InvalidUpgrade),
    "other Connection": ({"Connection": "keep-alive"}, {}, InvalidUpgrade),
    "no accept": ({"Sec_WebSocket_Accept": None}, {}, InvalidHeader),
    "wrong accept": ({"Sec_WebSocket_Accept": accept_key("dGhlIHNhbXBsZSBub25jZQ==")}, {}, InvalidHeader),
    "two accepts": ({"Sec_WebSocket_Accept": ["x", "x"]}, {}, InvalidHeader),
    "subprotocol that was not offered": ({"Sec_WebSocket_Protocol": "a"}, {}, InvalidHeader),
    "two subprotocols": ({"Sec_WebSocket_Protocol": ["a", "b"]}, {"subprotocols": ["a", "b"]}, InvalidHeader),
    "bad extensions": ({"Sec_WebSocket_Extensions": "a b"}, {}, InvalidHeader),
    "extension that was not offered": ({"Sec_WebSocket_Extensions": "rot; turn=1"}, {}, InvalidNegotiation),
    "long header": ({"X": LONG}, SMALL, SecurityError),
    "long status line": ({"status": f"HTTP/1.1 101 {LONG}"}, SMALL, SecurityError),
    "many headers": ({"X": ["1"] * 11}, {"limits": HTTPLimits(max_headers=10)}, SecurityError),
    "large body": (
        {"status": "HTTP/1.1 500 Oops", "Content_Length": "11"}, {"limits": HTTPLimits(max_body=10)}, SecurityError,
    ),
}  # fmt: skip


@pytest.mark.feature("opening handshake")
@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_bad_answers(name: str, size: int) -> None:
    headers, options, kind = BAD[name]
    protocol = begin(ClientOptions(**options))
    protocol.data_to_send()
    data = answer(protocol, **headers) + b"\x81\x02hi"
    for start in range(0, len(data), size):
        protocol.receive_data(data[start : start + size], 1)
    *before, failed = protocol.events()
    assert all(isinstance(event, Response) for event in before)
    assert isinstance(failed, HandshakeFailed)
    assert type(failed.error) is kind
    assert protocol.handshake_exc is failed.error
    assert protocol.state is State.CLOSING
    assert protocol.half_close
    assert protocol.data_to_send() == []
    assert protocol.cause is (Cause.REFUSED if kind is InvalidStatus else Cause.REMOTE_ERROR)
    protocol.receive_eof(2)
    (closed,) = protocol.events()
    assert isinstance(closed, Closed)
    assert closed.error.__cause__ is failed.error


@pytest.mark.feature("alter the request, see the response")
def test_refusal_with_a_body() -> None:
    protocol = begin()
    protocol.receive_data(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhel", 1)
    assert protocol.events() == []
    protocol.receive_data(b"lo", 1)
    assert isinstance(protocol.handshake_exc, InvalidStatus)
    assert protocol.handshake_exc.response.body == b"hello"


@pytest.mark.parametrize("error", [None, ConnectionResetError("reset")])
def test_refusal_whose_body_ends_with_the_stream(error: OSError | None) -> None:
    protocol = begin()
    protocol.receive_data(b"HTTP/1.1 404 Not Found\r\n\r\nhello", 1)
    assert protocol.events() == []
    protocol.receive_eof(1, error)
    response, failed, closed = protocol.events()
    assert isinstance(response, Response)
    assert isinstance(failed, HandshakeFailed)
    assert isinstance(failed.error, InvalidStatus)
    assert failed.error.response.body == b"hello"
    assert isinstance(closed, Closed)
    assert closed.error.cause is Cause.REFUSED


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 101 Sw", b"HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nx"])
@pytest.mark.parametrize("error", [None, ConnectionResetError("reset")])
def test_server_that_goes_away(data: bytes, error: OSError | None) -> None:
    protocol = begin()
    protocol.receive_data(data, 1)
    protocol.receive_eof(1, error)
    failed, closed = protocol.events()
    assert isinstance(failed, HandshakeFailed)
    assert isinstance(failed.error, InvalidMessage)
    assert isinstance(closed, Closed)
    assert closed.error.cause is (Cause.VANISHED if error is None else Cause.OS_ERROR)
    assert failed.error.__cause__ is not None
    assert failed.error.__cause__.__cause__ is error
    assert protocol.close_code == 1006


def test_refusal_that_came_whole_before_the_stream_ended() -> None:
    protocol = begin()
    protocol.receive_data(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", 1)
    protocol.receive_eof(1, OSError("reset"))
    assert isinstance(protocol.handshake_exc, InvalidStatus)
    assert protocol.cause is Cause.REFUSED


def test_answer_before_the_request() -> None:
    protocol = ClientProtocol("ws://localhost/")
    protocol.receive_data(answer(protocol), 1)
    (failed,) = protocol.events()
    assert isinstance(failed, HandshakeFailed)
    assert "before the request" in str(failed.error)


def test_end_before_the_request() -> None:
    protocol = ClientProtocol("ws://localhost/")
    protocol.receive_data(b"HTTP/1.1 403 Forbidden\r\n\r\nx", 1)
    protocol.receive_eof(1)
    assert "before the request" in str(protocol.handshake_exc)


def test_one_request() -> None:
    protocol = begin()
    with pytest.raises(InvalidState, match="the opening handshake has begun already"):
        protocol.send_request(protocol.connect())
    over = ClientProtocol("ws://localhost/")
    over.abort()
    with pytest.raises(InvalidState):
        over.send_request(over.connect())


@pytest.mark.feature("alter the request, see the response")
def test_request_may_be_altered() -> None:
    protocol = ClientProtocol("ws://localhost/")
    request = protocol.connect()
    request.headers["Authorization"] = "Bearer x"
    protocol.send_request(request)
    assert protocol.request is request
    assert b"\r\nAuthorization: Bearer x\r\n" in b"".join(protocol.data_to_send())


@pytest.mark.feature("alter the request, see the response")
def test_bad_request_of_the_caller_can_be_corrected() -> None:
    protocol = ClientProtocol("ws://localhost/")
    request = protocol.connect()
    request.path = "/a b"
    with pytest.raises(ValueError, match="path must start with /"):
        protocol.send_request(request)
    assert protocol.request is None
    request.path = "/"
    protocol.send_request(request)


# Negotiation


@pytest.mark.feature("negotiate a subprotocol")
def test_subprotocol() -> None:
    protocol = begin(ClientOptions(subprotocols=["a", "b"]))
    protocol.receive_data(answer(protocol, Sec_WebSocket_Protocol="b"), 1)
    assert protocol.subprotocol == "b"


@pytest.mark.feature("negotiate extensions")
@pytest.mark.parametrize(
    ("value", "turns"),
    [
        (None, []),
        ("rot; turn=1", [1]),
        ("rot; turn=2", [2]),  # the second offer of the same name
        ("tor; turn=3, rot; turn=1", [3, 1]),
        (["tor; turn=3", "rot; turn=1"], [3, 1]),
    ],
)
def test_extensions(rot: Any, value: Any, turns: list[int]) -> None:
    protocol = begin(ClientOptions(extensions=[rot(1), rot(2), rot(3, name="tor", bit=0x10)]))
    (data,) = protocol.data_to_send()
    assert b"\r\nSec-WebSocket-Extensions: rot; turn=1; fast, rot; turn=2; fast, tor; turn=3; fast\r\n" in data
    protocol.receive_data(answer(protocol, Sec_WebSocket_Extensions=value), 1)
    assert protocol.state is State.OPEN
    assert [extension.turn for extension in protocol.extensions] == turns  # type: ignore[attr-defined]


@pytest.mark.feature("negotiate extensions")
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("rot; turn=9", "server chose extension 'rot' with bad parameters: turn must be 1"),
        ("rot; turn=1, rot; turn=1", "server chose extension 'rot', which was not offered, or chose it twice"),
        ("x", "server chose extension 'x', which was not offered, or chose it twice"),
    ],
)
def test_bad_extensions(rot: Any, value: str, message: str) -> None:
    protocol = begin(ClientOptions(extensions=[rot(1)]))
    protocol.receive_data(answer(protocol, Sec_WebSocket_Extensions=value), 1)
    assert isinstance(protocol.handshake_exc, InvalidNegotiation)
    assert str(protocol.handshake_exc) == message
    assert protocol.extensions == ()


# URIs


def test_uri() -> None:
    uri = read_uri("wss://example.com/chat")
    assert uri == WebSocketURI(True, "example.com", 443, "/chat")
    assert ClientProtocol(uri).uri is uri
    assert ClientProtocol("wss://example.com/chat").uri == uri


@pytest.mark.parametrize("uri", ["", "http://localhost/", "ws://", "ws://user:secret@a b/", "ws://localhost/#x"])
def test_bad_uri(uri: str) -> None:
    for call in (read_uri, ClientProtocol):
        with pytest.raises(InvalidURI) as caught:
            call(uri)
        assert "secret" not in str(caught.value)


def test_uri_of_wrong_type() -> None:
    with pytest.raises(TypeError, match="^uri must be a str, not int$"):
        ClientProtocol(1)  # type: ignore[arg-type]


# Logging and memory


def test_control_characters_of_the_server_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("twoway.test")
    logger.setLevel(logging.DEBUG)
    protocol = begin(ClientOptions(logger=logger))
    protocol.receive_data(b"HTTP/1.1 403 \x9b2J\r\nContent-Length: 0\r\n\r\n", 1)
    assert [record.getMessage() for record in caplog.records] == ["> GET /chat?a=1", "< HTTP/1.1 403 '\\x9b2J'"]


@pytest.mark.parametrize(
    "headers",
    [
        {"status": "?"},
        {"status": "HTTP/1.1 403 Forbidden", "Content_Length": "0"},
        {"Upgrade": None},
        {"Sec_WebSocket_Extensions": "rot; turn=9"},
        {"Sec_WebSocket_Extensions": "x"},
        None,
    ],
)
def test_failed_connections_are_freed_without_the_garbage_collector(rot: Any, headers: dict[str, Any] | None) -> None:
    gc.collect()
    gc.disable()
    try:
        protocol = begin(ClientOptions(extensions=[rot(1)]))
        if headers is not None:
            protocol.receive_data(answer(protocol, **headers), 1)
        protocol.receive_eof(1)
        events = protocol.events()
        alive = weakref.ref(protocol)
        del protocol
        assert alive() is None
        assert isinstance(events[-1], Closed)
    finally:
        gc.enable()


def test_options_are_shared_and_not_changed() -> None:
    options = ClientOptions(additional_headers={"X": "1"})
    requests = [ClientProtocol("ws://localhost/", options).connect() for _ in range(2)]
    requests[0].headers["X"] = "2"
    assert requests[1].headers["X"] == "1"
    assert Headers(options.additional_headers)["X"] == "1"
