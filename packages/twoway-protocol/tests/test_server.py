"""The server's side of the opening handshake, plain HTTP, refusals."""

from __future__ import annotations

import gc
import logging
import re
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from twoway.frames import Opcode, encode_frame
from twoway.http import Headers, HTTPLimits, Request, Response, ResponseParser
from twoway.protocol import (
    Cause,
    Closed,
    HandshakeFailed,
    InvalidHandshake,
    InvalidHeader,
    InvalidMessage,
    InvalidOrigin,
    InvalidState,
    InvalidStatus,
    InvalidUpgrade,
    SecurityError,
    ServerOptions,
    ServerProtocol,
    State,
)

Make = Callable[..., Any]
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 §1.3


def answer_of(protocol: ServerProtocol, method: str = "GET") -> Response:
    """Read the answer as a client would; nothing follows it."""
    parser = ResponseParser(method=method)
    response = parser.receive_data(b"".join(protocol.data_to_send()))
    assert response is not None
    assert parser.take_rest() == b""
    return response


def serve(protocol: ServerProtocol, data: bytes, now: float = 1) -> Response:
    """Receive a request, and accept it when it can be understood."""
    protocol.receive_data(data, now)
    for event in protocol.events():
        if isinstance(event, Request):
            protocol.send_response(protocol.accept(event), now)
    return answer_of(protocol, "HEAD" if data.startswith(b"HEAD") else "GET")


@pytest.mark.feature("opening handshake")
def test_accept(http: Make) -> None:
    protocol = ServerProtocol()
    protocol.receive_data(http(), 1)
    (request,) = protocol.events()
    assert isinstance(request, Request)
    assert (request.path, protocol.request) == ("/chat", request)
    assert protocol.state is State.CONNECTING
    response = protocol.accept(request)
    protocol.send_response(response, 1)
    assert protocol.state is State.OPEN
    assert protocol.response is response
    assert list(answer_of(protocol).headers.raw_items()) == [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", ACCEPT),
    ]
    assert protocol.events() == []
    assert protocol.cause is protocol.handshake_exc is None


LONG = "x" * 200

