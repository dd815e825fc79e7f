"""
Peers that misbehave, in threads and on plain sockets: the same table serves every driver.

A scenario is a behaviour of the peer, after the opening handshake or in it, and a call of ours. Whatever the peer does,
with ``ping_interval=1, ping_timeout=1, close_timeout=2`` all has ended within five seconds.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import trustme

#: What a connection may take in all; seconds.
LIMIT = 5.0
OPTIONS = {"ping_interval": 1, "ping_timeout": 1, "close_timeout": 2, "compression": None}

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = base64.b64encode(bytes(16))
_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: " + _KEY + b"\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_FLOOD = 20_000


class Peer:
    """One end of a connection, on a plain socket; `stop` says when the test is over."""

    def __init__(self, sock: socket.socket, client: bool, stop: threading.Event) -> None:
        self.sock = sock
        self.client = client
        self.stop = stop

    def frame(self, first: int, payload: bytes, length: int | None = None) -> bytes:
        """Make a frame; its length may be a lie."""
        mask = b"\0\0\0\0" if self.client else b""
        size = len(payload) if length is None else length
        return struct.pack("!BB", first, size | (0x80 if mask else 0)) + mask + payload

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def open(self) -> None:
        """Run the opening handshake."""
        if self.client:
            self.send(_REQUEST)
            self.read_head()
        else:
            key = self.read_head().split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
            self.send(self.answer(key))

    def read_head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (byte := self.sock.recv(1)):
                raise ConnectionError
            head += byte
        return head

    @staticmethod
    def answer(key: bytes) -> bytes:
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept
        return b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"\r\n\r\n"

    def drain(self) -> None:
        """Read on, and say nothing."""
        while not self.stop.is_set() and self.sock.recv(65536):
            pass
        self.stop.wait()


def never_reads(peer: Peer) -> None:
    peer.open()
    peer.stop.wait()


def never_writes(peer: Peer) -> None:
    peer.open()
    peer.drain()


def stops_inside_a_frame(peer: Peer) -> None:
    peer.open()
    peer.send(peer.frame(0x81, b"only a part", length=100))
    peer.drain()


def stops_inside_the_handshake(peer: Peer) -> None:
    if not peer.client:
        peer.read_head()
    peer.send(_REQUEST[:40] if peer.client else b"HTTP/1.1 101 Switching")
    peer.drain()


def stops_inside_a_tls_record(peer: Peer) -> None:
    peer.open()
    # A record that says it has 100 bytes, below TLS: what comes next is read as its rest.
    raw = socket.socket(fileno=peer.sock.detach())
    with raw:
        raw.sendall(b"\x17\x03\x03\x00\x64" + bytes(10))
        peer.stop.wait()


def resets(peer: Peer) -> None:
    peer.open()
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.sock.close()


def ends_the_stream(peer: Peer) -> None:
    peer.open()
    peer.sock.shutdown(socket.SHUT_WR)
    peer.stop.wait()


def floods_pings(peer: Peer) -> None:
    peer.open()
    for _ in range(_FLOOD // 100):
        peer.send(peer.frame(0x89, b"x" * 100) * 100)
    peer.stop.wait()


def sends_after_close(peer: Peer) -> None:
    peer.open()
    peer.send(peer.frame(0x88, b"\x03\xe8"))
    while not peer.stop.wait(0.01):
        peer.send(peer.frame(0x81, b"more"))


Behaviour = Callable[[Peer], None]
BEHAVIOURS: list[Behaviour] = [
    never_reads,
    never_writes,
    stops_inside_a_frame,
    stops_inside_the_handshake,
    stops_inside_a_tls_record,
    resets,
    ends_the_stream,
    floods_pings,
    sends_after_close,
]


class Peers:
    """Start misbehaving servers and clients, and end them all."""

    limit = LIMIT
    behaviours = BEHAVIOURS

    def __init__(self) -> None:
        authority = trustme.CA()
        self.server_tls, self.client_tls = (
            ssl.SSLContext(kind) for kind in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)
        )
        authority.issue_cert("localhost").configure_cert(self.server_tls)
        authority.configure_trust(self.client_tls)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    @staticmethod
    def secure(behaviour: Behaviour) -> bool:
        """Tell whether a behaviour needs TLS."""
        return behaviour is stops_inside_a_tls_record

    @staticmethod
    def options(behaviour: Behaviour) -> dict[str, Any]:
        """Give options with short timeouts; who opens the connection at all gets the time that a busy machine needs."""
        return {**OPTIONS, "open_timeout": 2 if behaviour is stops_inside_the_handshake else LIMIT}

    @contextmanager
    def serve(self, behaviour: Behaviour) -> Iterator[int]:
        """Run a server that takes one connection; give its port."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._start(lambda: listener.accept()[0], behaviour, False)
            yield listener.getsockname()[1]

    def connect(self, behaviour: Behaviour, port: int) -> None:
        """Run a client."""
        self._start(lambda: socket.create_connection(("127.0.0.1", port)), behaviour, True)

    def _start(self, connect: Callable[[], socket.socket], behaviour: Behaviour, client: bool) -> None:
        def run() -> None:
            with suppress(OSError), connect() as sock:
                # Small buffers, so that little is needed to fill them.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.settimeout(2 * LIMIT)
                if self.secure(behaviour):
                    context = self.client_tls if client else self.server_tls
                    name: dict[str, Any] = {"server_hostname": "localhost"} if client else {"server_side": True}
                    sock = context.wrap_socket(sock, **name)
                with sock:
                    behaviour(Peer(sock, client, self._stop))

        thread = threading.Thread(target=run, daemon=True)
        self._threads.append(thread)
        thread.start()

    def end(self) -> None:
        """End all peers."""
        self._stop.set()
        for thread in self._threads:
            thread.join(3 * LIMIT)
            assert not thread.is_alive()


@pytest.fixture
def peers() -> Iterator[Peers]:
    """Give a table of misbehaving peers."""
    peers = Peers()
    yield peers
    peers.end()
