from __future__ import annotations

import base64

import pytest

from twoway.http import (
    HeaderError,
    Headers,
    HostError,
    HTTPError,
    LimitError,
    MethodError,
    OriginError,
    ParseError,
    Request,
    RequestParser,
    Response,
    ResponseParser,
    StatusError,
    UpgradeError,
    VersionError,
    accept_key,
    build_request,
    build_response,
    check_request,
    check_response,
    error_response,
    generate_key,
    parse_uri,
)

# RFC 6455 §1.3
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
URI = parse_uri("ws://server.example.com/chat")


@pytest.fixture
def request_():
    return build_request(URI, KEY)


@pytest.fixture
def response():
    return build_response(KEY)


def test_generate_key():
    keys = {generate_key() for _ in range(20)}
    assert len(keys) == 20
    assert all(len(base64.b64decode(key, validate=True)) == 16 for key in keys)


def test_accept_key():
    assert accept_key(KEY) == ACCEPT
    with pytest.raises(ValueError, match="key must be ASCII"):
        accept_key("\u00e4")


def test_build_request(request_):
    assert request_.serialize() == (
        b"GET /chat HTTP/1.1\r\n"
        b"Host: server.example.com\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize(
    ("uri", "host"),
    [("ws://h:443/", "h:443"), ("wss://h:443/", "h"), ("ws://[::1]:81/", "[::1]:81"), ("ws://h:80/", "h")],
)
def test_host_has_the_port_unless_it_is_the_default_one(uri, host):
    assert build_request(parse_uri(uri), KEY).headers["Host"] == host


@pytest.mark.feature("set the Origin and User-Agent headers")
def test_build_request_with_everything():
    request = build_request(
        parse_uri("wss://user:secret@h:8443/a?b"),
        KEY,
        origin="https://example.com",
        extensions="permessage-deflate",
        subprotocols=["chat", "superchat"],
        additional_headers=[("Cookie", "a=1"), ("X", "1"), ("X", "2")],
        user_agent_header="twoway",
        host="other:80",
    )
    assert request.path == "/a?b"
    assert list(request.headers.raw_items()) == [
        ("Host", "other:80"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Extensions", "permessage-deflate"),
        ("Sec-WebSocket-Protocol", "chat, superchat"),
        ("Origin", "https://example.com"),
        ("User-Agent", "twoway"),
        ("Cookie", "a=1"),
        ("X", "1"),
        ("X", "2"),
    ]


def test_additional_headers_win_where_they_may():
    more = {"host": "virtual.example", "user-agent": "mine", "Origin": "https://example.com"}
    request = build_request(URI, KEY, user_agent_header="twoway", host="other", additional_headers=more)
    assert request.headers.get_all("Host") == ["virtual.example"]
    assert request.headers.get_all("User-Agent") == ["mine"]
    assert request.headers["Origin"] == "https://example.com"
    assert next(request.headers.raw_items())[0] == "Host"


RESERVED = ["upgrade", "CONNECTION", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Extensions"]
RESERVED += ["Sec-WebSocket-Protocol", "Sec-WebSocket-Accept", "Content-Length", "Transfer-Encoding"]


@pytest.mark.parametrize("name", RESERVED)
def test_callers_cannot_repeat_fields_of_the_handshake(name):
    with pytest.raises(ValueError, match=f"additional_headers must not hold {name}"):
        build_request(URI, KEY, additional_headers={name: "x"})
    with pytest.raises(ValueError, match=f"^headers must not hold {name}"):
        build_response(KEY, headers={name: "x"})


def test_callers_cannot_repeat_origin():
    with pytest.raises(ValueError, match="additional_headers must not hold Origin"):
        build_request(URI, KEY, origin="https://a", additional_headers={"Origin": "https://b"})


@pytest.mark.parametrize(
    "arguments",
    [
        {"origin": "a\r\nb: c"},
        {"extensions": "a\r\n"},
        {"subprotocols": ["a\r\n"]},
        {"additional_headers": {"a\r\n": "b"}},
        {"user_agent_header": "\x00"},
        {"host": "a\r\n"},
        {"host": "a b"},
        {"host": ""},
        {"additional_headers": {"Host": "u@h"}},
    ],
)
def test_callers_cannot_inject(arguments):
    with pytest.raises(ValueError, match=r"must be|must hold"):
        build_request(URI, KEY, **arguments)


def test_check_request(request_):
    assert check_request(request_) == KEY


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Upgrade", ["WebSocket"]),
        ("Upgrade", ["h2c, websocket"]),
        ("Upgrade", ["h2c", "websocket"]),
        ("Connection", ["keep-alive, Upgrade"]),
        ("Connection", ["keep-alive", "\tupgrade ,"]),
    ],
)
def test_check_request_with_lists(request_, name, values):
    del request_.headers[name]
    for value in values:
        request_.headers.add(name, value)
    assert check_request(request_) == KEY


