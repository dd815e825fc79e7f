"""
Two connected peers in memory, for tests: no sockets, no threads, no clock but the test's own.

    >>> pair = connected_pair()
    >>> pair.client.send_text("ping?")
    >>> pair.exchange()
    >>> pair.server_events()
    ['ping?']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from twoway.http import Request, Response

from ._client import ClientProtocol
from ._connection import Protocol
from ._events import Event
from ._options import ClientOptions, ServerOptions
from ._server import ServerProtocol
from ._state import State

__all__ = ["Chunk", "Pair", "connected_pair"]

#: How the wire cuts bytes: the size of the largest piece, or a function that gives the pieces; None for no cuts.
Chunk: TypeAlias = int | Callable[[bytes], Iterable[bytes]] | None


class Pair:
    """
    Connect a `ClientProtocol` and a `ServerProtocol` by a wire that the test controls.

    Args:
        client_options: Settings of the client; None takes the defaults.
        server_options: Settings of the server; None takes the defaults.
        uri: Where the client believes to connect to.
        chunk: How the wire cuts bytes: largest piece, > 0, or a function that gives the pieces; None delivers what
            was written at once.
        answer: Makes the server's answer to a request; None accepts.

    Raises:
        InvalidURI: ``uri`` is not a WebSocket URI; a caller's bug.
        ValueError: ``chunk`` is not positive; a caller's bug.

    Attributes:
        client: The client's side.
        server: The server's side.
        now: The time; seconds. Starts at 0; changed by `advance` alone.
        online: Whether bytes arrive; set it to False, and both sides talk into the void.
    """

    def __init__(
        self,
        client_options: ClientOptions | None = None,
        server_options: ServerOptions | None = None,
        *,
        uri: str = "ws://localhost/",
        chunk: Chunk = None,
        answer: Callable[[ServerProtocol, Request], Response] | None = None,
    ) -> None:
        if isinstance(chunk, int) and chunk < 1:
            raise ValueError(f"chunk must be > 0 bytes, not {chunk}")
        self.now: float = 0.0
        self.online: bool = True
        self.client: ClientProtocol = ClientProtocol(uri, client_options, self.now)
        self.server: ServerProtocol = ServerProtocol(server_options, self.now)
        self._chunk = chunk
        self._answer = answer or (lambda server, request: server.accept(request))
        self._seen: dict[Protocol, list[Event]] = {self.client: [], self.server: []}
        self._ended: set[Protocol] = set()  # those whose end of the stream was delivered

    def open(self) -> Pair:
        """
        Run the opening handshake.

        Returns:
            This object; whether the handshake succeeded is told by the states.
        """
        self.client.send_request(self.client.connect())
        self.exchange()
        self.client_events()
        self.server_events()
        return self

    def exchange(self) -> None:
        """Carry bytes both ways, and the ends of both streams, until there is nothing more to carry."""
        busy = True
        while busy:
            busy = self._carry(self.client, self.server) | self._carry(self.server, self.client)

    def advance(self, seconds: float) -> None:
        """
        Let time pass; deadlines are handled when they come, and what they cause is carried at once.

        Args:
            seconds: How much; >= 0.

        Raises:
            ValueError: ``seconds`` is negative; a caller's bug.
        """
        if seconds < 0:
            raise ValueError(f"seconds must be >= 0, not {seconds}")
        until = self.now + seconds
        while (due := self._next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.client.handle_deadline(self.now)
            self.server.handle_deadline(self.now)
            self.exchange()
        self.now = until

    def client_events(self) -> list[Event]:
        """
        Take what happened on the client's side.

        Returns:
            The events since the last call.
        """
        return self._take(self.client)

    def server_events(self) -> list[Event]:
        """
        Take what happened on the server's side.

        Returns:
            The events since the last call.
        """
        return self._take(self.server)

    def disconnect(self, error: OSError | None = None) -> None:
        """
        Cut the wire: both sides learn that the stream has ended.

        Args:
            error: What the operating system tells them, None for a clean end.
        """
        for peer in (self.client, self.server):
            self._ended.add(peer)
            peer.receive_eof(self.now, error)
            self._collect(peer)

    def _next_deadline(self) -> float | None:
        deadlines = (self.client.next_deadline(), self.server.next_deadline())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _carry(self, source: Protocol, target: Protocol) -> bool:
        self._collect(source)
        data = b"".join(source.data_to_send())
        if self.online and target not in self._ended:
            for piece in self._cut(data):
                target.receive_data(piece, self.now)
                self._collect(target)
            if source.half_close or source.aborted:
                self._ended.add(target)
                target.receive_eof(self.now, ConnectionResetError("aborted by the peer") if source.aborted else None)
                self._collect(target)
                return True
        return bool(data)

    def _cut(self, data: bytes) -> Iterable[bytes]:
        if self._chunk is None:
            return [data] if data else []
        if isinstance(self._chunk, int):
            return [data[start : start + self._chunk] for start in range(0, len(data), self._chunk)]
        return self._chunk(data)

    def _collect(self, peer: Protocol) -> None:
        events = peer.events()
        self._seen[peer] += events
        for event in events:
            if isinstance(event, Request) and isinstance(peer, ServerProtocol) and peer.state is State.CONNECTING:
                peer.send_response(self._answer(peer, event), self.now)
                self._collect(peer)

    def _take(self, peer: Protocol) -> list[Event]:
        self._collect(peer)  # what no bytes have caused, such as an abort
        events, self._seen[peer] = self._seen[peer], []
        return events


def connected_pair(
    client_options: ClientOptions | None = None,
    server_options: ServerOptions | None = None,
    *,
    chunk: Chunk = None,
) -> Pair:
    """
    Make two peers whose connection is OPEN.

    Args:
        client_options: Settings of the client; None takes the defaults.
        server_options: Settings of the server; None takes the defaults.
        chunk: How the wire cuts bytes, as in `Pair`.

    Returns:
        The pair.

    Raises:
        AssertionError: The opening handshake failed.
    """
    pair = Pair(client_options, server_options, chunk=chunk).open()
    if pair.client.state is not State.OPEN or pair.server.state is not State.OPEN:
        raise AssertionError(f"opening handshake failed: {pair.client.handshake_exc or pair.server.handshake_exc}")
    return pair
