"""No library: a socket that knows the size of each frame, and looks into none. The limit for clients."""

from __future__ import annotations

import socket

from _peer import BATCH, HOST, TEXT, Measurement, Options, read_options

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
FRAME = b"\x81\xfe\x01\x00\0\0\0\0" + TEXT.encode()
SIZE = 4 + len(TEXT)  # of an answer


def open_socket(options: Options) -> socket.socket:
    """Connect, and shake hands; nothing may be taken of what follows."""
    sock = socket.create_connection((HOST, options.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(HANDSHAKE)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    return sock


def request(sock: socket.socket, options: Options) -> None:
    """Send a message and wait for the answer, again and again."""

    def exchange() -> None:
        for _ in range(BATCH):
            sock.sendall(FRAME)
            left = SIZE
            while left:
                left -= len(sock.recv(65536))

    exchange()
    measurement, number = Measurement(), 0
    while measurement.goes_on(options.seconds):
        exchange()
        number += BATCH
    measurement.finish(number)


def consume(sock: socket.socket, options: Options) -> None:
    """Take all that a server pushes, up to the end of the stream or the Close frame."""
    measurement, size = Measurement(), 0
    while data := sock.recv(262144):
        size += len(data)
        if data.endswith(b"\x88\x02\x03\xe8"):
            break
    measurement.finish(size // SIZE)


options = read_options()
with open_socket(options) as sock:
    {"request": request, "consume": consume}[options.role](sock, options)
