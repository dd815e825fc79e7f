"""A peer that does not read makes sends be given up; what was sent until then is whole."""

from __future__ import annotations

import asyncio
import threading
import zlib

import pytest
from adversary_rig.attack import COMPRESSION, has_closed
from adversary_rig.peer import DEADLINE, Trap
from adversary_rig.wire import RSV1, closing, read_frames


async def send_until_stuck(module, uri, message, go_on):
    count = 0
    async with module.connect(uri) as connection:
        stuck = 0
        while stuck < 3:
            try:
                await asyncio.wait_for(connection.send(message(count)), 0.1)
            except TimeoutError:
                stuck += 1
            count += 1
        go_on.set()
        await connection.send("last")
    return count


def send_until_stuck_in_a_thread(module, uri, message, go_on):
    count = 0
    with module.connect(uri) as connection:
        stuck = 0
        while stuck < 3:
            try:
                connection.send(message(count), timeout=0.1)
            except TimeoutError:
                stuck += 1
            count += 1
        go_on.set()
        connection.send("last")
    return count


@pytest.mark.threat("cancelled sends")
def test_cancelled_sends_leave_a_compressed_stream_whole(driver, servers):
    noise = b"".join(number.to_bytes(4, "big") for number in range(0, 2**32, 2**32 // 20_011))

    def message(count):
        return count.to_bytes(8, "big") + noise[count % 97 :]

    go_on = threading.Event()

    def behave(peer):
        peer.open(COMPRESSION[False])
        go_on.wait(DEADLINE)
        peer.wait(done=lambda: has_closed(peer))
        peer.send_frames([closing(1000)])

    with Trap(behave) as trap:
        uri = f"ws://127.0.0.1:{trap.port}/"
        count = driver.run(send_until_stuck, send_until_stuck_in_a_thread, uri, message, go_on)
    frames = read_frames(bytes(trap.peers[0].received))
    stream = zlib.decompressobj(-12)
    texts = []
    for first, payload, _ in frames[:-1]:
        assert first & 0x80
        texts.append(stream.decompress(payload + b"\0\0\xff\xff") if first & RSV1 else payload)
    assert texts == [*map(message, range(count)), b"last"]
