"""The transport of plain sockets on asyncio's own loop, with protocols of others, and who gets it."""

from __future__ import annotations

import array
import asyncio
import gc
import socket
import struct
import sys
from contextlib import asynccontextmanager

import pytest

from twoway.asyncio import ClientConnection, connect, serve
from twoway.asyncio._transport import SocketTransport, is_ours

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asyncio's loop does not watch sockets there")


class Recorder(asyncio.BufferedProtocol):
    """Note what the transport says."""

    def __init__(self):
        self.calls = []
        self.received = bytearray()
        self.room = bytearray(1000)
        self.half_open = False
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.calls.append("made")

    def get_buffer(self, sizehint):
        return self.room

    def buffer_updated(self, nbytes):
        self.received += self.room[:nbytes]

    def eof_received(self):
        self.calls.append("eof")
        return self.half_open

    def pause_writing(self):
        self.calls.append("pause")

    def resume_writing(self):
        self.calls.append("resume")

    def connection_lost(self, exc):
        self.calls.append("lost")
        self.ended.set_result(exc)


def is_of_asyncio_alone():
    return type(asyncio.get_running_loop()) is asyncio.SelectorEventLoop


def make(sock, peername):
    """Make a transport and its protocol; other loops have their own."""
    if not is_of_asyncio_alone():
        sock.close()
        pytest.skip("this loop has transports of its own")
    sock.setblocking(False)
    recorder = Recorder()
    return SocketTransport(asyncio.get_running_loop(), sock, recorder, peername), recorder


