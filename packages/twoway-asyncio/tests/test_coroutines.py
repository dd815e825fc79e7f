"""What recv(), send() and iteration are for asyncio: coroutines in every respect, compiled or not."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import warnings

import pytest

from twoway.asyncio import ConcurrencyError, ConnectionClosedOK

number = contextvars.ContextVar("number", default=0)


async def test_they_can_become_tasks(connected):
    async with connected() as (client, server):
        receiving = asyncio.create_task(server.recv(), name="the receiver")
        sending = asyncio.create_task(client.send("one"))
        assert await sending is True
        assert await receiving == "one"
        coroutine = server.recv()
        assert asyncio.iscoroutine(coroutine)
        receiving = asyncio.ensure_future(coroutine)
        assert "recv" in repr(receiving)
        await client.send("two")
        assert await receiving == "two"
        assert await asyncio.gather(client.send("three"), server.recv()) == [True, "three"]


async def test_nothing_happens_before_they_are_awaited(connected):
    async with connected() as (client, server):
        sending, receiving = client.send("one"), server.recv()
        await client.send("two")
        assert await server.recv() == "two"
        await sending
        assert await receiving == "one"


async def test_one_that_is_closed_before_it_is_awaited_does_nothing(connected):
    async with connected() as (client, server):
        for coroutine in (client.send("one"), server.recv()):
            coroutine.close()
            with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
                await coroutine
        await client.send("two")
        assert await server.recv() == "two"


async def test_one_is_awaited_once(connected):
    async with connected() as (client, server):
        sending = client.send("one")
        await sending
        receiving = server.recv()
        await receiving
        for coroutine in (sending, receiving):
            with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
                await coroutine


async def test_exceptions_can_be_thrown_into_them(connected):
    async with connected() as (client, server):
        receiving = server.recv()
        receiving.send(None)
        with pytest.raises(KeyError):
            receiving.throw(KeyError("x"))
        await client.send("one")
        assert await server.recv() == "one"


async def test_one_that_is_dropped_while_it_waits_is_in_nobodys_way(connected):
    async with connected() as (client, server):
        receiving = server.recv()
        receiving.send(None)
        with pytest.raises(ConcurrencyError):
            await server.recv()
        del receiving
        gc.collect()
        await client.send("one")
        assert await server.recv() == "one"


async def test_the_task_keeps_its_context(connected):
    async with connected() as (client, server):

        async def receive():
            number.set(1)
            messages = [await server.recv(), number.get()]
            number.set(2)
            return [*messages, await server.recv(), number.get()]

        receiving = asyncio.create_task(receive())
        await asyncio.sleep(0)
        await client.send("one")
        await asyncio.sleep(0)
        await client.send("two")
        assert await receiving == ["one", 1, "two", 2]
        assert number.get() == 0


async def test_an_exception_of_the_application_does_not_harm_who_delivers(connected):
    async with connected() as (client, server):

        async def fail():
            raise KeyError(await server.recv())

        failing = asyncio.create_task(fail())
        await asyncio.sleep(0)
        await client.send("one")
        with pytest.raises(KeyError, match="one"):
            await failing
        await client.send("two")
        assert await server.recv() == "two"


async def test_iteration_ends_with_the_connection(connected):
    async with connected() as (client, server):
        await client.send("one")
        await client.close()
        iterator = server.__aiter__()
        assert iterator is server
        assert await anext(iterator) == "one"
        with pytest.raises(StopAsyncIteration):
            await anext(iterator)
        with pytest.raises(ConnectionClosedOK):
            await server.recv()


async def test_wrong_arguments_are_refused(connected):
    async with connected() as (client, server):
        with pytest.raises(TypeError):
            await client.send()
        with pytest.raises(TypeError):
            await client.send("one", True)
        with pytest.raises(TypeError):
            await server.recv(True, True)
        with pytest.raises(ValueError, match="surrogates"):
            await client.send("\ud800")
        with pytest.raises(TypeError):
            await client.send(1)
        assert await client.send(bytearray(b"two"), text=True) is True
        assert await server.recv(decode=False) == b"two"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
async def test_one_that_is_never_awaited_does_no_harm(connected):
    async with connected() as (client, server):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            client.send("one")
            server.recv()
            gc.collect()
        await client.send("two")
        assert await server.recv() == "two"


async def test_tasks_that_are_not_compiled_can_await_them(connected):
    loop = asyncio.get_running_loop()
    async with connected() as (client, server):

        async def echo():
            async for message in server:
                await server.send(message)

        echoing = asyncio.tasks._PyTask(echo(), loop=loop)
        await asyncio.sleep(0)
        for message in ("one", "two"):
            await client.send(message)
            assert await client.recv() == message
        echoing.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await echoing


async def test_who_else_waits_is_told_what_is_done(connected):
    async with connected() as (client, server):
        receiving, told = server.recv(), []
        future = receiving.send(None)
        future.add_done_callback(told.append)
        await client.send("one")
        async with asyncio.timeout(5):
            while not told:
                await asyncio.sleep(0)
        assert told == [future]
        with pytest.raises(StopIteration) as caught:
            receiving.send(None)
        assert caught.value.value == "one"