# name -> (request line, headers, options, status, kind of error, headers of the answer)
BAD: dict[str, tuple[str, dict[str, Any], dict[str, Any], int, type[InvalidHandshake], dict[str, str]]] = {
    "not HTTP": ("hello", {}, {}, 400, InvalidMessage, {}),
    "target with a space": ("GET /a b HTTP/1.1", {}, {}, 400, InvalidMessage, {}),
    "absolute target": ("GET http://example.com/ HTTP/1.1", {}, {}, 400, InvalidMessage, {}),
    "no Host": ("GET / HTTP/1.1", {"Host": None}, {}, 400, InvalidHeader, {}),
    "two Hosts": ("GET / HTTP/1.1", {"Host": ["a", "b"]}, {}, 400, InvalidHeader, {}),
    "bad Host": ("GET / HTTP/1.1", {"Host": "a b"}, {}, 400, InvalidHeader, {}),
    "no key": ("GET / HTTP/1.1", {"Sec_WebSocket_Key": None}, {}, 400, InvalidHeader, {}),
    "bad key": ("GET / HTTP/1.1", {"Sec_WebSocket_Key": "c2hvcnQ="}, {}, 400, InvalidHeader, {}),
    "two keys": ("GET / HTTP/1.1", {"Sec_WebSocket_Key": ["dGhlIHNhbXBsZSBub25jZQ=="] * 2}, {}, 400, InvalidHeader, {}),
    "no version": ("GET / HTTP/1.1", {"Sec_WebSocket_Version": None}, {}, 400, InvalidHeader, {}),
    "a body": ("GET / HTTP/1.1", {"Content_Length": "5"}, {}, 400, InvalidHeader, {}),
    "a coded body": ("GET / HTTP/1.1", {"Transfer_Encoding": "chunked"}, {}, 400, InvalidHeader, {}),
    "bad extensions": ("GET / HTTP/1.1", {"Sec_WebSocket_Extensions": "a b"}, {}, 400, InvalidHeader, {}),
    "bad subprotocols": ("GET / HTTP/1.1", {"Sec_WebSocket_Protocol": "a b"}, {}, 400, InvalidHeader, {}),
    "two origins": ("GET / HTTP/1.1", {"Origin": ["https://a", "https://a"]}, {}, 400, InvalidHeader, {}),
    "origin of others": (
        "GET / HTTP/1.1", {"Origin": "https://a.evil"}, {"origins": ["https://a"]}, 403, InvalidOrigin, {},
    ),
    "no origin": ("GET / HTTP/1.1", {}, {"origins": ["https://a"]}, 403, InvalidOrigin, {}),
    "POST": ("POST / HTTP/1.1", {}, {}, 405, InvalidMessage, {"Allow": "GET"}),
    "HEAD": ("HEAD / HTTP/1.1", {}, {}, 405, InvalidMessage, {"Allow": "GET"}),
    "body too large": (
        "POST / HTTP/1.1",
        {"Upgrade": None, "Content_Length": "11"}, {"limits": HTTPLimits(max_body=10)}, 413, SecurityError, {},
    ),
    "long target": (f"GET /{LONG} HTTP/1.1", {}, {"limits": HTTPLimits(max_line=100)}, 414, SecurityError, {}),
    "foreign host": ("GET / HTTP/1.1", {"Host": "evil"}, {"allowed_hosts": ["localhost"]}, 421, InvalidHeader, {}),
    "no upgrade": ("GET / HTTP/1.1", {"Upgrade": None}, {}, 426, InvalidUpgrade, {"Upgrade": "websocket"}),
    "other upgrade": ("GET / HTTP/1.1", {"Upgrade": "h2c"}, {}, 426, InvalidUpgrade, {"Upgrade": "websocket"}),
    "no Connection": ("GET / HTTP/1.1", {"Connection": "close"}, {}, 426, InvalidUpgrade, {"Upgrade": "websocket"}),
    "old version": (
        "GET / HTTP/1.1", {"Sec_WebSocket_Version": "8"}, {}, 426, InvalidHeader, {"Sec-WebSocket-Version": "13"},
    ),
    "long header": ("GET / HTTP/1.1", {"X": LONG}, {"limits": HTTPLimits(max_line=100)}, 431, SecurityError, {}),
    "many headers": (
        "GET / HTTP/1.1", {"X": ["1"] * 9}, {"limits": HTTPLimits(max_headers=10)}, 431, SecurityError, {},
    ),
    "large headers": (
        "GET / HTTP/1.1", {"X": LONG}, {"limits": HTTPLimits(max_header_bytes=100)}, 431, SecurityError, {},
    ),
    "HTTP/1.0": ("GET / HTTP/1.0", {}, {}, 505, InvalidMessage, {}),
    "HTTP/2": ("GET / HTTP/2.0", {}, {}, 505, InvalidMessage, {}),
}  # fmt: skip


@pytest.mark.feature("opening handshake")
@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_bad_handshakes(http: Make, name: str, size: int) -> None:
    line, headers, options, status, kind, answer_headers = BAD[name]
    protocol = ServerProtocol(ServerOptions(server_header="us", date=lambda: "today", **options))
    data = http(line, **headers)
    asked = []
    for start in range(0, len(data), size):
        protocol.receive_data(data[start : start + size], 1)
        asked += [event for event in protocol.events() if isinstance(event, Request)]
        if asked and protocol.state is State.CONNECTING:
            protocol.send_response(protocol.accept(asked[0]), 1)
    answer = answer_of(protocol, line.partition(" ")[0])
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in answer_headers} == answer_headers
    assert (answer.headers["Server"], answer.headers["Date"]) == ("us", "today")
    assert "close" in answer.headers["Connection"].lower()
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert LONG.encode() not in answer.body
    assert type(protocol.handshake_exc) is kind
    assert protocol.state is State.CLOSING
    assert protocol.half_close
    assert protocol.response is not None
    assert protocol.cause in (Cause.REMOTE_ERROR, Cause.REFUSED)
    # What comes after it is discarded.
    protocol.receive_data(data, 2)
    protocol.receive_data(b"x" * 100_000, 2)
    assert protocol.data_to_send() == []
    protocol.receive_eof(2)
    *_, closed = protocol.events()
    assert isinstance(closed, Closed)
    assert closed.error.__cause__ is protocol.handshake_exc


@pytest.mark.feature("answer with an HTTP response")
def test_head_has_no_body(http: Make) -> None:
    protocol = ServerProtocol()
    protocol.receive_data(http("HEAD / HTTP/1.1"), 1)
    assert protocol.request is not None
    protocol.send_response(protocol.reject(200, "hello"), 1)
    (data,) = protocol.data_to_send()
    assert data.endswith(b"\r\n\r\n")
    assert b"\r\nContent-Length: 5\r\n" in data


