"""Sending, receiving, pinging and closing, on both sides of a connection."""

from __future__ import annotations

import uuid

import pytest

from twoway.threading import (
    Cause,
    CloseCode,
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidState,
    State,
    connect,
)

# Whole messages


@pytest.mark.feature("send a message")
@pytest.mark.feature("receive a message")
@pytest.mark.feature("force text or binary on send")
@pytest.mark.parametrize(
    ("message", "text", "received"),
    [
        ("héllo", None, "héllo"),
        ("", None, ""),
        (b"\x00\xff", None, b"\x00\xff"),
        (bytearray(b"ab"), None, b"ab"),
        (memoryview(b"ab"), None, b"ab"),
        ("é", False, b"\xc3\xa9"),
        (b"\xc3\xa9", True, "é"),
        (memoryview(b"ab"), True, "ab"),
        ("x" * 70000, None, "x" * 70000),
    ],
)
def test_a_message_arrives_as_it_was_sent(ends, message, text, received):
    with ends() as (sender, receiver):
        assert sender.send(message, text=text) is True
        assert receiver.recv() == received


@pytest.mark.feature("force str or bytes on receive")
def test_decode_forces_the_type(ends):
    with ends() as (sender, receiver):
        for message in ("é", b"\xc3\xa9", "é", b"\xc3\xa9"):
            sender.send(message)
        assert [receiver.recv(decode=True) for _ in range(2)] == ["é", "é"]
        assert [receiver.recv(decode=False) for _ in range(2)] == [b"\xc3\xa9", b"\xc3\xa9"]


@pytest.mark.feature("force str or bytes on receive")
def test_binary_that_is_no_text_cannot_be_decoded(ends):
    with ends() as (sender, receiver):
        sender.send(b"\xff")
        sender.send("next")
        with pytest.raises(UnicodeDecodeError):
            receiver.recv(decode=True)
        assert receiver.recv() == "next"


@pytest.mark.feature("send a message")
@pytest.mark.parametrize("message", [5, None, object()])
def test_a_message_of_a_wrong_type_is_refused_by_name(ends, message):
    with ends() as (sender, _):
        with pytest.raises(TypeError, match="message must be str, bytes-like or an iterable"):
            sender.send(message)
        assert sender.state is State.OPEN


@pytest.mark.feature("send a message")
def test_a_mapping_is_no_message(ends):
    with ends() as (sender, _), pytest.raises(TypeError, match="mapping"):
        sender.send({"a": 1})


@pytest.mark.feature("force text or binary on send")
def test_text_must_be_utf8(ends):
    with ends() as (sender, receiver):
        with pytest.raises(ValueError, match="UTF-8"):
            sender.send(b"\xff", text=True)
        with pytest.raises(ValueError, match="UTF-8|surrogate"):
            sender.send("\ud800")
        sender.send("fine")
        assert receiver.recv() == "fine"


@pytest.mark.feature("iterate over messages")
def test_iteration_ends_with_an_orderly_close(ends):
    with ends() as (sender, receiver):
        for number in range(3):
            sender.send(str(number))
        sender.close(1001)
        assert list(receiver) == ["0", "1", "2"]


@pytest.mark.feature("iterate over messages")
def test_iteration_raises_after_any_other_end(ends):
    with ends() as (sender, receiver):
        sender.send("last")
        sender.close(1011)
        received = []
        with pytest.raises(ConnectionClosedError):
            for message in receiver:
                received.append(message)
        assert received == ["last"]


@pytest.mark.feature("receive a message")
def test_two_calls_cannot_receive_at_once(ends, spawn):
    with ends() as (sender, receiver):
        first = spawn(receiver.recv).blocked()
        with pytest.raises(ConcurrencyError):
            receiver.recv()
        with pytest.raises(ConcurrencyError):
            receiver.recv(timeout=0)
        with pytest.raises(ConcurrencyError):
            next(receiver.recv_streaming())
        sender.send("for the first")
        assert first.result() == "for the first"


@pytest.mark.feature("receive a message")
def test_a_message_that_comes_while_somebody_waits(ends, spawn):
    with ends() as (sender, receiver):
        for number in range(20):
            receiving = spawn(receiver.recv)
            if number % 2:
                receiving.blocked()
            sender.send(str(number))
            assert receiving.result() == str(number)


