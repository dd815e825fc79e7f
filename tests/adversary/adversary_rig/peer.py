"""The one who misbehaves: one end of a TCP connection, as a client or as a server, on a plain socket."""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from .wire import Frame, accept_of, read_frames, request, response

#: For what takes some milliseconds, unless something hangs; seconds.
DEADLINE = 10.0


class Peer:
    """
    Send anything, and read along.

    Attributes:
        received: What has come since the opening handshake, or since the beginning if there was none.
        ended: How the other side has ended the connection: "eof", "reset", or None while it has not.
    """

    def __init__(self, sock: socket.socket, client: bool) -> None:
        self.sock = sock
        self.client = client
        self.received = bytearray()
        self.ended: str | None = None
        self.answer = b""
        self.head = b""

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes, seconds: float = DEADLINE) -> int:
        """Send, and read what comes meanwhile; returns how many bytes could be sent, all unless there is no reader."""
        rest = memoryview(data)
        until = time.monotonic() + seconds
        while rest and self.ended is None and (left := until - time.monotonic()) > 0:
            readable, writable, _ = select.select([self.sock], [self.sock], [], left)
            if readable:
                self._read()
            if writable and self.ended != "reset":
                rest = rest[self._write(rest) :]
        return len(data) - len(rest)

    def stuff(self, data: bytes, quiet: float = 0.3, most: int = 1 << 26) -> int:
        """Send the same again and again without reading, until nothing was taken for some time; returns the bytes."""
        sent = 0
        at = 0
        while sent < most:
            if not select.select([], [self.sock], [], quiet)[1]:
                break
            written = self._write(memoryview(data)[at : at + 65536])
            if self.ended:
                break
            sent += written
            at = (at + written) % len(data)
        return sent

    def send_frames(self, frames: Iterable[Frame | bytes]) -> None:
        """Send frames, all at once."""
        self.send(b"".join(frame if isinstance(frame, bytes) else frame.serialize(self.client) for frame in frames))

    def drip(self, data: bytes, size: int = 1, pause: float = 0.0) -> int:
        """Send in small pieces; returns how many bytes were taken."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = 0
        for at in range(0, len(data), size):
            sent += self.send(data[at : at + size])
            if self.ended is not None:
                break
            time.sleep(pause)
        return sent

    def wait(self, seconds: float = DEADLINE, done: Callable[[], bool] = lambda: False) -> None:
        """Read until the other side ends the connection, or something is so."""
        until = time.monotonic() + seconds
        while self.ended is None and not done() and (left := until - time.monotonic()) > 0:
            if select.select([self.sock], [], [], min(left, 0.5))[0]:
                self._read()

    def wait_for_frames(self, count: int) -> list[tuple[int, bytes, bool]]:
        """Read until so many whole frames have come."""
        self.wait(done=lambda: len(read_frames(bytes(self.received))) >= count)
        return read_frames(bytes(self.received))

    def read_head(self) -> bytes:
        """Read a request or the head of a response; what is behind it stays in `received`."""
        self.wait(done=lambda: b"\r\n\r\n" in self.received)
        head, end, rest = bytes(self.received).partition(b"\r\n\r\n")
        self.received[:] = rest
        self.head = head + end
        return self.head

    def open(self, extra: bytes = b"") -> bytes:
        """Run the opening handshake as it should be; returns what the other side sent."""
        if self.client:
            self.send(request(extra=extra))
            self.read_head()
        else:
            self.send(response(accept_of(self.read_head()), extra))
        return self.head

    def end(self) -> None:
        """End our side of the stream, and keep reading."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Drop the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.ended = "reset by ourselves"

    def _read(self) -> None:
        try:
            data = self.sock.recv(1 << 16)
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError:
            self.ended = "reset"
            return
        self.received += data
        if not data:
            self.ended = "eof"

    def _write(self, data: memoryview) -> int:
        try:
            return self.sock.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            return 0
        except OSError:
            # What has come before the end is still there to be read.
            while self.ended is None:
                self._read()
            self.ended = "reset"
            return 0


def dial(port: int, receive_buffer: int | None = None) -> Peer:
    """Connect to a server that is to be attacked."""
    sock = socket.socket()
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.connect(("127.0.0.1", port))
    sock.setblocking(False)
    return Peer(sock, client=True)


class Trap:
    """
    Listen for clients that are to be attacked, and run a behaviour for each connection, in a thread.

    Attributes:
        port: Where it listens.
        requests: The heads of the requests that came.
        peers: The connections that came.
    """

    def __init__(
        self,
        behaviour: Callable[[Peer], None],
        tls: ssl.SSLContext | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        self._behaviour = behaviour
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.port: int = self._listener.getsockname()[1]
        self.peers: list[Peer] = []
        self.errors: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    @property
    def requests(self) -> list[bytes]:
        """Give the heads of the requests that came."""
        return [peer.head for peer in self.peers if peer.head]

    def __enter__(self) -> Trap:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for peer in self.peers:  # ends the waiting of their threads
            with suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for peer in self.peers:
            peer.sock.close()
        if self.errors:
            raise self.errors[0]

    def join(self) -> None:
        """Wait until all behaviours have come to their ends."""
        for thread in self._threads:
            thread.join(DEADLINE)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._run, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _run(self, sock: socket.socket) -> None:
        try:
            if self._tls is not None:
                sock.settimeout(DEADLINE)
                sock = self._tls.wrap_socket(sock, server_side=True)
            sock.setblocking(False)
        except OSError:
            sock.close()
            return
        peer = Peer(sock, client=False)
        self.peers.append(peer)
        try:
            self._behaviour(peer)
        except OSError:
            pass  # it is a bad peer, and the other side has gone
        except BaseException as exc:
            self.errors.append(exc)
        finally:
            peer.end()