@pytest.mark.feature("answer with an HTTP response")
def test_plain_http(http: Make) -> None:
    for line in ("GET /health HTTP/1.1", "GET /health HTTP/1.0"):
        protocol = ServerProtocol()
        protocol.receive_data(http(line, Upgrade=None, Connection=None), 1)
        protocol.events()
        protocol.send_response(Response(200, "OK", Headers(), b"fine"), 1)
        answer = answer_of(protocol)
        assert (answer.status_code, answer.body) == (200, b"fine")
        assert dict(answer.headers) == {"Connection": "close", "Content-Length": "4"}
        (failed,) = protocol.events()
        assert isinstance(failed, HandshakeFailed)
        assert isinstance(failed.error, InvalidStatus)
        assert protocol.cause is Cause.REFUSED
        assert protocol.half_close


@pytest.mark.feature("answer with an HTTP response")
def test_body_of_a_plain_request() -> None:
    protocol = ServerProtocol()
    protocol.receive_data(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe", 1)
    assert protocol.events() == []
    protocol.receive_data(b"llo", 1)
    (request,) = protocol.events()
    assert isinstance(request, Request)
    assert request.body == b"hello"


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (Response(204, "No Content", Headers(), b"x"), {"Connection": "close"}),
        (Response(304, "Not Modified"), {"Connection": "close"}),
        (
            Response(200, "OK", Headers({"Connection": "foo, Close"})),
            {"Connection": "foo, Close", "Content-Length": "0"},
        ),
        (Response(200, "OK", Headers({"Connection": "disclose"})), {"Content-Length": "0"}),
        (
            Response(200, "OK", Headers({"Transfer-Encoding": "chunked"}), b"0\r\n\r\n"),
            {"Transfer-Encoding": "chunked", "Connection": "close"},
        ),
        (
            Response(200, "OK", Headers([("Date", "then"), ("Date", "now"), ("Server", "them")])),
            {"Server": "them", "Connection": "close", "Content-Length": "0"},
        ),
    ],
)
def test_headers_that_http_requires(http: Make, response: Response, expected: dict[str, str]) -> None:
    protocol = ServerProtocol(ServerOptions(server_header="us", date=lambda: "today"))
    protocol.receive_data(http(), 1)
    protocol.send_response(response, 1)
    answer = answer_of(protocol)
    if response.headers.get_all("Date") != ["then", "now"]:
        expected = {"Date": "today", "Server": "us"} | expected
    got = {name: answer.headers.get_all(name) for name in answer.headers if name in expected}
    assert got == {name: [value] for name, value in expected.items()}
    assert "close" in ", ".join(answer.headers.get_all("Connection")).lower()
    assert answer.body == b""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "response",
    [Response(100, "Continue"), Response(600, "?"), Response(200, "a\r\nb"), Response(101, "a\nb")],
)
def test_bad_response_of_the_caller(http: Make, response: Response, when: str) -> None:
    protocol = ServerProtocol()
    protocol.receive_data(http(), 1)
    (request,) = protocol.events()
    assert isinstance(request, Request)
    if when == "after":
        protocol.accept(request)
    with pytest.raises(ValueError, match=r"^(status_code|reason_phrase)"):
        protocol.send_response(response, 1)
    assert protocol.state is State.CONNECTING
    assert protocol.response is None
    assert protocol.data_to_send() == []
    protocol.send_response(protocol.accept(request), 1)
    assert protocol.state is State.OPEN


@pytest.mark.feature("answer with an HTTP response")
def test_reject(http: Make) -> None:
    protocol = ServerProtocol()
    protocol.receive_data(http(), 1)
    response = protocol.reject(503, "later\n")
    response.headers["Retry-After"] = "5"
    protocol.send_response(response, 1)
    answer = answer_of(protocol)
    assert (answer.status_code, answer.reason_phrase, answer.body) == (503, "Service Unavailable", b"later\n")
    assert answer.headers["Retry-After"] == "5"
    assert protocol.response is response
    assert isinstance(protocol.handshake_exc, InvalidStatus)
    assert protocol.handshake_exc.response is response


@pytest.mark.parametrize("status", [199, 101, 600])
def test_reject_with_an_impossible_status(status: int) -> None:
    with pytest.raises(ValueError, match=f"^status must be 200-599, not {status}$"):
        ServerProtocol().reject(status, "x")


