"""Arguments that somebody else has chosen, such as an address from a page: nothing of them may become HTTP."""

from __future__ import annotations

import pytest
from adversary_rig.peer import DEADLINE, Trap
from adversary_rig.wire import accept_of, response

SPLIT = "a\r\nX-Injected: yes"
BAD_TEXT = {"CR LF": SPLIT, "CR": "a\rb", "LF": "a\nb", "NUL": "a\0b", "escape": "a\x1bb", "beyond latin-1": "a\u2028b"}
BAD_TOKENS = {**BAD_TEXT, "space": "a b", "comma": "a,b", "nothing": "", "umlaut": "ä", "quotes": '"a"', "slash": "a/b"}


def serve(peer):
    peer.send(response(accept_of(peer.read_head())))


def check_refused(driver, uri, options):
    with Trap(serve) as trap:
        outcome = driver.dial(uri.replace("%d", str(trap.port)), **options).result(DEADLINE)
    assert isinstance(outcome.error, (ValueError, driver.module.InvalidURI)), repr(outcome.error)
    assert not isinstance(outcome.error, UnicodeError), repr(outcome.error)
    assert not any(peer.head or peer.received for peer in trap.peers)


OPTIONS = {
    **{
        f"header name: {name}": {"additional_headers": {text: "a"}}
        for name, text in BAD_TOKENS.items()
        if text != "a/b"
    },
    **{f"header value: {name}": {"additional_headers": {"X": text}} for name, text in BAD_TEXT.items()},
    **{
        f"function for headers: {name}": {"additional_headers": lambda t=text: {"X": t}}
        for name, text in BAD_TEXT.items()
    },
    **{f"subprotocol: {name}": {"subprotocols": ["ok", text]} for name, text in BAD_TOKENS.items()},
    **{f"Origin: {name}": {"origin": text} for name, text in BAD_TEXT.items()},
    **{f"User-Agent: {name}": {"user_agent_header": text} for name, text in BAD_TEXT.items()},
    **{f"password: {name}": {"auth": ("ada", text)} for name, text in BAD_TEXT.items() if "latin" not in name},
    **{f"user: {name}": {"auth": (text, "x")} for name, text in BAD_TEXT.items() if "latin" not in name},
    "user with a colon": {"auth": ("a:b", "x")},
    "subprotocol twice": {"subprotocols": ["a", "a"]},
    **{
        f"header of the handshake: {name}": {"additional_headers": {name: "x"}}
        for name in ("Upgrade", "connection", "Sec-WebSocket-Key", "SEC-WEBSOCKET-VERSION", "Sec-WebSocket-Extensions")
    },
    **{
        f"header about a body: {name}": {"additional_headers": {name: "5"}}
        for name in ("Content-Length", "Transfer-Encoding")
    },
    **{f"Host: {text!r}": {"additional_headers": {"Host": text}} for text in ("a b", "a/b", "u@a", "a:b", SPLIT, "")},
}


@pytest.mark.threat("injection by arguments")
@pytest.mark.parametrize("name", OPTIONS)
def test_bad_options_are_refused_before_a_byte_is_written(driver, servers, name):
    check_refused(driver, "ws://127.0.0.1:%d/", OPTIONS[name])


@pytest.mark.threat("injection by arguments")
@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:%d/",
        "wss//127.0.0.1:%d/",
        "127.0.0.1:%d",
        "",
        "ws:/",
        "ws://",
        "ws:///path",
        "ws://:%d/",
        "ws://127.0.0.1:%d:80/",
        "ws://127.0.0.1:99999/",
        "ws://127.0.0.1:+80/",
        "ws://127.0.0.1:8\u0660/",
        "ws://127.0.0.1:%d/#part",
        "ws://[::1/",
        "ws://local host:%d/",
        "ws://local\r\nhost:%d/",
        "ws://local\0host:%d/",
        "ws://127.0.0.1\\@evil.example:%d/",
        "ws://" + "a" * 64 + ".example:%d/",
        "ws://a..example:%d/",
        "ws://\u2100.example:%d/",
        "ws://a%0d%0ab:%d/",
    ],
)
def test_bad_addresses_are_refused_before_a_byte_is_written(driver, servers, uri):
    check_refused(driver, uri, {})


@pytest.mark.threat("injection by arguments")
@pytest.mark.parametrize(
    "path", ["/" + SPLIT, "/a b", "/a\tb", "/a\0b", "/\x7f", "/ä€😀", "/a?b=" + SPLIT, "/%0d%0aX: y"]
)
def test_a_path_is_refused_or_escaped(driver, servers, path):
    with Trap(serve) as trap:
        outcome = driver.dial(f"ws://127.0.0.1:{trap.port}{path}").result(DEADLINE)
    if not trap.requests:
        assert isinstance(outcome.error, driver.module.InvalidURI)
        return
    (head,) = trap.requests
    line, *fields = head[:-4].split(b"\r\n")
    assert len(line.split(b" ")) == 3
    assert all(0x20 <= byte < 0x7F for byte in line)
    assert not any(field.startswith((b"X-Injected", b"X:")) for field in fields)