@pytest.mark.feature("receive a message")
@pytest.mark.parametrize("message", ["x", b"x" * 300_000, ["a", "b"]])
def test_a_message_that_comes_while_nobody_waits(ends, message, until):
    with ends() as (sender, receiver):
        sender.send(message)
        sender.ping().wait(20)  # the I/O thread has received it all
        expected = "ab" if isinstance(message, list) else message
        assert receiver.recv(timeout=0) == expected


# Pings and pongs


@pytest.mark.feature("send pings")
@pytest.mark.feature("measure latency")
def test_a_ping_gives_the_latency(ends):
    with ends() as (sender, _):
        assert sender.latency == 0
        pong = sender.ping()
        latency = pong.wait()
        assert pong.done()
        assert latency == sender.latency > 0
        assert pong.wait(0) == latency


@pytest.mark.feature("answer pings")
def test_the_answer_to_a_ping_answers_those_before(ends):
    with ends() as (sender, _):
        early = sender.ping("one")
        late = sender.ping(b"two")
        late.wait()
        assert early.done()
        assert early.wait() > 0


@pytest.mark.feature("answer pings")
def test_a_ping_is_answered_while_somebody_receives(ends, spawn):
    with ends() as (sender, receiver):
        receiving = [spawn(end.recv) for end in (sender, receiver)]
        for _ in range(3):
            sender.ping().wait()
        for end in (receiver, sender):
            end.send("end")
        assert [task.result() for task in receiving] == ["end"] * 2


@pytest.mark.feature("answer pings")
def test_many_threads_may_wait_for_a_pong(ends, spawn):
    with ends() as (sender, _):
        pongs = [sender.ping() for _ in range(8)]
        assert all(task.result() > 0 for task in [spawn(pong.wait) for pong in pongs * 2])


@pytest.mark.feature("send pings")
@pytest.mark.parametrize(("data", "error"), [(5, TypeError), ("x" * 126, ValueError)])
def test_pings_with_wrong_data_are_refused_by_name(ends, data, error):
    with ends() as (sender, _), pytest.raises(error, match="data must"):
        sender.ping(data)


@pytest.mark.feature("send pings")
def test_a_ping_must_differ_from_those_that_are_not_answered(silent):
    with silent() as uri, connect(uri, close_timeout=0) as client:
        client.ping("same")
        with pytest.raises(ValueError, match="data must"):
            client.ping("same")


@pytest.mark.feature("send pongs")
@pytest.mark.parametrize(("data", "error"), [(5, TypeError), (b"x" * 126, ValueError)])
def test_pongs_with_wrong_data_are_refused_by_name(ends, data, error):
    with ends() as (sender, _), pytest.raises(error, match="data must"):
        sender.pong(data)


@pytest.mark.feature("send pongs")
def test_a_pong_that_nobody_asked_for_can_be_sent(serving, wire):
    def handler(connection):
        connection.pong(b"alive")

    with serving(handler) as (_, uri), wire.opened(uri) as stream:
        assert stream.readexactly(7) == wire.frame(0x8A, b"alive")


@pytest.mark.feature("send pings")
def test_a_ping_that_nobody_answers_raises_when_the_connection_ends(silent, spawn):
    with silent() as uri, connect(uri) as client:
        left_alone = client.ping("left alone")
        waiting = spawn(client.ping().wait).blocked()
        client.abort()
        assert isinstance(waiting.error(), ConnectionClosedError)
        assert left_alone.done()
        with pytest.raises(ConnectionClosedError):
            left_alone.wait()


# The end


@pytest.mark.feature("closing handshake")
@pytest.mark.feature("close codes and reasons of both sides, and who was first")
@pytest.mark.feature("tell why a connection ended")
def test_both_sides_learn_how_the_connection_was_closed(ends):
    with ends() as (closer, other):
        assert (closer.close_code, closer.close_reason) == (None, None)
        closer.close(4000, "enough")
        other.wait_closed()
        for end, first in ((closer, False), (other, True)):
            assert (end.state, end.close_code, end.close_reason) == (State.CLOSED, 4000, "enough")
            with pytest.raises(ConnectionClosedError) as caught:
                end.recv()
            assert caught.value.rcvd_then_sent is first
        assert closer.protocol.cause is Cause.LOCAL_CLOSE
        assert other.protocol.cause is Cause.REMOTE_CLOSE