@asynccontextmanager
async def pair():
    """Give a transport with its protocol, and the socket of the peer."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    try:
        transport, recorder = make(ours, "somebody")
    except BaseException:
        theirs.close()
        raise
    transport.start()
    yield transport, recorder, theirs
    transport.abort()
    await asyncio.wait_for(recorder.ended, 5)
    theirs.close()


def collect_reports():
    """Collect what is reported to the loop from now on."""
    contexts = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: contexts.append(context))
    return contexts


async def read(sock, size):
    data = bytearray()
    while len(data) < size:
        piece = await asyncio.get_running_loop().sock_recv(sock, size - len(data))
        if not piece:
            break
        data += piece
    return bytes(data)


async def fill(transport, sock):
    """Write until something has to wait; gives what was written."""
    written = b""
    while not transport.get_write_buffer_size():
        piece = bytes([len(written) % 251]) * 10_000
        transport.write(piece)
        written += piece
    return written


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_it_tells_about_the_socket():
    async with pair() as (transport, recorder, _):
        assert recorder.calls == ["made"]
        assert transport.get_extra_info("peername") == "somebody"
        assert transport.get_extra_info("sockname") == transport.get_extra_info("socket").getsockname()
        assert transport.get_extra_info("cipher", "none") == "none"
        assert transport.get_protocol() is recorder
        assert repr(transport).startswith("<SocketTransport open fd=")
        transport.close()
        assert "closing" in repr(transport)
        await recorder.ended
        assert "closed" in repr(transport)
        assert transport.get_extra_info("sockname") == ""
        assert transport.get_protocol() is None


async def test_what_arrives_is_handed_over():
    async with pair() as (_, recorder, peer):
        peer.send(b"x" * 2500)  # more than there is room for at once
        await until(lambda: len(recorder.received) == 2500)


async def test_the_end_of_the_stream_closes_it():
    async with pair() as (_, recorder, peer):
        peer.shutdown(socket.SHUT_WR)
        assert await recorder.ended is None
        assert recorder.calls == ["made", "eof", "lost"]


async def test_a_protocol_may_write_on_behind_the_end_of_the_stream():
    async with pair() as (transport, recorder, peer):
        recorder.half_open = True
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: "eof" in recorder.calls)
        transport.write(b"still here")
        assert await read(peer, 10) == b"still here"
        assert not transport.is_closing()


async def test_reading_can_be_paused():
    async with pair() as (transport, recorder, peer):
        transport.pause_reading()
        transport.pause_reading()
        assert not transport.is_reading()
        peer.send(b"later")
        await asyncio.sleep(0.01)
        assert not recorder.received
        transport.resume_reading()
        transport.resume_reading()
        assert transport.is_reading()
        await until(lambda: recorder.received == b"later")


async def test_what_does_not_fit_is_written_later_and_in_order():
    async with pair() as (transport, recorder, peer):
        written = await fill(transport, peer)
        transport.write(b"and")
        transport.writelines([b" so", bytearray(b" on"), memoryview(array.array("H", [1, 2, 3]))])
        written += b"and so on" + struct.pack("=3H", 1, 2, 3)
        assert await read(peer, len(written)) == written
        assert transport.get_write_buffer_size() == 0
        assert recorder.calls == ["made"]


async def test_the_protocol_is_told_when_too_much_waits():
    async with pair() as (transport, recorder, peer):
        transport.set_write_buffer_limits(high=50_000)
        assert transport.get_write_buffer_limits() == (12_500, 50_000)
        size = len(await fill(transport, peer))
        assert recorder.calls == ["made"]
        transport.write(bytes(50_000))
        transport.write(bytes(1000))
        assert recorder.calls == ["made", "pause"]
        await read(peer, size + 51_000)
        await until(lambda: recorder.calls == ["made", "pause", "resume"])


async def test_marks():
    async with pair() as (transport, recorder, peer):
        transport.set_write_buffer_limits(low=10)
        assert transport.get_write_buffer_limits() == (10, 40)
        transport.set_write_buffer_limits()
        assert transport.get_write_buffer_limits() == (16384, 65536)
        with pytest.raises(ValueError, match="high must be >= low"):
            transport.set_write_buffer_limits(high=1, low=2)
        await fill(transport, peer)
        transport.set_write_buffer_limits(high=0)
        assert recorder.calls == ["made", "pause"]


async def test_closing_writes_what_waits_first():
    async with pair() as (transport, recorder, peer):
        written = await fill(transport, peer)
        transport.close()
        transport.close()
        assert transport.is_closing() and not transport.is_reading()
        transport.resume_reading()
        assert await read(peer, len(written) + 1) == written  # and then the end
        assert await recorder.ended is None


async def test_the_sending_side_is_closed_behind_what_waits():
    async with pair() as (transport, recorder, peer):
        assert transport.can_write_eof()
        written = await fill(transport, peer)
        transport.write_eof()
        transport.write_eof()
        assert await read(peer, len(written) + 1) == written
        peer.send(b"answer")
        await until(lambda: recorder.received == b"answer")


async def test_aborting_drops_what_waits():
    async with pair() as (transport, recorder, peer):
        await fill(transport, peer)
        transport.abort()
        transport.abort()
        assert transport.get_write_buffer_size() == 0
        assert await recorder.ended is None
        assert transport.get_extra_info("socket").fileno() == -1
        transport.write(b"nobody gets this")
        transport.close()
        transport.abort()
        transport.pause_reading()
        transport.write_eof()
        await asyncio.sleep(0)
        assert recorder.calls == ["made", "lost"]


@pytest.mark.parametrize("filled", [False, True])
async def test_a_peer_that_is_gone_is_noticed_when_writing(filled):
    async with pair() as (transport, recorder, peer):
        transport.pause_reading()
        if filled:
            await fill(transport, peer)
        peer.close()
        transport.write(b"hello?")
        assert isinstance(await recorder.ended, OSError)
        assert recorder.calls == ["made", "lost"]


async def test_a_peer_that_is_gone_is_noticed_when_reading():
    reports = collect_reports()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as peer:
        ours, name = listener.accept()
        transport, recorder = make(ours, name)
        transport.start()
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        assert isinstance(await recorder.ended, ConnectionResetError)
    assert not reports


@pytest.mark.parametrize("method", ["buffer_updated", "eof_received", "pause_writing", "resume_writing"])
async def test_a_protocol_that_fails_is_reported(method, monkeypatch):
    def fail(*args):
        raise ArithmeticError("a bug")

    reports = collect_reports()
    async with pair() as (transport, recorder, peer):
        monkeypatch.setattr(recorder, method, fail)
        peer.send(b"x")
        if method == "eof_received":
            peer.shutdown(socket.SHUT_WR)
        transport.set_write_buffer_limits(high=0)
        if method == "pause_writing":
            while not reports:
                transport.write(bytes(10_000))
        elif method == "resume_writing":
            await read(peer, len(await fill(transport, peer)))
        exc = await recorder.ended
        assert [context["exception"] for context in reports] == [exc]
        assert isinstance(exc, ArithmeticError)
        assert exc.__traceback__ is not None
        reports.clear()
        exc.__traceback__ = None


async def test_one_that_is_forgotten_says_so_and_is_closed():
    ours, theirs = socket.socketpair()
    with theirs:
        transport, _ = make(ours, None)
    with pytest.warns(ResourceWarning, match="unclosed transport <SocketTransport open"):
        del transport
        gc.collect()
    assert ours.fileno() == -1


async def test_another_protocol():
    async with pair() as (transport, recorder, peer):
        other = Recorder()
        transport.set_protocol(other)
        peer.send(b"for the other one")
        await until(lambda: other.received == b"for the other one")
        transport.abort()
        assert await other.ended is None
        recorder.ended.set_result(None)


class Careful(ClientConnection):
    """Look at what arrives before it is taken."""

    seen = 0

    def buffer_updated(self, nbytes):
        type(self).seen += nbytes
        super().buffer_updated(nbytes)


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def test_both_sides_have_it_on_the_loop_of_asyncio():
    async with serve(echo, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with connect(f"ws://{host}:{port}") as client:
            (accepted,) = server.connections
            kinds = {isinstance(end.transport, SocketTransport) for end in (client, accepted)}
            assert kinds == {is_of_asyncio_alone()}
            assert client.local_address == accepted.remote_address
            assert client.remote_address == accepted.local_address == (host, port)
        assert client.local_address[0] == host


async def test_a_method_of_a_subclass_is_called():
    async with serve(echo, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with connect(f"ws://{host}:{port}", create_connection=Careful) as client:
            before = Careful.seen
            await client.send("hello")
            assert await client.recv() == "hello"
            assert Careful.seen == before + 2 + 5


async def test_not_where_somebody_has_replaced_how_transports_are_made(monkeypatch):
    loop, calls = asyncio.get_running_loop(), []
    if not is_of_asyncio_alone():
        pytest.skip("its methods cannot be replaced")
    for name in ("create_server", "create_connection"):
        original = getattr(loop, name)

        async def create(*args, original=original, **kwargs):
            calls.append(kwargs)
            return await original(*args, **kwargs)

        monkeypatch.setattr(loop, name, create)
        assert not is_ours(getattr(loop, name))
    async with serve(echo, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with connect(f"ws://{host}:{port}") as client:
            assert not isinstance(client.transport, SocketTransport)
    assert len(calls) == 2


async def test_a_socket_of_the_caller_stays_the_one_of_the_connection():
    async with serve(echo, "127.0.0.1", 0) as server:
        sock = socket.create_connection(server.sockets[0].getsockname())
        async with connect("ws://localhost/", sock=sock):
            assert sock.fileno() >= 0
        assert sock.fileno() == -1


class Broken(ClientConnection):
    """Fail before there is a connection."""

    def __init__(self, *args, **kwargs):
        raise ArithmeticError("a bug")


async def test_a_connection_that_cannot_be_made_is_closed():
    gone = asyncio.Event()

    async def process_request(connection, request):
        raise AssertionError("there was no request")

    async with serve(echo, "127.0.0.1", 0, process_request=process_request) as server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(ArithmeticError):
            await connect(f"ws://{host}:{port}", create_connection=Broken)
        gone.set()
        await until(lambda: not server._connections)
