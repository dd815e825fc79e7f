"""What a connection offers beyond one message at a time: batches, amounts, both sides' closings, names in errors."""

from __future__ import annotations

import asyncio
import math

import pytest

from twoway.asyncio import Cause, ConcurrencyError, ConnectionClosedOK, State


@pytest.mark.feature("receive all messages that wait")
async def test_a_batch_is_what_waits(connected):
    async with connected() as (client, server):
        for message in ("a", b"b", ["c", "d"]):
            await server.send(message)
        assert await client.recv() == "a"
        while len(client._inbox) < 2:
            await asyncio.sleep(0)
        assert await client.recv_batch() == [b"b", "cd"]


@pytest.mark.feature("receive all messages that wait")
async def test_a_batch_waits_for_the_first_message(connected):
    async with connected() as (client, server):
        receiving = asyncio.create_task(client.recv_batch(decode=False))
        await asyncio.sleep(0)
        await server.send("text")
        assert await receiving == [b"text"]
        await server.close()
        with pytest.raises(ConnectionClosedOK):
            await client.recv_batch()


@pytest.mark.feature("receive all messages that wait")
async def test_a_batch_makes_room_for_more(connected):
    async with connected(client={"max_queue": 2}) as (client, server):
        sent = [f"message {number}" for number in range(100)]

        async def send() -> None:
            for message in sent:
                await server.send(message)

        sending = asyncio.create_task(send())
        received: list[str] = []
        while len(received) < len(sent):
            received += await client.recv_batch(decode=True)
        await sending
        assert received == sent


@pytest.mark.feature("close codes and reasons of both sides, and who was first")
async def test_both_sides_know_both_close_frames_and_which_was_first(connected):
    async with connected() as (client, server):
        assert (client.close_sent, client.close_rcvd, client.close_rcvd_then_sent, client.cause) == (None,) * 4
        await client.close(4000, "over")
        await server.wait_closed()
        for side in (client, server):
            assert (side.close_sent.code, side.close_rcvd.reason) == (4000, "over")
        assert (client.close_rcvd_then_sent, server.close_rcvd_then_sent) == (False, True)
        assert (client.cause, server.cause) == (Cause.LOCAL_CLOSE, Cause.REMOTE_CLOSE)


async def test_buffered_amount_counts_what_is_not_written(connected):
    async with connected(client={"max_queue": 1, "compression": None}) as (client, server):
        assert server.buffered_amount == 0
        sending = asyncio.create_task(server.send(b"x" * 20_000_000))
        while not server.buffered_amount:
            await asyncio.sleep(0)
        sending.cancel()
        server.abort()
        await client.wait_closed()


async def test_the_error_names_the_task_that_receives(connected):
    async with connected() as (client, server):
        receiving = asyncio.create_task(client.recv(), name="the reader")
        await asyncio.sleep(0)
        with pytest.raises(ConcurrencyError, match="the reader does"):
            await client.recv()
        await server.send("a")
        assert await receiving == "a"


async def test_a_ping_may_end_well_without_a_pong(connected):
    async with connected() as (client, server):
        server.transport.pause_reading()
        hopeful, plain = await client.ping(ack_on_close=True), await client.ping()
        client.abort()
        assert math.isnan(await hopeful)
        with pytest.raises(Exception, match="aborted by us"):
            await plain
        server.transport.resume_reading()
        await server.wait_closed()


@pytest.mark.feature("time limit for the closing handshake")
async def test_closing_may_take_less_than_the_close_timeout(connected):
    async with connected(server={"close_timeout": None}, client={"close_timeout": None}) as (client, server):
        server.transport.pause_reading()
        await client.close(timeout=0.05)
        assert client.state is State.CLOSED
        assert client.cause is Cause.ABORTED
        server.transport.resume_reading()
        await server.wait_closed()


async def test_a_timeout_that_is_long_enough_changes_nothing(connected):
    async with connected() as (client, _):
        await client.close(4001, timeout=5)
        assert client.close_code == 4001


@pytest.mark.parametrize(("timeout", "error"), [(-1, ValueError), ("1", TypeError)])
async def test_timeout_of_close_is_checked(connected, timeout, error):
    async with connected() as (client, _):
        with pytest.raises(error, match="timeout"):
            await client.close(timeout=timeout)


@pytest.mark.feature("limits against hostile peers")
@pytest.mark.parametrize("role", ["client", "server"])
async def test_a_message_in_too_many_fragments_ends_the_connection(connected, role):
    async with connected(**{role: {"max_fragments": 3}}) as (client, server):
        limited, other = (client, server) if role == "client" else (server, client)
        await other.send(["a", "b"])  # and an empty frame that ends the message
        assert await limited.recv() == "ab"
        await other.send(["a", "b", "c"])
        await limited.wait_closed()
        assert limited.close_sent.code == 1009