@pytest.mark.feature("closing handshake")
def test_closing_twice_is_harmless(ends, spawn):
    with ends() as (closer, other):
        closing = [spawn(closer.close), spawn(closer.close), spawn(other.close)]
        for task in closing:
            task.result()
        closer.close(4000)
        assert closer.close_code == other.close_code == 1000


@pytest.mark.feature("close codes and reasons of both sides, and who was first")
@pytest.mark.parametrize(
    ("arguments", "error"),
    [((1006,), ValueError), ((5000,), ValueError), (("x",), TypeError), ((1000, "é" * 62), ValueError)],
)
def test_wrong_arguments_of_close_do_no_harm(ends, arguments, error):
    with ends() as (closer, _):
        with pytest.raises(error, match="code|reason"):
            closer.close(*arguments)
        assert closer.state is State.OPEN


@pytest.mark.feature("closing handshake")
def test_nothing_can_be_sent_or_received_after_the_end(ends):
    with ends() as (closer, _):
        closer.close()
        calls = [
            lambda: closer.send("x"),
            lambda: closer.send(["x"]),
            closer.ping,
            closer.pong,
            closer.recv,
            closer.recv_batch,
            lambda: next(closer.recv_streaming()),
        ]
        for call in calls:
            with pytest.raises(ConnectionClosedOK):
                call()


@pytest.mark.feature("receive a message")
def test_what_arrived_before_the_end_can_still_be_received(ends):
    with ends() as (sender, receiver):
        sender.send("last words")
        sender.close()
        receiver.wait_closed()
        assert receiver.recv() == "last words"
        with pytest.raises(ConnectionClosedOK):
            receiver.recv()


@pytest.mark.feature("tell why a connection ended")
def test_abort_ends_the_connection_at_once(ends):
    with ends() as (end, other):
        end.abort()
        assert end.state is State.CLOSED
        end.wait_closed()
        with pytest.raises(ConnectionClosed) as caught:
            end.recv()
        assert caught.value.cause is Cause.ABORTED
        assert end.close_code == CloseCode.ABNORMAL_CLOSURE
        with pytest.raises(ConnectionClosedError):
            other.recv()
        end.abort()


def test_an_opening_connection_cannot_be_used_but_closed(serving, wire):
    refused = []

    def process_request(connection, request):
        calls = [
            lambda: connection.send("x"),
            connection.ping,
            connection.pong,
            connection.recv,
            lambda: next(connection.recv_streaming()),
        ]
        for call in calls:
            with pytest.raises(InvalidState) as caught:
                call()
            refused.append(str(caught.value))
        connection.close()

    with serving(process_request=process_request) as (_, uri), wire.client(uri) as stream:
        assert stream.read() == b""
    assert len(refused) == 5


def test_facts_about_a_connection(connected):
    options = {"subprotocols": ["chat"]}
    with connected(options, options) as (client, server):
        assert client.local_address == server.remote_address
        assert client.remote_address == server.local_address
        assert client.subprotocol == server.subprotocol == "chat"
        assert client.request.headers == server.request.headers
        assert client.response.status_code == server.response.status_code == 101
        assert isinstance(client.id, uuid.UUID)
        assert client.id == client.id != server.id
        assert client.state is State.OPEN


def test_facts_can_be_asked_for_after_the_end(connected):
    with connected() as (client, server):
        addresses = client.local_address, client.remote_address
        client.close()
        server.wait_closed()
        assert (client.local_address, client.remote_address) == addresses
        assert client.buffered_amount == 0


# Bytes that meet


@pytest.mark.feature("receive a message")
def test_messages_right_behind_the_request_are_received(serving, wire):
    def handler(connection):
        connection.send(connection.recv())

    request = wire.REQUEST + wire.frame(0x81, b"hi", True)
    with serving(handler) as (_, uri), wire.client(uri, request) as stream:
        assert stream.readuntil(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
        assert stream.readexactly(4) == b"\x81\x02hi"


@pytest.mark.feature("tell why a connection ended")
def test_a_reset_right_behind_the_close_frame_is_no_error(serving, wire, spawn):
    codes = []

    def handler(connection):
        connection.close()
        codes.append(connection.close_code)

    with serving(handler) as (server, uri), wire.opened(uri) as stream:
        stream.readexactly(4)
        stream.write(wire.close(masked=True))
        stream.reset()
        server.close()
        server.wait_closed(20)
    assert codes == [1000]