def test_answer_without_a_request() -> None:
    protocol = ServerProtocol()
    with pytest.raises(InvalidState, match="there is no request to answer"):
        protocol.send_response(protocol.reject(200, "x"), 1)


def test_second_answer(http: Make) -> None:
    protocol = ServerProtocol()
    serve(protocol, http())
    with pytest.raises(InvalidState, match="there is no request to answer"):
        protocol.send_response(protocol.reject(200, "x"), 1)
    assert protocol.state is State.OPEN


@pytest.mark.feature("answer with an HTTP response")
def test_refusal_can_be_replaced(http: Make) -> None:
    protocol = ServerProtocol()
    protocol.receive_data(http(Upgrade=None), 1)
    (request,) = protocol.events()
    assert isinstance(request, Request)
    assert protocol.accept(request).status_code == 426
    assert isinstance(protocol.handshake_exc, InvalidUpgrade)
    request.headers["Upgrade"] = "websocket"
    protocol.send_response(protocol.accept(request), 1)
    assert protocol.state is State.OPEN
    assert protocol.handshake_exc is None


# Data around the answer


def test_frames_that_come_with_the_request(http: Make) -> None:
    frame = encode_frame(Opcode.TEXT, "early", masked=True)
    protocol = ServerProtocol()
    protocol.receive_data(http() + frame, 1)
    protocol.receive_data(frame[:3], 1)
    (request,) = protocol.events()
    assert isinstance(request, Request)
    protocol.send_response(protocol.accept(request), 1)
    assert protocol.events() == ["early"]
    protocol.receive_data(frame[3:], 1)
    assert protocol.events() == ["early"]


def test_bad_frames_that_come_with_the_request(http: Make) -> None:
    protocol = ServerProtocol()
    protocol.receive_data(http() + b"\x83\x00", 1)
    (request,) = protocol.events()
    assert isinstance(request, Request)
    protocol.send_response(protocol.accept(request), 1)
    assert protocol.state is State.CLOSING
    assert protocol.cause is Cause.REMOTE_ERROR


@pytest.mark.feature("limits against hostile peers")
@pytest.mark.parametrize("at_once", [True, False])
def test_flood_before_the_answer(http: Make, at_once: bool) -> None:
    protocol = ServerProtocol()
    if at_once:
        protocol.receive_data(http() + b"x" * 65537, 1)
        events = protocol.events()
    else:
        protocol.receive_data(http(), 1)
        protocol.receive_data(b"x" * 65536, 1)
        protocol.events()
        assert protocol.state is State.CONNECTING
        protocol.receive_data(b"x", 1)
        events = protocol.events()
    assert answer_of(protocol).status_code == 400
    (failed,) = events
    assert isinstance(failed, HandshakeFailed)
    assert isinstance(failed.error, SecurityError)
    with pytest.raises(InvalidState):
        protocol.send_response(protocol.reject(200, "x"), 1)


# EOF


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nHo", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
@pytest.mark.parametrize("error", [None, ConnectionResetError("reset")])
def test_client_that_goes_away(data: bytes, error: OSError | None) -> None:
    protocol = ServerProtocol()
    protocol.receive_data(data, 1)
    plain = bool(protocol.events())
    protocol.receive_eof(1, error)
    if plain and error is None:
        assert protocol.state is State.CONNECTING
        assert protocol.next_deadline() == 10
        protocol.receive_eof(1)  # now it has really gone
    failed, closed = protocol.events()
    assert isinstance(failed, HandshakeFailed)
    assert isinstance(closed, Closed)
    assert protocol.state is State.CLOSED
    cause: BaseException | None = failed.error
    while cause is not None and cause is not error:
        cause = cause.__cause__
    assert cause is error
    assert closed.error.cause is (Cause.VANISHED if error is None else Cause.OS_ERROR)


def test_client_that_closes_its_side_gets_its_answer() -> None:
    protocol = ServerProtocol()
    protocol.receive_data(b"GET / HTTP/1.0\r\n\r\n", 1)
    protocol.receive_eof(1)
    assert protocol.state is State.CONNECTING
    protocol.send_response(protocol.reject(200, "hello"), 2)
    assert answer_of(protocol).body == b"hello"
    assert protocol.state is State.CLOSED
    assert protocol.half_close
    assert not protocol.aborted
    *_, failed, closed = protocol.events()
    assert isinstance(failed, HandshakeFailed)
    assert isinstance(closed, Closed)
    assert closed.error.cause is Cause.REFUSED


