"""Each project does what it is for, with what its own pyproject.toml brings and nothing else."""

from __future__ import annotations

import asyncio
import json
import struct
import time
import urllib.request

import httpx
import httpx_ws
import pytest
import websockets
from interop_peers.devtools import Browser

from twoway.deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from twoway.http import Request
from twoway.protocol import ClientOptions, ClientProtocol, ServerOptions, ServerProtocol

# Building comes first, with the first test.
pytestmark = pytest.mark.timeout(180)


PIECES = ["asyncio", "auth", "deflate", "frames", "http", "protocol", "speedups", "threading"]


# Only the needed pieces, and the whole


def test_only_the_needed_pieces(program):
    assert program("needed-pieces", stdin="1 2 3\n40 2\n") == "6\n42\n"


def test_the_whole(program):
    assert json.loads(program("the-whole")) == {
        "length": 70_000,
        "name": "ada",
        "extensions": ["permessage-deflate"],
        "scheme": "Digest",
        "refused": 401,
        "close_code": 1000,
        "implementation": "compiled",
        "pieces": [f"twoway.{name}" for name in PIECES],
    }


# The codec elsewhere: a server of others


@pytest.fixture
def uri(served):
    return f"ws://{served.address}"


def ends(served):
    with urllib.request.urlopen(f"http://{served.address}/ends") as response:
        return json.load(response)


def wait_for_end(served, end):
    deadline = time.monotonic() + 10
    while end not in ends(served):
        assert time.monotonic() < deadline, ends(served)
        time.sleep(0.01)


async def test_websockets_as_a_client(served, uri):
    async with websockets.connect(f"{uri}/echo") as client:
        assert [type(each).__name__ for each in client.protocol.extensions] == ["PerMessageDeflate"]
        for message in ("żółć" * 1000, b"\x00\xff" * 1000, ""):
            await client.send(message)
            assert await client.recv() == message
        await client.send(["in ", "pieces"])
        assert await client.recv() == "in pieces"
        await (await client.ping())
        await client.close(4321, "done")
    wait_for_end(served, [4321, "done"])


async def test_many_messages_under_way(uri):
    async with websockets.connect(f"{uri}/echo") as client:
        messages = [f"message {number}" for number in range(2000)]
        async with asyncio.TaskGroup() as tasks:
            received = tasks.create_task(receive(client, len(messages)))
            for message in messages:
                await client.send(message)
        assert received.result() == messages


async def receive(client, count):
    return [await client.recv() for _ in range(count)]


async def test_subprotocol_headers_and_close(uri):
    async with websockets.connect(f"{uri}/rooms/a%20b?x=1", subprotocols=["v1", "v2"], origin="http://o") as client:
        assert client.subprotocol == "v2"
        assert client.response.headers["Set-Cookie"] == "seen=1; Path=/"
        facts = json.loads(await client.recv())
        assert facts == {"room": "a b", "query": {"x": "1"}, "origin": "http://o"}
        await client.wait_closed()
    assert (client.close_code, client.close_reason) == (4001, "żegnaj")


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("denied", 401, b'{"detail":"Who are you?"}'),
        ("closed", 403, b""),
        ("failing", 500, b"Internal Server Error"),
        ("nowhere", 403, b""),
    ],
)
async def test_refusals(uri, path, status, body):
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(f"{uri}/{path}")
    response = refused.value.response
    assert (response.status_code, response.body) == (status, body)
    assert status != 401 or response.headers["WWW-Authenticate"] == "Basic"


async def test_an_application_that_fails_late(uri):
    async with websockets.connect(f"{uri}/failing?late=1") as client:
        await client.wait_closed()
        assert client.close_code == 1011


async def test_more_than_fits_into_buffers(uri):
    async with websockets.connect(f"{uri}/flood", max_queue=1) as client:
        await asyncio.sleep(0.3)
        received = [message[:2] async for message in client]
    assert received == [number.to_bytes(2) for number in range(200)]


async def test_httpx_ws_as_a_client(served, uri):
    async with httpx.AsyncClient() as http, httpx_ws.aconnect_ws(f"{uri}/echo", http) as client:
        await client.send_text("żółć")
        assert await client.receive_text() == "żółć"
        await client.send_bytes(b"\x00")
        assert await client.receive_bytes() == b"\x00"
        await client.close(4322)
    wait_for_end(served, [4322, ""])


async def test_a_client_that_is_lost(served, uri):
    client = await websockets.connect(f"{uri}/echo", compression=None)
    client.transport.abort()
    await client.wait_closed()
    wait_for_end(served, [1006, ""])


IN_THE_PAGE = """
(path, protocols, words) => new Promise((resolve) => {
  const heard = [], socket = new WebSocket(`ws://${location.host}${path}`, protocols);
  socket.onopen = () => words.forEach((word) => socket.send(word));
  socket.onmessage = ({ data }) => { if (heard.push(data) === words.length) socket.close(4002, "żegnaj"); };
  socket.onclose = ({ code, reason, wasClean }) =>
    resolve({ heard, code, reason, wasClean, protocol: socket.protocol, extensions: socket.extensions });
})
"""


async def test_a_browser_as_a_client(served, browser_program):
    browser = await Browser.start(browser_program, [])
    try:
        page = await browser.open(f"http://{served.address}/")
        echoed = await page.run(IN_THE_PAGE, "/echo", [], ["one", "żółć" * 1000])
        assert echoed["heard"] == ["one", "żółć" * 1000]
        assert (echoed["code"], echoed["reason"], echoed["wasClean"]) == (4002, "żegnaj", True)
        assert "permessage-deflate" in echoed["extensions"]
        closed = await page.run(IN_THE_PAGE, "/rooms/x", ["v2"], [])
        assert (closed["code"], closed["reason"], closed["protocol"]) == (4001, "żegnaj", "v2")
        refused = await page.run(IN_THE_PAGE, "/denied", [], [])
        assert (refused["code"], refused["wasClean"]) == (1006, False)
        await page.run("(path) => { window.left = new WebSocket(`ws://${location.host}${path}`); }", "/echo")
        await page.until("left.readyState === 1")
        await page.close()
    finally:
        await browser.stop()
    wait_for_end(served, [1001, ""])


