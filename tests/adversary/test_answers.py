"""Servers that answer an opening handshake with something else than what a client asked for."""

from __future__ import annotations

import itertools
import time

import pytest
from adversary_rig.attack import Answered, check_documented, table
from adversary_rig.memory import peak
from adversary_rig.peer import DEADLINE, Trap
from adversary_rig.wire import TEXT, Frame, accept_of, response

MIB = 1 << 20
HASTY = {"open_timeout": 0.4}
SOON = 5.0
HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
ACCEPT = b"Sec-WebSocket-Accept: %(accept)s\r\n"


@pytest.fixture
def suffer(driver, servers):
    """Connect to a server that answers like this, and check the error that the user gets."""

    def suffer(attack, tls=None, scheme="ws"):
        def behave(peer):
            head = peer.read_head()
            if callable(attack.send):
                attack.send(peer)
            else:
                peer.send(attack.send.replace(b"%(accept)s", accept_of(head)))
                peer.wait(2)

        with Trap(behave, tls) as trap:
            uri = f"{scheme}://127.0.0.1:{trap.port}{attack.path}"
            outcome = driver.dial(uri, **attack.options).result(DEADLINE)
        check_documented(driver, outcome)
        assert not outcome.opened
        kinds = [kind.__name__ for kind in type(outcome.error).__mro__]
        assert attack.error in kinds, repr(outcome.error)
        assert attack.says in str(outcome.error)
        assert str(outcome.error).isprintable()
        assert len(str(outcome.error)) < 500
        return outcome, trap

    return suffer


def bad(data, says="", error="InvalidHandshake", **options):
    return Answered(data, error, says, options)


@pytest.mark.threat("false Sec-WebSocket-Accept")
@table(
    {
        name: bad(HEAD + lines + b"\r\n", "Sec-WebSocket-Accept")
        for name, lines in {
            "none": b"",
            "empty": b"Sec-WebSocket-Accept: \r\n",
            "of another key": b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
            "twice": ACCEPT * 2,
            "and another": ACCEPT + b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
            "cut": b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYG\r\n",
            "with more": ACCEPT.replace(b"\r\n", b"x\r\n"),
            "in quotes": b'Sec-WebSocket-Accept: "%(accept)s"\r\n',
        }.items()
    }
)
def test_the_accept_header_must_be_right(suffer, attack):
    suffer(attack)


@pytest.mark.threat("false Sec-WebSocket-Accept")
def test_the_accept_header_is_not_right_in_other_letters(suffer):
    def swap_case(peer):
        peer.send(HEAD + b"Sec-WebSocket-Accept: " + accept_of(peer.head).swapcase() + b"\r\n\r\n")
        peer.wait(2)

    suffer(Answered(swap_case, "InvalidHandshake", "Sec-WebSocket-Accept"))


GOOD = HEAD + ACCEPT
WRONG_STATUS = "server rejected WebSocket connection: HTTP"


