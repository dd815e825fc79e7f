"""The connection scope of ASGI."""

from __future__ import annotations

import pytest

from twoway.http import Headers, Request
from twoway.uvicorn._scope import describe, make_scope


class Transport:
    def __init__(self, **facts):
        self.get_extra_info = facts.get


class Config:
    asgi_version = "3.0"

    def __init__(self, root_path=""):
        self.root_path = root_path


def scope_of(request, root_path="", **facts):
    return make_scope(request, Transport(**facts), Config(root_path), {})


def test_all_of_it():
    headers = Headers([("Host", "a"), ("X-Name", "é"), ("x-name", "2"), ("Sec-WebSocket-Protocol", "a, b")])
    headers.add("Sec-WebSocket-Protocol", "c")
    state = {"k": []}
    request = Request("/a%20b/%C3%A9?c=%20", headers)
    transport = Transport(sockname=("::1", 80, 0, 0), peername=("::2", 5000, 0, 0), sslcontext=object())
    scope = make_scope(request, transport, Config("/root"), state)
    assert scope["state"] == state and scope["state"] is not state and scope["state"]["k"] is state["k"]
    del scope["state"]
    assert scope == {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "wss",
        "server": ("::1", 80),
        "client": ("::2", 5000),
        "root_path": "/root",
        "path": "/root/a b/é",
        "raw_path": b"/root/a%20b/%C3%A9",
        "query_string": b"c=%20",
        "headers": [
            (b"host", b"a"),
            (b"x-name", b"\xe9"),
            (b"x-name", b"2"),
            (b"sec-websocket-protocol", b"a, b"),
            (b"sec-websocket-protocol", b"c"),
        ],
        "subprotocols": ["a", "b", "c"],
        "extensions": {"websocket.http.response": {}},
    }


def test_as_little_as_possible():
    scope = scope_of(Request("/"))
    assert (scope["scheme"], scope["server"], scope["client"]) == ("ws", None, None)
    assert (scope["path"], scope["query_string"], scope["subprotocols"]) == ("/", b"", [])


@pytest.mark.parametrize(("sockname", "server"), [("/run/s", ("/run/s", None)), ("", None), (b"", None)])
def test_unix_sockets(sockname, server):
    assert scope_of(Request("/"), sockname=sockname, peername="")["server"] == server


@pytest.mark.parametrize(
    ("path", "peername", "line"),
    [
        ("/", ("127.0.0.1", 5), '127.0.0.1:5 - "WebSocket /"'),
        ("/%0Aline?a=b", None, ' - "WebSocket /%0Aline?a=b"'),
    ],
)
def test_how_it_is_logged(path, peername, line):
    assert describe(scope_of(Request(path), peername=peername)) == line
