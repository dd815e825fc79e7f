"""Messages that are sent or received in parts."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from twoway.threading import CloseCode, ConcurrencyError, ConnectionClosedError


def generated(items):
    yield from items


@pytest.fixture
def slow():
    """Give a part, wait until told to go on, and give another part; in any number."""

    class Slow:
        def __init__(self):
            self.go_on = threading.Event()

        def __call__(self, *parts):
            for number, part in enumerate(parts):
                if number:
                    assert self.go_on.wait(20)
                yield part

    return Slow()


@pytest.mark.feature("send a message in fragments")
@pytest.mark.feature("receive a fragmented message as one")
@pytest.mark.parametrize("wrap", [list, iter, generated])
@pytest.mark.parametrize(
    ("parts", "text", "received"),
    [
        (["a", "é", ""], None, "aé"),
        ([b"a", bytearray(b"b"), memoryview(b"c")], None, b"abc"),
        (["é", "b"], False, b"\xc3\xa9b"),
        ([b"\xc3", b"\xa9"], True, "é"),
        (["é", b"b"], True, "éb"),
        (["é", b"b"], False, b"\xc3\xa9b"),
    ],
)
def test_an_iterable_is_one_message(ends, wrap, parts, text, received):
    with ends() as (sender, receiver):
        sender.send(wrap(parts), text=text)
        assert receiver.recv() == received


@pytest.mark.feature("send a message in fragments")
def test_an_empty_iterable_sends_nothing(ends):
    with ends() as (sender, receiver):
        sender.send([])
        sender.send(generated([]))
        sender.send("something")
        assert receiver.recv() == "something"


@pytest.mark.feature("send a message in fragments")
@pytest.mark.parametrize(
    ("parts", "error"),
    [(["a", b"b"], TypeError), ([b"a", "b"], TypeError), (["a", 5], TypeError), (["a", "\ud800"], ValueError)],
)
def test_a_message_that_cannot_go_on_fails_the_connection(ends, parts, error):
    with ends() as (sender, receiver):
        with pytest.raises(error):
            sender.send(parts)
        with pytest.raises(ConnectionClosedError) as caught:
            receiver.recv()
        assert caught.value.rcvd.code == CloseCode.INTERNAL_ERROR


@pytest.mark.feature("send a message in fragments")
def test_an_iterable_that_raises_fails_the_connection(ends):
    def broken():
        yield "a"
        raise KeyError("oops")

    with ends() as (sender, receiver):
        with pytest.raises(KeyError, match="oops"):
            sender.send(broken())
        with pytest.raises(ConnectionClosedError, match="fragmented message was not finished"):
            receiver.recv()


def test_a_first_part_of_a_wrong_type_does_no_harm(ends):
    with ends() as (sender, receiver):
        with pytest.raises(TypeError):
            sender.send([5])
        sender.send("fine")
        assert receiver.recv() == "fine"


def test_half_a_character_at_the_end_of_a_text_fails_the_connection(ends):
    with ends() as (sender, _):
        with pytest.raises(ValueError, match="UTF-8"):
            sender.send([b"a", b"\xc3"], text=True)
        sender.wait_closed()


@pytest.mark.feature("send a message in fragments")
def test_other_messages_wait_for_the_end_of_a_fragmented_one(ends, spawn, slow):
    with ends() as (sender, receiver):
        fragmented = spawn(sender.send, slow("a", "b")).blocked()
        whole = spawn(sender.send, "whole").blocked()
        sender.pong()  # control frames may come between
        sender.ping().wait()
        slow.go_on.set()
        fragmented.result()
        whole.result()
        assert [receiver.recv(), receiver.recv()] == ["ab", "whole"]


@pytest.mark.feature("send a message in fragments")
def test_fragmented_messages_wait_for_each_other(ends, spawn):
    with ends() as (sender, receiver):
        for task in [spawn(sender.send, generated([str(number)] * 50)) for number in range(4)]:
            task.result()
        assert sorted(receiver.recv() for _ in range(4)) == [str(number) * 50 for number in range(4)]


def test_an_iterable_may_use_the_connection_that_sends_it(connected):
    """As a proxy does that asks for the next part, or a server that looks whether the peer is still there."""
    with connected() as (client, server):

        def parts():
            yield "a"
            client.ping().wait()
            yield server.state.name

        client.send(parts())
        assert server.recv() == "aOPEN"


def test_who_waits_behind_an_unfinished_message_learns_of_the_end(ends, spawn, slow):
    with ends() as (sender, receiver):
        fragmented = spawn(sender.send, slow("a", "b")).blocked()
        waiting = spawn(sender.send, "whole").blocked()
        receiver.abort()
        assert isinstance(waiting.error(), ConnectionClosedError)
        slow.go_on.set()
        assert isinstance(fragmented.error(), ConnectionClosedError)


@pytest.mark.feature("receive a message frame by frame")
def test_a_message_can_be_received_in_its_parts(ends):
    with ends() as (sender, receiver):
        sender.send([b"a\xc3", b"\xa9", b"b"], text=True)
        sender.send(b"whole")
        parts = list(receiver.recv_streaming())
        assert "".join(parts) == "aéb"
        assert len(parts) > 1
        assert list(receiver.recv_streaming()) == [b"whole"]


@pytest.mark.feature("receive a message frame by frame")
def test_parts_are_given_before_the_message_is_complete(ends, spawn, slow):
    with ends() as (sender, receiver):
        sending = spawn(sender.send, slow(b"a", b"b"))
        parts = receiver.recv_streaming(decode=True)
        assert next(parts) == "a"
        slow.go_on.set()
        sending.result()
        assert "".join(parts) == "b"
        assert list(parts) == []


@pytest.mark.feature("receive a message frame by frame")
def test_leaving_the_parts_early_skips_the_rest(ends):
    with ends() as (sender, receiver):
        sender.send(["a", "b", "c"])
        sender.send("next")
        for part in receiver.recv_streaming():
            assert part == "a"
            break
        del part
        assert receiver.recv() == "next"


@pytest.mark.feature("receive a message frame by frame")
def test_parts_can_be_closed(ends):
    with ends() as (sender, receiver):
        sender.send(["a", "b"])
        sender.send("next")
        with closing(receiver.recv_streaming()) as parts:
            assert next(parts) == "a"
            with pytest.raises(ConcurrencyError):
                receiver.recv()
            with pytest.raises(ConcurrencyError):
                next(receiver.recv_streaming())
        assert list(receiver.recv_streaming()) == ["next"]


@pytest.mark.feature("receive a message frame by frame")
def test_a_message_that_ends_early_gives_its_parts_then_raises(connected):
    def broken():
        yield "a"
        raise KeyError

    with connected() as (client, server):
        with pytest.raises(KeyError):
            client.send(broken())
        parts = server.recv_streaming()
        assert next(parts) == "a"
        with pytest.raises(ConnectionClosedError):
            next(parts)
        with pytest.raises(ConnectionClosedError):  # the iteration is over: nothing is in the way
            server.recv()


@pytest.mark.feature("receive a message frame by frame")
def test_the_timeout_of_parts_is_for_each_of_them(ends, spawn, slow):
    with ends() as (sender, receiver):
        sending = spawn(sender.send, slow("a", "b"))
        parts = receiver.recv_streaming(timeout=20)
        assert next(parts) == "a"
        slow.go_on.set()
        assert "".join(parts) == "b"
        sending.result()


@pytest.mark.feature("receive a message frame by frame")
def test_an_iteration_may_go_on_after_a_timeout(ends, spawn, slow):
    with ends() as (sender, receiver):
        sending = spawn(sender.send, slow("a", "b"))
        parts = receiver.recv_streaming(timeout=0.05)
        assert next(parts) == "a"
        with pytest.raises(TimeoutError):
            next(parts)
        slow.go_on.set()
        sending.result()
        assert "".join(parts) == "b"


@pytest.mark.feature("receive a message frame by frame")
def test_an_iteration_that_is_given_up_after_a_timeout_skips_the_rest(ends, spawn, slow):
    with ends() as (sender, receiver):
        sending = spawn(sender.send, slow("a", "b"))
        with closing(receiver.recv_streaming(timeout=0.05)) as parts:
            assert next(parts) == "a"
            with pytest.raises(TimeoutError):
                next(parts)
        slow.go_on.set()
        sending.result()
        sender.send("next")
        assert receiver.recv() == "next"


@pytest.mark.parametrize(("timeout", "error"), [(-1, ValueError), ("1", TypeError)])
def test_the_timeout_of_parts_is_checked(connected, timeout, error):
    with connected() as (client, _), pytest.raises(error, match="timeout"):
        next(client.recv_streaming(timeout=timeout))
