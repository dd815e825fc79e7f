"""An echo server in a loop of our own: one thread, selectors, no asyncio."""

from __future__ import annotations

import selectors
import socket
import time

from twoway.http import Request
from twoway.protocol import ServerOptions, ServerProtocol, State


class Peer:
    """A socket, the protocol object that knows what to do, and bytes that the socket has not taken yet."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.protocol = ServerProtocol(ServerOptions(), time.monotonic())
        self.unsent = bytearray()
        self.ended = False  # whether we have said that nothing more comes from us

    def read(self) -> None:
        now = time.monotonic()
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self.protocol.receive_eof(now, error)
            return
        if data:
            self.protocol.receive_data(data, now)
        else:
            self.protocol.receive_eof(now)

    def react(self) -> None:
        """Do what the events ask for: here is the application."""
        now = time.monotonic()
        for event in self.protocol.events():
            match event:
                case Request():
                    self.protocol.send_response(self.protocol.accept(event), now)
                case str() if self.protocol.state is State.OPEN:
                    self.protocol.send_text(event)
                case bytes() if self.protocol.state is State.OPEN:
                    self.protocol.send_binary(event)

    def write(self) -> bool:
        """Write what can be written; tell whether the connection goes on."""
        self.unsent += b"".join(self.protocol.data_to_send())
        try:
            while self.unsent:
                del self.unsent[: self.sock.send(self.unsent)]
            if self.protocol.half_close and not self.ended:
                self.sock.shutdown(socket.SHUT_WR)
                self.ended = True
        except BlockingIOError:
            pass
        except OSError as error:
            self.protocol.receive_eof(time.monotonic(), error)
        return self.protocol.state is not State.CLOSED and not self.protocol.aborted


def main() -> None:
    selector = selectors.DefaultSelector()
    listener = socket.create_server(("127.0.0.1", 8765))
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ)
    peers: dict[socket.socket, Peer] = {}
    while True:
        due = [peer.protocol.next_deadline() for peer in peers.values()]
        soonest = min((deadline for deadline in due if deadline is not None), default=None)
        ready = selector.select(None if soonest is None else max(0.0, soonest - time.monotonic()))
        for key, events in ready:
            if key.fileobj is listener:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    continue  # it has gone again
                sock.setblocking(False)
                peers[sock] = Peer(sock)
                selector.register(sock, selectors.EVENT_READ)
            elif events & selectors.EVENT_READ:
                peers[key.fileobj].read()  # type: ignore[index]
        for sock, peer in list(peers.items()):
            deadline = peer.protocol.next_deadline()
            if deadline is not None and deadline <= time.monotonic():
                peer.protocol.handle_deadline(time.monotonic())
            peer.react()
            if peer.write():
                wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.unsent else 0)
                if selector.get_key(sock).events != wanted:
                    selector.modify(sock, wanted)
            else:
                selector.unregister(sock)
                sock.close()
                del peers[sock]


if __name__ == "__main__":
    main()
