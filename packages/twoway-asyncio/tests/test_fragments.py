"""Messages that are sent or received in parts."""

from __future__ import annotations

import asyncio

import pytest

from twoway.asyncio import CloseCode, ConcurrencyError, ConnectionClosedError


async def asynchronous(items):
    for item in items:
        yield item


@pytest.mark.feature("send a message in fragments")
@pytest.mark.feature("receive a fragmented message as one")
@pytest.mark.parametrize("wrap", [list, iter, asynchronous])
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
async def test_an_iterable_is_one_message(ends, wrap, parts, text, received):
    async with ends() as (sender, receiver):
        await sender.send(wrap(parts), text=text)
        assert await receiver.recv() == received


@pytest.mark.feature("send a message in fragments")
async def test_an_empty_iterable_sends_nothing(ends):
    async with ends() as (sender, receiver):
        await sender.send([])
        await sender.send(asynchronous([]))
        await sender.send("something")
        assert await receiver.recv() == "something"


@pytest.mark.feature("send a message in fragments")
@pytest.mark.parametrize(
    ("parts", "error"),
    [(["a", b"b"], TypeError), ([b"a", "b"], TypeError), (["a", 5], TypeError), (["a", "\ud800"], ValueError)],
)
async def test_a_message_that_cannot_go_on_fails_the_connection(ends, parts, error):
    async with ends() as (sender, receiver):
        with pytest.raises(error):
            await sender.send(parts)
        with pytest.raises(ConnectionClosedError) as caught:
            await receiver.recv()
        assert caught.value.rcvd.code == CloseCode.INTERNAL_ERROR


async def test_a_first_part_of_a_wrong_type_does_no_harm(ends):
    async with ends() as (sender, receiver):
        with pytest.raises(TypeError):
            await sender.send([5])
        await sender.send("fine")
        assert await receiver.recv() == "fine"


async def test_half_a_character_at_the_end_of_a_text_fails_the_connection(ends):
    async with ends() as (sender, _):
        with pytest.raises(ValueError, match="UTF-8"):
            await sender.send([b"a", b"\xc3"], text=True)
        await sender.wait_closed()


@pytest.mark.feature("send a message in fragments")
async def test_other_messages_wait_for_the_end_of_a_fragmented_one(ends):
    async with ends() as (sender, receiver):
        go_on = asyncio.Event()

        async def slow():
            yield "a"
            await go_on.wait()
            yield "b"

        fragmented = asyncio.create_task(sender.send(slow()))
        await asyncio.sleep(0)
        whole = asyncio.create_task(sender.send("whole"))
        await sender.pong()  # control frames may come between
        go_on.set()
        await asyncio.gather(fragmented, whole)
        assert [await receiver.recv(), await receiver.recv()] == ["ab", "whole"]


async def test_who_waits_behind_an_unfinished_message_learns_of_the_end(ends):
    async with ends() as (sender, receiver):
        go_on = asyncio.Event()

        async def stuck():
            yield "a"
            await go_on.wait()
            yield "b"

        fragmented = asyncio.create_task(sender.send(stuck()))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(sender.send("whole"))
        await asyncio.sleep(0)
        receiver.abort()
        with pytest.raises(ConnectionClosedError):
            await waiting
        go_on.set()
        with pytest.raises(ConnectionClosedError):
            await fragmented


@pytest.mark.feature("receive a message frame by frame")
async def test_a_message_can_be_received_in_its_parts(ends):
    async with ends() as (sender, receiver):
        await sender.send([b"a\xc3", b"\xa9", b"b"], text=True)
        await sender.send(b"whole")
        parts = [part async for part in receiver.recv_streaming()]
        assert "".join(parts) == "aéb"
        assert len(parts) > 1
        assert [part async for part in receiver.recv_streaming()] == [b"whole"]


@pytest.mark.feature("receive a message frame by frame")
async def test_parts_are_given_before_the_message_is_complete(ends):
    async with ends() as (sender, receiver):
        go_on = asyncio.Event()

        async def slow():
            yield b"a"
            await go_on.wait()
            yield b"b"

        sending = asyncio.create_task(sender.send(slow()))
        parts = receiver.recv_streaming(decode=True)
        assert await anext(parts) == "a"
        go_on.set()
        await sending
        assert "".join([part async for part in parts]) == "b"
        assert [part async for part in parts] == []


@pytest.mark.feature("receive a message frame by frame")
async def test_leaving_the_parts_early_skips_the_rest(ends):
    async with ends() as (sender, receiver):
        await sender.send(["a", "b", "c"])
        await sender.send("next")
        async for part in receiver.recv_streaming():
            assert part == "a"
            break
        assert await receiver.recv() == "next"


@pytest.mark.feature("receive a message frame by frame")
async def test_parts_can_be_closed(ends):
    async with ends() as (sender, receiver):
        await sender.send(["a", "b"])
        await sender.send("next")
        parts = receiver.recv_streaming()
        assert await anext(parts) == "a"
        with pytest.raises(ConcurrencyError):
            await receiver.recv()
        with pytest.raises(ConcurrencyError):
            await anext(receiver.recv_streaming())
        await parts.aclose()
        assert [part async for part in receiver.recv_streaming()] == ["next"]


@pytest.mark.feature("receive a message frame by frame")
async def test_a_message_that_ends_early_gives_its_parts_then_raises(connected):
    async with connected() as (client, server):
        stuck = asyncio.Event()

        async def endless():
            yield "a"
            await stuck.wait()

        sending = asyncio.create_task(client.send(endless()))
        parts = server.recv_streaming()
        assert await anext(parts) == "a"
        sending.cancel()
        with pytest.raises(ConnectionClosedError):
            await anext(parts)
        with pytest.raises(ConnectionClosedError):  # the iteration is over: nothing is in the way
            await server.recv()