def test_client_that_closes_its_side_does_not_wait_for_ever() -> None:
    protocol = ServerProtocol(ServerOptions(open_timeout=5))
    protocol.receive_data(b"GET / HTTP/1.0\r\n\r\n", 1)
    protocol.receive_eof(1)
    protocol.handle_deadline(5)
    assert answer_of(protocol).status_code == 503
    assert protocol.state is State.CLOSED


def test_client_that_wanted_a_websocket_and_goes_away_is_gone(http: Make) -> None:
    protocol = ServerProtocol()
    protocol.receive_data(http(), 1)
    protocol.receive_eof(1)
    assert protocol.state is State.CLOSED
    with pytest.raises(InvalidState):
        protocol.send_response(protocol.reject(200, "x"), 1)


# Negotiation


@pytest.mark.feature("negotiate a subprotocol")
@pytest.mark.parametrize(
    ("supported", "offered", "chosen"),
    [
        (["a", "b"], "b, a", "a"),
        (["a"], "b", None),
        (["a"], None, None),
        ([], "a", None),
        (["a"], ["b", "a"], "a"),
    ],
)
def test_subprotocols(http: Make, supported: list[str], offered: Any, chosen: str | None) -> None:
    protocol = ServerProtocol(ServerOptions(subprotocols=supported))
    answer = serve(protocol, http(Sec_WebSocket_Protocol=offered))
    assert answer.headers.get("Sec-WebSocket-Protocol") == chosen
    assert protocol.subprotocol == chosen


@pytest.mark.feature("choose the subprotocol in a callback")
@pytest.mark.parametrize("chosen", ["b", None])
def test_select_subprotocol(http: Make, chosen: str | None) -> None:
    protocol = ServerProtocol(ServerOptions(subprotocols=["a"]))
    protocol.receive_data(http(Sec_WebSocket_Protocol="a, b"), 1)
    assert protocol.request is not None
    offers: list[Any] = []

    def select(offered: Any) -> str | None:
        offers.append(offered)
        return chosen

    protocol.send_response(protocol.accept(protocol.request, select_subprotocol=select), 1)
    assert offers == [["a", "b"]]
    assert protocol.subprotocol == chosen


@pytest.mark.feature("choose the subprotocol in a callback")
def test_selecting_what_was_not_offered_is_a_bug(http: Make) -> None:
    protocol = ServerProtocol()
    protocol.receive_data(http(Sec_WebSocket_Protocol="a, b"), 1)
    assert protocol.request is not None
    with pytest.raises(ValueError, match=r"^select_subprotocol must return one of \['a', 'b'\] or None, not 'c'$"):
        protocol.accept(protocol.request, select_subprotocol=lambda offered: "c")


OFFERS = [
    ("rot; turn=1", "rot; turn=1", [1]),
    ("rot; turn=2", None, []),
    ("rot; turn=2, rot; turn=1", "rot; turn=1", [1]),
    ("rot; turn=1, rot; turn=1", "rot; turn=1", [1]),
    ("unknown, rot; turn=1; fast", "rot; turn=1", [1]),
    ('rot; turn="1"', "rot; turn=1", [1]),
    ("tor; turn=3, rot; turn=1", "tor; turn=3, rot; turn=1", [3, 1]),
    ("ROT; turn=1", None, []),
    (None, None, []),
]


@pytest.mark.feature("negotiate extensions")
@pytest.mark.parametrize(("offer", "answer", "turns"), OFFERS)
def test_extensions(http: Make, rot: Any, offer: Any, answer: str | None, turns: list[int]) -> None:
    factories = [rot(1), rot(3, name="tor", bit=0x10)]
    protocol = ServerProtocol(ServerOptions(extensions=factories))
    got = serve(protocol, http(Sec_WebSocket_Extensions=offer))
    assert got.headers.get("Sec-WebSocket-Extensions") == answer
    assert [extension.turn for extension in protocol.extensions] == turns  # type: ignore[attr-defined]


@pytest.mark.feature("alter request and response of the handshake")
def test_answer_may_be_altered(http: Make, rot: Any) -> None:
    protocol = ServerProtocol(ServerOptions(extensions=[rot()], subprotocols=["a"]))
    protocol.receive_data(http(Sec_WebSocket_Extensions="rot; turn=1", Sec_WebSocket_Protocol="a, b"), 1)
    assert protocol.request is not None
    response = protocol.accept(protocol.request)
    del response.headers["Sec-WebSocket-Extensions"]
    response.headers["Sec-WebSocket-Protocol"] = "b"
    response.headers["X-Server"] = "1"
    protocol.send_response(response, 1)
    assert answer_of(protocol).headers["X-Server"] == "1"
    # The client believes what the answer says, and so do we.
    assert protocol.extensions == ()
    assert protocol.subprotocol == "b"


