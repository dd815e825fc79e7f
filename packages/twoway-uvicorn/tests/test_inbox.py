"""Messages that wait for the application."""

from __future__ import annotations

import asyncio

import pytest

from twoway.uvicorn._inbox import Inbox


def nothing():
    pass


async def opened(most=4, room=nothing, handled=nothing):
    inbox = Inbox(most, room, handled)
    assert await inbox.get() == {"type": "websocket.connect"}
    return inbox


async def test_the_first_event_comes_first():
    inbox = Inbox(4, nothing, nothing)
    inbox.put("text", "a")
    inbox.end(1000, "")
    assert [(await inbox.get())["type"][10:] for _ in range(4)] == ["connect", "receive", "disconnect", "disconnect"]


async def test_only_the_first_end_counts_and_nothing_comes_behind():
    inbox = await opened()
    inbox.end(1001, "away")
    inbox.end(1006, "")
    inbox.put("text", "late")
    end = await inbox.get()
    assert end == {"type": "websocket.disconnect", "code": 1001, "reason": "away"}
    end.clear()
    assert (await inbox.get())["code"] == 1001


async def test_who_waits_is_woken_and_may_stop_waiting():
    inbox = await opened()
    waiting = [asyncio.create_task(inbox.get()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    inbox.put("text", "a")
    await asyncio.sleep(0)
    inbox.put("bytes", b"b")
    await asyncio.wait(waiting)
    assert [task.result() for task in waiting[1:]] == [
        {"type": "websocket.receive", "text": "a"},
        {"type": "websocket.receive", "bytes": b"b"},
    ]


@pytest.mark.parametrize(("most", "size", "fits"), [(4, 1, 3), (1, 0, 0), (0, 0, 0), (1000, 1 << 19, 1)])
async def test_when_it_is_full(most, size, fits):
    inbox = await opened(most)
    for _ in range(fits):
        inbox.put("bytes", bytes(size))
        assert not inbox.full
    inbox.put("bytes", bytes(size))
    assert inbox.full and len(inbox) == fits + 1


async def test_room_is_told_to_who_waits_for_it():
    told = []
    inbox = await opened(4, lambda: told.append(len(inbox)))
    for _ in range(2):
        for _ in range(5):
            inbox.put("text", "x")
        inbox.pressed = not told
        for _ in range(4):
            await inbox.get()
        inbox.pressed = False
        await inbox.get()
    assert told == [1]


async def test_large_messages_count_by_their_size():
    told = []
    inbox = await opened(1000, lambda: told.append(len(inbox)))
    for _ in range(8):
        inbox.put("bytes", bytes(1 << 17))
    inbox.pressed = True
    for _ in range(6):
        await inbox.get()
    assert told == [2]


async def test_that_everything_is_handled_is_told_once_when_the_application_waits_for_more():
    told = []

    def handled():
        told.append(len(inbox))
        inbox.end(1002, "")

    inbox = await opened(4, nothing, handled)
    inbox.put("text", "a")
    inbox.last = True
    assert (await inbox.get())["text"] == "a" and told == []
    assert (await inbox.get())["code"] == 1002 and told == [0]
    assert (await inbox.get())["code"] == 1002 and told == [0]


async def test_nobody_is_called_any_more():
    called = []
    inbox = await opened(1, lambda: called.append("room"), lambda: called.append("handled"))
    inbox.put("text", "a")
    inbox.end(1006, "")
    inbox.release()
    inbox.pressed = inbox.last = True
    assert [(await inbox.get())["type"][10:] for _ in range(2)] == ["receive", "disconnect"]
    assert called == []