@pytest.mark.parametrize("method", ["HEAD", "POST", "get", "OPTIONS"])
def test_check_request_method(request_, method):
    request_.method = method
    with pytest.raises(MethodError) as excinfo:
        check_request(request_)
    assert (excinfo.value.status, excinfo.value.headers) == (405, [("Allow", "GET")])


def test_check_request_http_version(request_):
    request_.version = "HTTP/1.0"
    with pytest.raises(VersionError) as excinfo:
        check_request(request_)
    assert excinfo.value.status == 505


@pytest.mark.parametrize("name", ["Upgrade", "Connection"])
@pytest.mark.parametrize("value", [None, "", "x", "websockets", "websocket/13", "xupgrade", '"upgrade"', "web socket"])
def test_check_request_without_upgrade(request_, name, value):
    del request_.headers[name]
    if value is not None:
        request_.headers[name] = value
    with pytest.raises(UpgradeError) as excinfo:
        check_request(request_)
    assert (excinfo.value.name, excinfo.value.value, excinfo.value.status) == (name, value, 426)
    assert ("Upgrade", "websocket") in excinfo.value.headers


@pytest.mark.parametrize("version", ["0", "7", "8", "12", "14", "013", "13, 8", "", "13.0", "\u00b9\u00b3"])
def test_check_request_websocket_version(request_, version):
    request_.headers["Sec-WebSocket-Version"] = version
    with pytest.raises(HeaderError) as excinfo:
        check_request(request_)
    assert excinfo.value.status == 426
    assert ("Sec-WebSocket-Version", "13") in excinfo.value.headers


@pytest.mark.parametrize("name", ["Sec-WebSocket-Key", "Sec-WebSocket-Version"])
def test_check_request_missing_header(request_, name):
    del request_.headers[name]
    with pytest.raises(HeaderError) as excinfo:
        check_request(request_)
    assert (excinfo.value.status, str(excinfo.value)) == (400, f"missing {name} header")


@pytest.mark.parametrize("name", ["Sec-WebSocket-Key", "Sec-WebSocket-Version", "Origin", "Authorization"])
def test_check_request_repeated_header(request_, name):
    request_.headers.setdefault(name, "Basic secret")
    request_.headers.add(name, request_.headers[name])
    with pytest.raises(HeaderError) as excinfo:
        check_request(request_)
    assert (excinfo.value.status, str(excinfo.value)) == (400, f"repeated {name} header")


@pytest.mark.parametrize(
    "key",
    [
        "",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZTE=",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25-ZQ==",
        "dGhlIHNhbXBsZ SBub25jZQ==",
        "\u00e4GhlIHNhbXBsZSBub25jZQ==",
    ],
)
def test_check_request_key(request_, key):
    request_.headers["Sec-WebSocket-Key"] = key
    with pytest.raises(HeaderError) as excinfo:
        check_request(request_)
    assert (excinfo.value.status, excinfo.value.name) == (400, "Sec-WebSocket-Key")


def test_build_response(response):
    assert response.serialize() == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"\r\n"
    )


@pytest.mark.feature("set the Server header")
def test_build_response_with_everything():
    response = build_response(
        KEY, extensions="permessage-deflate", subprotocol="chat", server_header="twoway", headers={"Date": "today"}
    )
    assert list(response.headers.raw_items())[2:] == [
        ("Sec-WebSocket-Accept", ACCEPT),
        ("Sec-WebSocket-Extensions", "permessage-deflate"),
        ("Sec-WebSocket-Protocol", "chat"),
        ("Server", "twoway"),
        ("Date", "today"),
    ]
    assert build_response(KEY, server_header="twoway", headers={"server": "mine"}).headers["Server"] == "mine"


