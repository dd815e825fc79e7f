"""`serialize_connecting`: one opening handshake at a time for each address and port (RFC 6455 §4.1 item 2)."""

from __future__ import annotations

import asyncio
import socket
import weakref

import pytest

from twoway.asyncio import _turns, connect

ROW = {"serialize_connecting": True}


@pytest.fixture
def crowd(wire):
    """Accept handshakes when told; know how many wait, and how many ever waited at once."""

    class Crowd:
        def __init__(self):
            self.waiting = self.most = self.came = 0
            self.accepting = asyncio.Event()

        async def behave(self, reader, writer):
            request = await reader.readuntil(b"\r\n\r\n")
            self.came += 1
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            try:
                await self.accepting.wait()
                await asyncio.sleep(0.005)  # time for the others to come, if they do
            finally:
                self.waiting -= 1
            writer.write(wire.answer(request) + wire.close())
            await reader.read(100)

        async def arrivals(self, count):
            while self.came < count:
                await asyncio.sleep(0)

    return Crowd


async def use(uri, **options):
    async with connect(uri, **options) as client:
        await client.wait_closed()


@pytest.mark.feature("one handshake at a time with each address")
@pytest.mark.parametrize(("options", "most"), [(ROW, 1), ({}, 4)])
async def test_handshakes_with_one_address_wait_for_each_other(wire, crowd, options, most):
    crowd = crowd()
    async with wire.server(crowd.behave) as uri:
        by_number = uri.replace("localhost", "127.0.0.1")  # another name of the same address
        async with asyncio.TaskGroup() as group:
            for each in [uri, by_number] * 2:
                group.create_task(use(each, **options))
            await crowd.arrivals(most)
            crowd.accepting.set()
    assert (crowd.came, crowd.most) == (4, most)


@pytest.mark.feature("one handshake at a time with each address")
async def test_another_port_need_not_wait(wire, crowd):
    crowd = crowd()
    async with wire.server(crowd.behave) as one, wire.server(crowd.behave) as two, asyncio.TaskGroup() as group:
        for uri in (one, two):
            group.create_task(use(uri, **ROW))
        await crowd.arrivals(2)
        crowd.accepting.set()


async def test_connections_that_are_open_are_not_waited_for(serving):
    async with serving() as (_, uri), connect(uri, **ROW), connect(uri, **ROW) as second:
        await second.send("x")
        assert await second.recv() == "x"


async def test_a_socket_that_is_connected_waits_for_the_same_address(wire, crowd):
    crowd = crowd()
    async with wire.server(crowd.behave) as uri:
        sock = socket.create_connection(("127.0.0.1", int(uri.strip("/").rpartition(":")[2])))
        async with asyncio.TaskGroup() as group:
            group.create_task(use(uri, **ROW))
            await crowd.arrivals(1)
            group.create_task(use(uri, sock=sock, **ROW))
            crowd.accepting.set()
    assert (crowd.came, crowd.most) == (2, 1)


@pytest.mark.feature("one handshake at a time with each address")
async def test_waiting_counts_against_open_timeout(wire, crowd):
    crowd = crowd()
    async with wire.server(crowd.behave) as uri, asyncio.TaskGroup() as group:
        group.create_task(use(uri, **ROW))
        await crowd.arrivals(1)
        with pytest.raises(TimeoutError):
            await connect(uri, open_timeout=0.05, **ROW)
        crowd.accepting.set()
    assert crowd.came == 1


@pytest.mark.parametrize("who", ["the one who connects", "one who waits"])
async def test_whoever_gives_up_makes_way(wire, crowd, who):
    crowd = crowd()
    async with wire.server(crowd.behave) as uri:
        first = asyncio.create_task(use(uri, **ROW))
        await crowd.arrivals(1)
        second = asyncio.create_task(use(uri, **ROW))
        for _ in range(3):
            await asyncio.sleep(0.01)
        given_up, other = (first, second) if who == "the one who connects" else (second, first)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        crowd.accepting.set()
        await other


async def test_the_next_address_is_tried_when_one_cannot_be_connected_to(serving, monkeypatch):
    async def getaddrinfo(host, port, **_):
        assert host == "two.example"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("127.0.0.2", "127.0.0.1")]

    async with serving() as (_, uri):
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        async with connect(uri.replace("localhost", "two.example"), family=socket.AF_INET, **ROW) as client:
            assert client.remote_address[0] == "127.0.0.1"
            await client.send("x")
            assert await client.recv() == "x"


async def test_the_last_failure_is_raised():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="refused|Connect call failed"):
            await connect(f"ws://localhost:{sock.getsockname()[1]}/", **ROW)


def test_link_local_addresses_keep_their_zone():
    assert _turns._read_address(("fe80::1", 80, 0, 2)) == ("fe80::1%2", 80)
    assert _turns._read_address(("fe80::1%eth0", 80, 0, 2)) == ("fe80::1%2", 80)
    assert _turns._read_address(("::1", 80, 0, 0)) == ("::1", 80)
    assert _turns._read_address("/run/socket") == b"/run/socket"


async def test_nothing_is_kept_when_nobody_connects(serving):
    async with serving() as (_, uri):
        async with connect(uri, **ROW):
            pass
        assert len(_turns._locks[asyncio.get_running_loop()]) == 0


def test_nothing_is_kept_of_an_event_loop_that_is_gone():
    async def main():
        async with _turns._lock("address"):
            return weakref.ref(asyncio.get_running_loop())

    before = len(_turns._locks)
    asyncio.run(main())
    assert len(_turns._locks) <= before + 1
