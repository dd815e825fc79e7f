"""TLS without a socket: bytes of the network in and out, plain bytes in and out."""

from __future__ import annotations

import ssl
from contextlib import suppress

from twoway.frames import Buffer

_CHUNK = 65536  # bytes


class TLS:
    """
    Be one side of a TLS connection, perhaps inside another one.

    Never waits: what is not there yet is not given. Not safe for several threads at once.

    Args:
        context: The settings; not changed.
        server_side: Whether this is the server.
        server_hostname: Name that the server must have; a client's.
        over: The connection that carries this one, to a proxy; None for a plain socket.

    Attributes:
        object: The object of the standard library, with certificates and cipher.
        established: Whether the handshake is finished.
        eof: Whether the peer has said that nothing more will come.

    Raises:
        ValueError: ``server_hostname`` is not fit for the context; a caller's bug.
    """

    __slots__ = ("_incoming", "_outgoing", "_over", "_unsent", "eof", "established", "object")

    object: ssl.SSLObject
    established: bool
    eof: bool

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        over: TLS | None = None,
    ) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._over = over
        self._unsent = b""  # what the connection that carries this one did not take yet
        self.object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self.established = False
        self.eof = False

    @property
    def pending(self) -> int:
        """Say how much there is for the network; bytes."""
        return self._outgoing.pending if self._over is None else self._outgoing.pending + self._over.pending

    def receive(self, data: Buffer) -> bytes:
        """
        Take bytes from the network.

        Args:
            data: Any number of bytes; not kept.

        Returns:
            All plain bytes that are complete with them.

        Raises:
            ssl.SSLError: The peer broke the rules of TLS, or its certificate is not good.
        """
        if not self.feed(data):
            return b""
        plain: list[bytes] = []
        with suppress(ssl.SSLWantReadError):
            while chunk := self.object.read(_CHUNK):
                plain.append(chunk)
            self.eof = True
        return plain[0] if len(plain) == 1 else b"".join(plain)

    def feed(self, data: Buffer) -> bool:
        """
        Take bytes from the network, without looking for plain ones; for the handshake.

        Args:
            data: Any number of bytes; not kept.

        Returns:
            Whether the handshake is finished.

        Raises:
            ssl.SSLError: As for `receive`.
        """
        if self._over is not None:
            data = self._over.receive(data)
            self.eof = self._over.eof
        self._incoming.write(data)
        return self.established or self.shake_hands()

    def shake_hands(self) -> bool:
        """
        Go on with the handshake as far as the bytes from the network go.

        Returns:
            Whether it is finished.

        Raises:
            ssl.SSLError: As for `receive`.
        """
        try:
            self.object.do_handshake()
            self.established = True
        except ssl.SSLWantReadError:
            pass
        return self.established

    def send(self, data: Buffer) -> int:
        """
        Take plain bytes.

        Args:
            data: Any number of bytes; not kept.

        Returns:
            How many were taken: none before the handshake is finished.

        Raises:
            ssl.SSLError: The connection is broken.
        """
        if not data or not self.established:
            return 0
        try:
            return self.object.write(data)
        except ssl.SSLWantReadError:
            return 0

    def close(self) -> None:
        """Say that nothing more will be sent."""
        with suppress(ssl.SSLError):  # the peer need not answer
            self.object.unwrap()

    def data_to_send(self) -> bytes:
        """
        Give the bytes for the network.

        Returns:
            Any number of them.
        """
        data = self._outgoing.read()
        if self._over is None:
            return data
        data = self._unsent + data
        self._unsent = data[self._over.send(data) :]
        return self._over.data_to_send()