@pytest.mark.threat("malformed answers")
@table(
    {
        name: bad(GOOD + lines + b"\r\n")
        for name, lines in {
            "NUL in a value": b"X: a\0b\r\n",
            "line feed": b"X: a\nY: b\r\n",
            "carriage return": b"X: a\rb\r\n",
            "space before the colon": b"X : a\r\n",
            "folded": b"X: a\r\n b\r\n",
            "no colon": b"nonsense\r\n",
            "no name": b": a\r\n",
            "129 headers": b"X: a\r\n" * 126,
            "too much of all": (b"X: " + b"a" * 8000 + b"\r\n") * 9,
        }.items()
    }
    | {
        "no Upgrade": bad(GOOD.replace(b"Upgrade: websocket\r\n", b"") + b"\r\n", "Upgrade"),
        "another Upgrade": bad(GOOD.replace(b"websocket", b"h2c") + b"\r\n", "Upgrade"),
        "no Connection": bad(GOOD.replace(b"Connection: Upgrade\r\n", b"") + b"\r\n", "Connection"),
        "HTTP/1.0": bad(GOOD.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n"),
        "HTTP/2": bad(GOOD.replace(b"HTTP/1.1", b"HTTP/2.0") + b"\r\n"),
        "HTTP/0.9": bad(b"<html>hello</html>\r\n"),
        "garbage": bad(bytes(range(256)) * 10),
        "TLS": bad(b"\x15\x03\x01\x00\x02\x02\x46" * 10 + b"\r\n"),
        "SSH": bad(b"SSH-2.0-OpenSSH_9.9\r\n"),
        "status of letters": bad(b"HTTP/1.1 1O1 Switching\r\n\r\n"),
        "status of four digits": bad(b"HTTP/1.1 1010 Switching\r\n\r\n"),
        "status of 600": bad(b"HTTP/1.1 600 What\r\n\r\n"),
        "status with a sign": bad(b"HTTP/1.1 +101 Switching\r\n\r\n"),
        "escape in the reason": bad(b"HTTP/1.1 404 \x1b[2J\r\n\r\n"),
        "200": bad(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", WRONG_STATUS, "InvalidStatus"),
        "204": bad(b"HTTP/1.1 204 None\r\n\r\n", WRONG_STATUS, "InvalidStatus"),
        "401 without a challenge": bad(
            b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", WRONG_STATUS, "InvalidStatus", auth=("ada", "secret")
        ),
        "status line without end": bad(b"HTTP/1.1 101 " + b"x" * 100_000),
        "header without end": bad(HEAD + b"X: " + b"x" * 1_000_000),
        "headers without end": bad(HEAD + b"X: 1\r\n" * 100_000),
        "interim answers without end": bad(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        "large interim answers": bad((b"HTTP/1.1 103 Hints\r\n" + b"X: 1\r\n" * 127 + b"\r\n") * 100),
        "nothing": bad(b""),
    }
)
def test_a_malformed_answer_is_an_error_of_its_own(suffer, attack):
    if attack.send == b"":
        attack = Answered(lambda peer: peer.end(), attack.error)
    assert peak(lambda: suffer(attack)) < 8 * MIB


@pytest.mark.threat("answers to offers")
@table(
    {
        name: bad(GOOD + b"Sec-WebSocket-Extensions: " + value + b"\r\n\r\n")
        for name, value in {
            "not offered": b"x-webkit-deflate-frame",
            "offered and not offered": b"permessage-deflate; server_max_window_bits=12, x",
            "twice": b"permessage-deflate; server_max_window_bits=12, permessage-deflate; server_max_window_bits=12",
            "unknown parameter": b"permessage-deflate; x",
            "parameter twice": b"permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "window larger than asked for": b"permessage-deflate; server_max_window_bits=16",
            "window of 08 bits": b"permessage-deflate; server_max_window_bits=08",
            "window of none": b"permessage-deflate; server_max_window_bits",
            "client's window of 7": b"permessage-deflate; client_max_window_bits=7",
            "client's window of none": b"permessage-deflate; client_max_window_bits",
            "value where there is none": b"permessage-deflate; server_no_context_takeover=true",
            "malformed": b"permessage-deflate;;",
            "quotes without end": b'permessage-deflate; x="' + b"\\" * 5000,
            "65 of them": b", ".join([b"a"] * 65),
        }.items()
    }
    | {
        "compression that was not offered": bad(
            GOOD + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", compression=None
        ),
    }
    | {
        f"subprotocol: {name}": bad(GOOD + lines + b"\r\n", "Sec-WebSocket-Protocol", subprotocols=["chat", "v2"])
        for name, lines in {
            "not offered": b"Sec-WebSocket-Protocol: other\r\n",
            "in other letters": b"Sec-WebSocket-Protocol: Chat\r\n",
            "two": b"Sec-WebSocket-Protocol: chat, v2\r\n",
            "in two lines": b"Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: v2\r\n",
            "empty": b"Sec-WebSocket-Protocol: \r\n",
            "quoted": b'Sec-WebSocket-Protocol: "chat"\r\n',
        }.items()
    }
    | {"subprotocol: none was offered": bad(GOOD + b"Sec-WebSocket-Protocol: chat\r\n\r\n", "Sec-WebSocket-Protocol")}
)
def test_an_answer_that_fits_no_offer_is_refused(suffer, attack):
    suffer(attack)


def refusal(fields, body=b"", says="", error="InvalidHandshake"):
    return Answered(b"HTTP/1.1 500 Oops\r\n" + fields + b"\r\n\r\n" + body, error, says)


CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.threat("endless error pages")
@table(
    {
        "at the limit": refusal(b"Content-Length: %d" % MIB, bytes(MIB), "HTTP 500", "InvalidStatus"),
        "over the limit": refusal(b"Content-Length: %d" % (MIB + 1), b"", "body"),
        "8 EiB": refusal(b"Content-Length: 9223372036854775807", b"x" * 100),
        "999999999999999999 bytes": refusal(b"Content-Length: 999999999999999999", b"x" * 100, "body"),
        "a number of 5000 digits": refusal(b"Content-Length: " + b"9" * 5000),
        "less than nothing": refusal(b"Content-Length: -1"),
        "two lengths": refusal(b"Content-Length: 1\r\nContent-Length: 2", b"ab"),
        "length and chunks": refusal(b"Content-Length: 1\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
        "no length and no end": refusal(b"X: y", bytes(MIB + 1), "body"),
        "chunks without end": refusal(CHUNKED, (b"4000\r\n" + bytes(0x4000) + b"\r\n") * 65, "body"),
        "one chunk without end": refusal(CHUNKED, b"f" * 15 + b"\r\n", "body"),
        "chunk of 16 digits": refusal(CHUNKED, b"f" * 16 + b"\r\n"),
        "chunk with a sign": refusal(CHUNKED, b"-1\r\n"),
        "chunk header without end": refusal(CHUNKED, b"1;" + b"x" * 100_000),
        "chunk extensions without end": refusal(CHUNKED, (b"1;" + b"x" * 8000 + b"\r\n1\r\n") * 20),
        "trailers without end": refusal(CHUNKED, b"0\r\n" + b"X: y\r\n" * 1000),
        "unknown coding": refusal(b"Transfer-Encoding: br", b"0\r\n\r\n"),
    }
)
def test_an_error_page_is_read_as_far_as_its_limit(suffer, attack):
    assert peak(lambda: suffer(attack)) < 12 * MIB


def drips(data, pause=0.01):
    def send(peer):
        for byte in itertools.chain(data, itertools.repeat(data[-1])):
            peer.drip(bytes([byte]), pause=pause)
            if peer.ended:
                break

    return send


@pytest.mark.threat("servers that never finish")
@table(
    {
        name: Answered(send, "TimeoutError", options=HASTY)
        for name, send in {
            "silence": lambda peer: peer.wait(SOON),
            "headers in drips": drips(b"HTTP/1.1 101 Switching Protocols\r\nX: a"),
            "an error page in drips": drips(b"HTTP/1.1 500 Oops\r\nContent-Length: 100000\r\n\r\na"),
            "chunks in drips": drips(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\na"),
            "interim answers in drips": drips(b"HTTP/1.1 100 Continue\r\n\r\n", 0.0),
        }.items()
        if name != "interim answers in drips"
    }
)
def test_open_timeout_is_for_the_whole_of_an_answer(suffer, attack):
    started = time.monotonic()
    suffer(attack)
    assert time.monotonic() - started < SOON


@pytest.mark.threat("malformed answers")
def test_frames_that_come_with_the_answer_are_read_by_the_same_rules(driver, servers):
    for frames, expected, code in (
        ([Frame(TEXT, b"one"), Frame(TEXT, b"two"), Frame(0x83)], ["one", "two"], 1002),
        ([Frame(TEXT, b"\xff")], [], 1007),
    ):

        def behave(peer, frames=frames):
            data = b"".join(frame.serialize(client=False) for frame in frames)
            peer.send(response(accept_of(peer.read_head())) + data)
            peer.wait(2)

        with Trap(behave) as trap:
            outcome = driver.dial(f"ws://127.0.0.1:{trap.port}/").result(DEADLINE)
        assert outcome.messages == expected
        assert isinstance(outcome.error, driver.module.ConnectionClosedError)
        assert outcome.error.sent.code == code
