"""Streams that end anywhere; and what is left when everything is over."""

from __future__ import annotations

import logging
import os
import random
from contextlib import ExitStack

import pytest
from adversary_rig.attack import Asked, Framed, check_documented
from adversary_rig.memory import growth
from adversary_rig.peer import DEADLINE, Trap, dial
from adversary_rig.wire import BINARY, PING, RSV1, TEXT, Frame, accept_of, closing, deflate, request, response

FRAMES = [Frame(TEXT, b"one"), Frame(PING, b"x"), Frame(0x01, b"two"), Frame(0x80, b" too"), Frame(BINARY, bytes(130))]
ENDS = pytest.mark.parametrize("end", ["end", "reset"])


@pytest.mark.threat("ends of the stream")
@ENDS
def test_a_request_may_end_anywhere(servers, end):
    data = request(extra=b"Sec-WebSocket-Extensions: permessage-deflate")
    for size in range(0, len(data), 3):
        with dial(servers("usual").port) as peer:
            peer.send(data[:size])
            getattr(peer, end)()
            peer.wait()
            assert not peer.received


@pytest.mark.threat("ends of the stream")
@ENDS
def test_a_connection_may_end_anywhere(servers, end):
    serving = servers("usual")
    serving.clear()
    begun = serving.begun
    data = b"".join(frame.serialize(client=True) for frame in FRAMES)
    for size in range(len(data)):
        with dial(serving.port) as peer:
            peer.open()
            peer.send(data[:size])
            getattr(peer, end)()
            peer.wait()
    serving.wait_until_idle(begun + len(data))
    assert set(serving.delivered) <= {"one", "two too"}
    if end == "end":
        # Whoever sends its answer after the end learns that there is nobody, and need not read on.
        assert serving.delivered.count("one") == len(data) - len(FRAMES[0].serialize(client=True))


def answers(end: str, size: int, frames: bytes):
    def behave(peer):
        data = response(accept_of(peer.read_head())) + frames
        peer.send(data[:size])
        getattr(peer, end)()

    return behave


@pytest.mark.threat("ends of the stream")
@ENDS
def test_an_answer_may_end_anywhere(driver, end):
    frames = b"".join(frame.serialize(client=False) for frame in FRAMES)
    whole = len(response(accept_of(request())))
    for size in [*range(0, whole, 7), *range(whole, whole + len(frames), 3)]:
        with Trap(answers(end, size, frames)) as trap:
            outcome = driver.dial(f"ws://127.0.0.1:{trap.port}/").result(DEADLINE)
        check_documented(driver, outcome)
        if not outcome.opened:
            assert isinstance(outcome.error, (driver.module.InvalidHandshake, OSError))
            continue
        assert size >= whole
        assert isinstance(outcome.error, driver.module.ConnectionClosedError)
        assert (outcome.error.code, outcome.error.rcvd) == (1006, None)
        assert set(outcome.messages) <= {"one", "two too"}


@pytest.mark.threat("ends of the stream")
def test_a_server_that_hangs_up_at_once_is_no_success(driver):
    with Trap(lambda peer: peer.reset()) as trap:
        error = driver.dial(f"ws://127.0.0.1:{trap.port}/").result(DEADLINE).error
    assert isinstance(error, (driver.module.InvalidHandshake, OSError))


PIECES = [
    b"\r\n",
    b"\n",
    b"\0",
    b": ",
    b"HTTP/1.1 ",
    b"101 ",
    b"200 OK",
    b"Connection: Upgrade\r\n",
    b"GET / ",
    bytes(20),
]
PIECES += [
    b"Content-Length: 9\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Location: //\r\n",
    b"\xff\xfe",
    b"302 Found\r\n",
]


def rubbish(seed: int) -> bytes:
    chance = random.Random(seed)
    return b"".join(chance.choices(PIECES, k=8)) + chance.randbytes(chance.choice([0, 3, 100]))