@pytest.mark.feature("alter request and response of the handshake")
def test_request_may_be_altered(http: Make) -> None:
    protocol = ServerProtocol(ServerOptions(origins=["https://a"]))
    protocol.receive_data(http(Origin="https://b"), 1)
    assert protocol.request is not None
    protocol.request.headers["Origin"] = "https://a"
    protocol.send_response(protocol.accept(protocol.request), 1)
    assert protocol.state is State.OPEN
    assert protocol.origin == "https://a"


@pytest.mark.parametrize("end", ["refusal", "timeout"])
def test_nothing_is_negotiated_when_the_handshake_fails(http: Make, rot: Any, end: str) -> None:
    factory = rot()
    protocol = ServerProtocol(ServerOptions(extensions=[factory], subprotocols=["a"]))
    protocol.receive_data(http(Sec_WebSocket_Extensions="rot; turn=1", Sec_WebSocket_Protocol="a"), 1)
    assert protocol.request is not None
    protocol.accept(protocol.request)
    if end == "refusal":
        protocol.send_response(protocol.reject(401, "who are you?"), 1)
    else:
        protocol.handle_deadline(10)
    assert protocol.extensions == ()
    assert protocol.subprotocol is None
    assert [extension.closed for extension in factory.made] == [1]


@pytest.mark.feature("check the Origin header")
@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        (["https://a"], "https://a", 101),
        (["https://a"], "https://a.b", 403),
        (["https://a"], "null", 403),
        (["https://a", None], None, 101),
        ([re.compile(r"https://.*\.a")], "https://x.a", 101),
        ([re.compile(r"https://.*\.a")], "https://x.a.b", 403),
        ([], "https://a", 403),
        (None, "https://anybody", 101),
    ],
)
def test_origins(http: Make, origins: Any, origin: str | None, status: int) -> None:
    protocol = ServerProtocol(ServerOptions(origins=origins))
    assert serve(protocol, http(Origin=origin)).status_code == status
    assert protocol.origin == (origin if status == 101 else None)


@pytest.mark.feature("check the Host header, against DNS rebinding")
@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 101), ("LOCALHOST:80", 101), ("a.example.com", 101), ("evil.com", 421), ("localhost.evil", 421)],
)
def test_allowed_hosts(http: Make, host: str, status: int) -> None:
    protocol = ServerProtocol(ServerOptions(allowed_hosts=["localhost", "*.example.com"]))
    answer = serve(protocol, http(Host=host))
    assert answer.status_code == status


@pytest.mark.feature("check the Host header, against DNS rebinding")
def test_foreign_hosts_are_refused_before_the_application_sees_them(http: Make) -> None:
    protocol = ServerProtocol(ServerOptions(allowed_hosts=["localhost"]))
    protocol.receive_data(http(Host="evil"), 1)
    (event,) = protocol.events()
    assert isinstance(event, HandshakeFailed)


def test_empty_line_before_the_request(http: Make) -> None:
    assert serve(ServerProtocol(), b"\r\n" + http()).status_code == 101


@pytest.mark.feature("logging")
def test_logged(http: Make, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("twoway.test")
    logger.setLevel(logging.DEBUG)
    serve(ServerProtocol(ServerOptions(logger=logger)), http("GET /?a=1 HTTP/1.1"))
    serve(ServerProtocol(ServerOptions(logger=logger)), b"x\r\n")
    assert [record.getMessage() for record in caplog.records] == [
        "< GET /?a=1",
        "> HTTP/1.1 101 'Switching Protocols'",
        "> HTTP/1.1 400 'Bad Request'",
    ]


@pytest.mark.parametrize("data", [b"x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\n", b""])
def test_refused_connections_are_freed_without_the_garbage_collector(data: bytes) -> None:
    gc.collect()
    gc.disable()
    try:
        protocol = ServerProtocol()
        protocol.receive_data(data, 1)
        if protocol.request is not None:
            protocol.send_response(protocol.accept(protocol.request), 1)
        protocol.receive_eof(1)
        events = protocol.events()
        alive = weakref.ref(protocol)
        del protocol
        assert alive() is None
        assert isinstance(events[-1], Closed)
    finally:
        gc.enable()
