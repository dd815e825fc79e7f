"""What leaves, and in which order: at once while the socket takes it, and by the I/O thread when it does again."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from twoway.threading import ConnectionClosedError, State, connect

PLAIN = {"compression": None}


def read_frames(stream, until):
    """Read unmasked frames up to one that begins with a certain byte; give first bytes and payloads."""
    frames = []
    while not frames or frames[-1][0] != until:
        first, size = stream.readexactly(2)
        if size > 125:
            size = int.from_bytes(stream.readexactly(2 if size == 126 else 8))
        frames.append((first, stream.readexactly(size)))
    return frames


@pytest.fixture
def stuck():
    """Give a raw client, and a connection of a server whose write buffer is full."""

    class Stuck:
        def __init__(self):
            self.go_on = threading.Event()
            self.accepted = []
            self.sent = 0

        def handler(self, connection):
            self.accepted.append(connection)
            with suppress(TimeoutError):
                while True:
                    connection.send(self.sent.to_bytes(65536), timeout=0.1)
                    self.sent += 1
            assert self.go_on.wait(20)

    return Stuck()


def test_messages_keep_their_order_whoever_writes_them(connected, spawn):
    """Small ones and large ones; the large ones are finished by the I/O thread."""
    sizes = [0, 10, 200_000, 1, 500_000, 0, 3] * 5
    with connected(PLAIN, PLAIN) as (client, server):

        def send():
            for number, size in enumerate(sizes):
                client.send(f"{number} " + "x" * size)

        sending = spawn(send)
        received = [server.recv() for _ in sizes]
        sending.result()
    assert [message.split(" ")[0] for message in received] == [str(number) for number in range(len(sizes))]
    assert [len(message.split(" ")[1]) for message in received] == sizes


def test_messages_of_many_threads_are_not_mixed(ends, spawn):
    with ends() as (sender, receiver):

        def send(letter):
            for size in (1, 70_000, 10, 200_000):
                sender.send(letter * size)

        tasks = [spawn(send, letter) for letter in "abcdefgh"]
        received = [receiver.recv() for _ in range(32)]
        for task in tasks:
            task.result()
    assert all(len(set(message)) == 1 for message in received)
    for letter in "abcdefgh":
        assert [len(message) for message in received if message[0] == letter] == [1, 70_000, 10, 200_000]


@pytest.mark.feature("answer pings")
def test_an_answer_to_a_ping_keeps_its_place(serving, wire):
    def handler(connection):
        connection.send("before")
        connection.recv()
        connection.send("after")

    with serving(handler) as (_, uri), wire.opened(uri) as stream:
        assert stream.readexactly(8) == wire.frame(0x81, b"before")
        stream.write(wire.frame(0x89, b"ping", masked=True) + wire.frame(0x81, b"go on", masked=True))
        frames = read_frames(stream, 0x88)
    assert frames[:2] == [(0x8A, b"ping"), (0x81, b"after")]


@pytest.mark.feature("limits against hostile peers")
def test_only_the_newest_ping_is_answered_while_the_buffer_is_full(stuck, serving, wire, until):
    with serving(stuck.handler, ping_interval=None, max_queue=None, **PLAIN) as (_, uri), wire.opened(uri) as stream:
        until(lambda: stuck.accepted and not stuck.accepted[0]._writable)
        for number in range(1000):
            stream.write(wire.frame(0x89, str(number).encode(), masked=True))
        stream.write(wire.frame(0x81, b"that was all", masked=True))
        assert stuck.accepted[0].recv(timeout=20) == "that was all"
        pongs = []
        while not pongs or pongs[-1] != b"999":
            pongs.append(read_frames(stream, 0x8A)[-1][1])
        stuck.go_on.set()
        read_frames(stream, 0x88)
        stream.write(wire.close(masked=True))
    assert len(pongs) < 1000


def test_send_waits_until_there_is_room_and_not_longer(silent, spawn):
    with silent() as uri:
        client = connect(uri, write_limit=(1000, 10), close_timeout=0.1, **PLAIN).connect()
        waiting = spawn(client.send, bytes(10_000_000)).blocked()
        others = [spawn(client.send, "x").blocked(), spawn(client.send, ["y"]).blocked()]
        client.ping()  # these do not wait
        client.pong()
        client.abort()
        errors = [task.error() for task in (waiting, *others)]
    assert [type(error) for error in errors] == [ConnectionClosedError] * 3


def test_a_reset_while_nobody_reads_ends_the_connection(wire, until):
    def behave(stream):
        wire.accept(stream)
        stream.readexactly(1)
        stream.reset()

    with wire.server(behave) as uri:
        client = connect(uri, **PLAIN).connect()
        client.send("x")
        until(lambda: client.state is State.CLOSED)
        with pytest.raises(ConnectionClosedError):
            client.send("y")
        with pytest.raises(ConnectionClosedError):
            client.recv()


def test_a_close_frame_behind_a_full_buffer_leaves_when_there_is_room(stuck, serving, wire, until):
    with serving(stuck.handler, ping_interval=None, **PLAIN) as (server, uri), wire.opened(uri) as stream:
        until(lambda: stuck.accepted and not stuck.accepted[0]._writable)
        server.close(code=4000)
        stuck.go_on.set()
        frames = read_frames(stream, 0x88)
        assert frames[-1] == (0x88, b"\x0f\xa0")
        assert [int.from_bytes(payload) for _, payload in frames[:-1]] == list(range(len(frames) - 1))
        stream.write(wire.close(4000, masked=True))