@pytest.mark.threat("internal errors")
def test_rubbish_at_any_place_is_a_documented_error(driver, servers):
    frames = b"".join(frame.serialize(client=False) for frame in FRAMES)
    for seed in range(40):

        def behave(peer, seed=seed):
            head = peer.read_head()
            data = response(accept_of(head)) + frames
            at = seed * 7 % len(data)
            peer.send(data[:at] + rubbish(seed))

        with Trap(behave) as trap:
            outcome = driver.dial(f"ws://127.0.0.1:{trap.port}/").result(DEADLINE)
        check_documented(driver, outcome)


@pytest.mark.threat("internal errors")
def test_rubbish_at_any_place_is_no_trouble_for_a_server(servers):
    frames = b"".join(frame.serialize(client=True) for frame in FRAMES)
    data = request() + frames
    for seed in range(80):
        with dial(servers("usual").port) as peer:
            peer.send(data[: seed * 7 % len(data)] + rubbish(seed))
            peer.end()
            peer.wait()
            assert peer.ended
    servers("usual").wait_until_idle()


#: One of each kind; what a table holds has the size of its own.
REQUESTS = [
    Asked(request(line=b"GET /" + b"a" * 9000 + b" HTTP/1.1"), 414),
    Asked(request(extra=b"X: 1\r\n" * 200 + b"Y: 1"), 431),
    Asked(request(extra=b"Content-Length: 5") + b"hello", 400),
    Asked(request({b"Sec-WebSocket-Version": b"8"}), 426),
    Asked(request(extra=b"Sec-WebSocket-Extensions: a;;"), 400),
    Asked(request()[:-2], None),
]
ATTACKS = [
    Framed([Frame(0x83)], 1002),
    Framed([Frame(TEXT, b"\xff")], 1007),
    Framed([Frame(BINARY, b"", length=1 << 40)], 1009),
    Framed([Frame(0x01, b"x" * 20_000), closing(1000)], 1000),
    Framed([Frame(0x02), *[Frame(0x00, b"x")] * 300, closing(1000)], 1000, compressed=True),
    Framed([Frame(BINARY | RSV1, deflate(bytes(2 << 20)))], 1009, compressed=True),
    Framed([Frame(BINARY | RSV1, b"\xff")], 1007, compressed=True),
    Framed([Frame(TEXT | RSV1, deflate(b"text" * 1000)), closing(4999)], 4999, compressed=True),
]
ROUNDS = 5
#: Far less than what stays when each connection leaves a message, a buffer or a traceback; bytes.
LEFT = 64 * 1024


@pytest.mark.threat("memory that stays")
def test_requests_leave_nothing(servers, caplog):
    port = servers("usual").port
    caplog.set_level(logging.WARNING)  # what is logged is kept for the test

    def attack():
        for asked in REQUESTS:
            with dial(port) as peer:
                peer.send(asked.send)
                peer.end()
                peer.wait()

    assert growth(attack, 2, ROUNDS, LEFT) <= LEFT


@pytest.mark.threat("memory that stays")
def test_connections_leave_nothing(victim, caplog):
    caplog.set_level(logging.WARNING)

    def attack():
        for framed in ATTACKS:
            assert victim.suffer(framed).code == framed.code

    assert growth(attack, 2, ROUNDS, LEFT) <= LEFT


@pytest.mark.threat("memory of idle connections")
def test_an_idle_connection_with_compression_is_small(driver, servers):
    port = servers("usual").port
    text = os.urandom(2000).hex().encode()
    with ExitStack() as stack:

        def connect():
            peer = stack.enter_context(dial(port))
            peer.open(b"Sec-WebSocket-Extensions: permessage-deflate")
            peer.send_frames([Frame(TEXT | RSV1, deflate(text))])
            peer.wait_for_frames(1)
            peer.received.clear()

        # A thread that waits for bytes has 64 KiB for them, though the system gives it only the pages that are used.
        waiting = 64 * 1024 if driver.name == "threading" else 0
        limit = 40 * (48 * 1024 + waiting)
        assert growth(connect, 10, 40, limit) <= limit