@pytest.mark.parametrize("arguments", [{"subprotocol": "a, b"}, {"extensions": "\n"}, {"server_header": "a\r\n"}])
def test_build_response_cannot_inject(arguments):
    with pytest.raises(ValueError, match="must"):
        build_response(KEY, **arguments)


def test_check_response(response):
    check_response(response, KEY)
    response.headers["Upgrade"] = "WebSocket"
    response.headers["Connection"] = "keep-alive, upgrade"
    check_response(response, KEY)


@pytest.mark.parametrize("status", [200, 100, 302, 401, 500])
def test_check_response_status(response, status):
    response.status_code = status
    with pytest.raises(StatusError) as excinfo:
        check_response(response, KEY)
    assert excinfo.value.response is response
    assert excinfo.value.status == status


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Upgrade", []),
        ("Upgrade", ["h2c"]),
        ("Upgrade", ["websocket, h2c"]),
        ("Upgrade", ["websocket", "websocket"]),
        ("Connection", []),
        ("Connection", ["close"]),
    ],
)
def test_check_response_upgrade(response, name, values):
    del response.headers[name]
    for value in values:
        response.headers.add(name, value)
    with pytest.raises(UpgradeError) as excinfo:
        check_response(response, KEY)
    assert (excinfo.value.name, excinfo.value.value) == (name, ", ".join(values) or None)


@pytest.mark.parametrize(
    "values", [[], [""], [ACCEPT.lower()], [ACCEPT[:-1]], [ACCEPT + "x"], [f"{ACCEPT}, {ACCEPT}"], [ACCEPT, ACCEPT]]
)
def test_check_response_accept(response, values):
    del response.headers["Sec-WebSocket-Accept"]
    for value in values:
        response.headers.add("Sec-WebSocket-Accept", value)
    with pytest.raises(HeaderError) as excinfo:
        check_response(response, KEY)
    assert excinfo.value.name == "Sec-WebSocket-Accept"


@pytest.mark.parametrize(
    ("exc", "status", "fields"),
    [
        (ParseError("<script>"), 400, {"Connection": "close"}),
        (OriginError("<script>"), 403, {"Connection": "close"}),
        (MethodError("<script>"), 405, {"Connection": "close", "Allow": "GET"}),
        (LimitError("<script>", 1, 413), 413, {"Connection": "close"}),
        (LimitError("<script>", 1, 414), 414, {"Connection": "close"}),
        (HostError("<script>", "unknown", 421), 421, {"Connection": "close"}),
        (UpgradeError("Upgrade", "<script>"), 426, {"Connection": "Upgrade, close", "Upgrade": "websocket"}),
        (LimitError("<script>", 1), 431, {"Connection": "close"}),
        (VersionError("<script>"), 505, {"Connection": "close"}),
        (HTTPError("<script>", 499), 499, {"Connection": "close"}),
    ],
)
def test_error_response(exc, status, fields):
    response = error_response(exc)
    assert response.status_code == status
    assert {name: response.headers[name] for name in fields} == fields
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Content-Length"] == str(len(response.body))
    assert b"script" not in response.serialize()
    assert response.body.endswith(b".\n")


def test_refused_version_names_the_supported_one(request_):
    request_.headers["Sec-WebSocket-Version"] = "8"
    with pytest.raises(HTTPError) as excinfo:
        check_request(request_)
    response = error_response(excinfo.value)
    assert response.headers["Sec-WebSocket-Version"] == "13"
    assert response.headers["Connection"] == "Upgrade, close"


@pytest.mark.feature("opening handshake")
def test_both_sides_together():
    key = generate_key()
    request = RequestParser().receive_data(build_request(URI, key, subprotocols=["chat"]).serialize())
    assert isinstance(request, Request)
    answer = build_response(check_request(request), subprotocol="chat")
    response = ResponseParser().receive_data(answer.serialize())
    assert isinstance(response, Response)
    check_response(response, key)
    assert response.headers == Headers(answer.headers)