async def test_a_shutdown_closes_with_1012(served, uri):
    async with websockets.connect(f"{uri}/echo") as client:
        log = asyncio.create_task(asyncio.to_thread(served.stop))
        await client.wait_closed()
        assert client.close_code == 1012
        assert "Application shutdown complete" in await log


# The codec elsewhere: a packet decoder


class Link:
    """Both sides of a connection without a network; keeps what went over the wire."""

    def __init__(self, number, wire, client_options=None, server_options=None):
        self.number, self.wire = number, wire
        self.client = ClientProtocol(f"ws://example.com/{number}", client_options)
        self.server = ServerProtocol(server_options)
        self.client.send_request(self.client.connect())
        self.carry()

    def carry(self):
        moved = True
        while moved:
            moved = False
            for source, target in ((self.client, self.server), (self.server, self.client)):
                for data in source.data_to_send():
                    self.wire.append((self.number, source is self.client, data))
                    target.receive_data(data, 0)
                    moved = True
                for event in target.events():
                    if isinstance(event, Request):
                        target.send_response(target.accept(event), 0)
                        moved = True


def talk():
    """Let two connections talk at the same time, the second one with compression; give what went over the wire."""
    wire = []
    plain = Link(0, wire)
    options = [make(threshold=0) for make in (ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory)]
    packed = Link(1, wire, ClientOptions(extensions=options[:1]), ServerOptions(extensions=options[1:]))
    for link in (plain, packed):
        link.client.send_text("żółć")
        link.client.ping(b"?", now=0)
        link.carry()
    for link in (plain, packed):
        link.server.send_binary(b"\x00\xff" * 50)
        link.server.send_binary(b"\x00\xff" * 50)
        link.client.send_text("in ", fin=False)
        link.carry()
        link.client.send_continuation("pieces")
        link.carry()
    for link in (plain, packed):
        link.client.close(1000, "bye", now=0)
        link.carry()
    return wire


def write_json_lines(file, wire):
    lines = [
        json.dumps({"connection": number, "from": "client" if client else "server", "data": data.hex()})
        for number, client, data in wire
    ]
    file.write_text("\n".join(lines), encoding="utf-8")


def write_pcap(file, wire):
    """Write segments as they may come: cut in two, the second half first, and that twice; numbers begin again at 0."""
    packets, sequences = [], {}
    for number, client, data in wire:
        for side in (True, False):
            if (number, side) not in sequences:
                sequences[number, side] = 2**32 - 20
                packets.append(packet(number, side, sequences[number, side] - 1, b"", 2))
        at, half = sequences[number, client], len(data) // 2
        for start, piece in ((half, data[half:]), (0, data[:half]), (half, data[half:])):
            packets.append(packet(number, client, (at + start) % 2**32, piece, 16))
        packets.append(packet(number, not client, sequences[number, not client], b"", 16))
        sequences[number, client] = (at + len(data)) % 2**32
    records = [struct.pack("<IIII", 0, 0, len(each), len(each)) + each for each in packets]
    file.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1) + b"".join(records))


def packet(number, client, sequence, payload, flags):
    ports = [50_000 + number, 80] if client else [80, 50_000 + number]
    addresses = [b"\x0a\0\0\x01", b"\x0a\0\0\x02"][:: 1 if client else -1]
    tcp = struct.pack("!HHIIBBHHH", *ports, sequence, 0, 5 << 4, flags, 65535, 0, 0) + payload
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + b"".join(addresses)
    ethernet = bytes(12) + b"\x08\x00" + ip + tcp
    return ethernet + bytes(max(0, 60 - len(ethernet)))  # short frames are padded


SAID = [
    ("client", {"text": "żółć"}),
    ("client", {"ping": "3f"}),
    ("server", {"pong": "3f"}),
    ("server", {"bytes": "00ff" * 50}),
    ("server", {"bytes": "00ff" * 50}),
    ("client", {"text": "in pieces"}),
    ("client", {"close": 1000, "reason": "bye"}),
    ("server", {"close": 1000, "reason": "bye"}),
]


def said(lines, number):
    return [
        (line["from"], {k: v for k, v in line.items() if k not in ("connection", "from")})
        for line in lines
        if line["connection"] == number
    ]


@pytest.mark.parametrize("write", [write_json_lines, write_pcap])
@pytest.mark.parametrize("extra", ["", "[deflate]"])
def test_packet_decoder(program, tmp_path, write, extra):
    file = tmp_path / ("capture.pcap" if write is write_pcap else "capture.jsonl")
    write(file, talk())
    lines = [json.loads(line) for line in program(f"packet-decoder{extra}", str(file)).splitlines()]
    assert said(lines, 0) == SAID
    if extra:
        assert said(lines, 1) == SAID
    else:  # frames can be told, but not what is in them
        frames = [(side, what["frame"], what["compressed"]) for side, what in said(lines, 1)]
        assert sorted(frames[:6]) == [
            ("client", "PING", False),
            ("client", "TEXT", True),
            ("client", "TEXT", True),
            ("server", "BINARY", True),
            ("server", "BINARY", True),
            ("server", "PONG", False),
        ]
        first, second = (what["size"] for _, what in said(lines, 1) if what["frame"] == "BINARY")
        assert second < first < 100
