"""What waits for the transport."""

from __future__ import annotations

import asyncio

from twoway.uvicorn._inbox import Inbox
from twoway.uvicorn._output import Output


class Transport:
    def __init__(self):
        self.writes = []
        self.closing = False

    def write(self, data):
        self.writes.append(data)

    def is_closing(self):
        return self.closing


class Connection:
    def __init__(self):
        self.waiting = []

    def data_to_send(self):
        waiting, self.waiting = self.waiting, []
        return waiting


class Rig:
    def __init__(self):
        self.inbox, self.transport, self.connection = Inbox(9, print, print), Transport(), Connection()
        self.output = Output(asyncio.get_running_loop(), self.connection, self.inbox, self.transport)

    def send(self, data):
        self.connection.waiting.append(data)
        self.output.added(len(data))


async def quiet():
    rig = Rig()
    await rig.inbox.get()
    return rig


async def test_a_single_message_leaves_at_once():
    rig = await quiet()
    rig.send(b"a")
    assert rig.transport.writes == [b"a"]


async def test_messages_of_a_burst_leave_together():
    rig = await quiet()
    for data in (b"a", b"b", b"c"):
        rig.send(data)
    assert rig.transport.writes == [b"a"]
    await asyncio.sleep(0)
    assert rig.transport.writes == [b"a", b"bc"]
    rig.send(b"d")
    assert rig.transport.writes[-1] == b"d"


async def test_while_messages_wait_answers_are_joined():
    rig = await quiet()
    rig.inbox.put("text", "next")
    rig.send(b"a")
    await rig.inbox.get()
    rig.send(b"b")
    assert rig.transport.writes == []
    await asyncio.sleep(0)
    assert rig.transport.writes == [b"ab"]


async def test_large_answers_do_not_pile_up():
    rig = await quiet()
    rig.inbox.put("text", "next")
    for _ in range(3):
        rig.send(bytes(40_000))
    assert [len(data) for data in rig.transport.writes] == [80_000]


async def test_nothing_is_written_when_there_is_nothing():
    rig = await quiet()
    rig.output.flush()
    assert rig.transport.writes == []


async def test_who_sends_to_a_transport_that_is_closing_waits_for_its_end():
    rig = await quiet()
    rig.transport.closing = True
    rig.send(b"a")
    assert rig.transport.writes == [] and not rig.output.writable
    waiting = asyncio.create_task(rig.output.drain())
    await asyncio.sleep(0)
    assert not waiting.done()
    rig.output.resume()
    await waiting
    await rig.output.drain()
