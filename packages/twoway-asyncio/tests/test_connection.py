"""Sending, receiving, pinging and closing, on both sides of a connection."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from twoway.asyncio import (
    Cause,
    CloseCode,
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidState,
    State,
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
async def test_a_message_arrives_as_it_was_sent(ends, message, text, received):
    async with ends() as (sender, receiver):
        await sender.send(message, text=text)
        assert await receiver.recv() == received


@pytest.mark.feature("force str or bytes on receive")
async def test_decode_forces_the_type(ends):
    async with ends() as (sender, receiver):
        for message in ("é", b"\xc3\xa9", "é", b"\xc3\xa9"):
            await sender.send(message)
        assert [await receiver.recv(decode=True) for _ in range(2)] == ["é", "é"]
        assert [await receiver.recv(decode=False) for _ in range(2)] == [b"\xc3\xa9", b"\xc3\xa9"]


@pytest.mark.feature("force str or bytes on receive")
async def test_binary_that_is_no_text_cannot_be_decoded(ends):
    async with ends() as (sender, receiver):
        await sender.send(b"\xff")
        await sender.send("next")
        with pytest.raises(UnicodeDecodeError):
            await receiver.recv(decode=True)
        assert await receiver.recv() == "next"


@pytest.mark.feature("send a message")
@pytest.mark.parametrize("message", [5, None, object()])
async def test_a_message_of_a_wrong_type_is_refused_by_name(ends, message):
    async with ends() as (sender, _):
        with pytest.raises(TypeError, match="message must be str, bytes-like or an iterable"):
            await sender.send(message)
        assert sender.state is State.OPEN


@pytest.mark.feature("send a message")
async def test_a_mapping_is_no_message(ends):
    async with ends() as (sender, _):
        with pytest.raises(TypeError, match="mapping"):
            await sender.send({"a": 1})


@pytest.mark.feature("force text or binary on send")
async def test_text_must_be_utf8(ends):
    async with ends() as (sender, receiver):
        with pytest.raises(ValueError, match="UTF-8"):
            await sender.send(b"\xff", text=True)
        with pytest.raises(ValueError, match="UTF-8|surrogate"):
            await sender.send("\ud800")
        await sender.send("fine")
        assert await receiver.recv() == "fine"


@pytest.mark.feature("iterate over messages")
async def test_iteration_ends_with_an_orderly_close(ends):
    async with ends() as (sender, receiver):
        for number in range(3):
            await sender.send(str(number))
        await sender.close(1001)
        assert [message async for message in receiver] == ["0", "1", "2"]


@pytest.mark.feature("iterate over messages")
async def test_iteration_raises_after_any_other_end(ends):
    async with ends() as (sender, receiver):
        await sender.send("last")
        await sender.close(1011)
        received = []
        with pytest.raises(ConnectionClosedError):
            async for message in receiver:
                received.append(message)
        assert received == ["last"]


@pytest.mark.feature("receive a message")
async def test_two_calls_cannot_receive_at_once(ends):
    async with ends() as (sender, receiver):
        first = asyncio.create_task(receiver.recv())
        await asyncio.sleep(0)
        with pytest.raises(ConcurrencyError):
            await receiver.recv()
        with pytest.raises(ConcurrencyError):
            await anext(receiver.recv_streaming())
        await sender.send("for the first")
        assert await first == "for the first"


# Pings and pongs


@pytest.mark.feature("send pings")
@pytest.mark.feature("measure latency")
async def test_a_ping_gives_the_latency(ends):
    async with ends() as (sender, _):
        assert sender.latency == 0
        latency = await (await sender.ping())
        assert latency == sender.latency > 0


@pytest.mark.feature("answer pings")
async def test_the_answer_to_a_ping_answers_those_before(ends):
    async with ends() as (sender, _):
        early = await sender.ping("one")
        late = await sender.ping(b"two")
        await late
        assert early.done()


@pytest.mark.feature("answer pings")
async def test_the_answer_to_a_ping_may_come_too_late(ends):
    async with ends() as (sender, _):
        (await sender.ping("nobody waits")).cancel()
        await (await sender.ping("somebody does"))


@pytest.mark.feature("send pings")
@pytest.mark.parametrize(("data", "error"), [(5, TypeError), ("x" * 126, ValueError), ("same", ValueError)])
async def test_pings_with_wrong_data_are_refused_by_name(ends, data, error):
    async with ends() as (sender, _):
        await sender.ping("same")
        with pytest.raises(error, match="data must"):
            await sender.ping(data)


@pytest.mark.feature("send pongs")
@pytest.mark.parametrize(("data", "error"), [(5, TypeError), (b"x" * 126, ValueError)])
async def test_pongs_with_wrong_data_are_refused_by_name(ends, data, error):
    async with ends() as (sender, _):
        with pytest.raises(error, match="data must"):
            await sender.pong(data)


@pytest.mark.feature("send pongs")
async def test_a_pong_that_nobody_asked_for_can_be_sent(serving, wire):
    async def handler(connection):
        await connection.pong(b"alive")

    async with serving(handler) as (_, uri), wire.opened(uri) as (reader, _):
        assert await reader.readexactly(7) == wire.frame(0x8A, b"alive")


@pytest.mark.feature("send pings")
async def test_a_ping_that_nobody_answers_raises_when_the_connection_ends(ends):
    async with ends() as (sender, receiver):
        receiver.transport.pause_reading()
        left_alone = await sender.ping("left alone")
        (await sender.ping("given up")).cancel()
        pong = await sender.ping()
        receiver.abort()
        with pytest.raises(ConnectionClosedError):
            await pong
        assert left_alone.done()


# The end


@pytest.mark.feature("closing handshake")
@pytest.mark.feature("close codes and reasons of both sides, and who was first")
@pytest.mark.feature("tell why a connection ended")
async def test_both_sides_learn_how_the_connection_was_closed(ends):
    async with ends() as (closer, other):
        assert (closer.close_code, closer.close_reason) == (None, None)
        await closer.close(4000, "enough")
        await other.wait_closed()
        for end, first in ((closer, False), (other, True)):
            assert (end.state, end.close_code, end.close_reason) == (State.CLOSED, 4000, "enough")
            with pytest.raises(ConnectionClosedError) as caught:
                await end.recv()
            assert caught.value.rcvd_then_sent is first
        assert closer.protocol.cause is Cause.LOCAL_CLOSE
        assert other.protocol.cause is Cause.REMOTE_CLOSE


@pytest.mark.feature("closing handshake")
async def test_closing_twice_is_harmless(ends):
    async with ends() as (closer, other):
        await asyncio.gather(closer.close(), closer.close(1001), other.close())
        await closer.close(4000)
        assert closer.close_code == other.close_code == 1000


@pytest.mark.feature("close codes and reasons of both sides, and who was first")
@pytest.mark.parametrize(
    ("arguments", "error"),
    [((1006,), ValueError), ((5000,), ValueError), (("x",), TypeError), ((1000, "é" * 62), ValueError)],
)
async def test_wrong_arguments_of_close_do_no_harm(ends, arguments, error):
    async with ends() as (closer, _):
        with pytest.raises(error, match="code|reason"):
            await closer.close(*arguments)
        assert closer.state is State.OPEN


@pytest.mark.feature("closing handshake")
async def test_nothing_can_be_sent_or_received_after_the_end(ends):
    async with ends() as (closer, _):
        await closer.close()
        for call in (closer.send("x"), closer.send(["x"]), closer.ping(), closer.pong(), closer.recv()):
            with pytest.raises(ConnectionClosedOK):
                await call


@pytest.mark.feature("receive a message")
async def test_what_arrived_before_the_end_can_still_be_received(ends):
    async with ends() as (sender, receiver):
        await sender.send("last words")
        await sender.close()
        await receiver.wait_closed()
        assert await receiver.recv() == "last words"
        with pytest.raises(ConnectionClosedOK):
            await receiver.recv()


@pytest.mark.feature("tell why a connection ended")
async def test_abort_ends_the_connection_at_once(ends):
    async with ends() as (end, other):
        end.abort()
        assert end.state is State.CLOSED
        await end.wait_closed()
        with pytest.raises(ConnectionClosed) as caught:
            await end.recv()
        assert caught.value.cause is Cause.ABORTED
        assert end.close_code == CloseCode.ABNORMAL_CLOSURE
        with pytest.raises(ConnectionClosedError):
            await other.recv()
        end.abort()


async def test_an_opening_connection_cannot_be_used_but_closed(serving, wire):
    refused = []

    async def process_request(connection, request):
        parts = connection.recv_streaming()
        for call in (connection.send("x"), connection.ping(), connection.pong(), connection.recv(), anext(parts)):
            with pytest.raises(InvalidState) as caught:
                await call
            refused.append(str(caught.value))
        await connection.close()

    async with serving(process_request=process_request) as (_, uri), wire.client(uri) as (reader, _):
        assert await reader.read() == b""
    assert len(refused) == 5


async def test_facts_about_a_connection(connected):
    options = {"subprotocols": ["chat"]}
    async with connected(options, options) as (client, server):
        assert client.local_address == server.remote_address
        assert client.remote_address == server.local_address
        assert client.subprotocol == server.subprotocol == "chat"
        assert client.request.headers == server.request.headers
        assert client.response.status_code == server.response.status_code == 101
        assert isinstance(client.id, uuid.UUID)
        assert client.id == client.id != server.id
        assert client.state is State.OPEN


# Bytes that meet


@pytest.mark.feature("receive a message")
async def test_messages_right_behind_the_request_are_received(serving, wire):
    async def handler(connection):
        await connection.send(await connection.recv())

    async with (
        serving(handler) as (_, uri),
        wire.client(uri, wire.REQUEST + wire.frame(0x81, b"hi", True)) as (reader, _),
    ):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        assert await reader.readexactly(4) == b"\x81\x02hi"


@pytest.mark.feature("tell why a connection ended")
async def test_a_reset_right_behind_the_close_frame_is_no_error(serving, wire):
    async def handler(connection):
        await connection.close()
        ended.set_result(connection.close_code)

    ended = asyncio.get_running_loop().create_future()
    async with serving(handler) as (_, uri), wire.opened(uri) as (reader, writer):
        await reader.readexactly(4)
        writer.write(wire.close(masked=True))
        wire.reset(writer)
        assert await ended == 1000
