"""What waits to be written: plain bytes, or their TLS records."""

from __future__ import annotations

from twoway.frames import Buffer

from ._tls import TLS

# So much is written at a time: more would be copied for nothing, as no socket takes it; bytes.
_CHUNK = 262144


class Outbox:
    """
    Queue buffers between a connection and its socket. Not safe for several threads at once.

    Args:
        tls: What encrypts them; None for nothing.

    Attributes:
        size: What waits; bytes.
    """

    __slots__ = ("_buffers", "_closing", "_tls", "size")

    def __init__(self, tls: TLS | None) -> None:
        self._tls = tls
        self._buffers: list[Buffer] = []
        self._closing = False
        self.size = 0

    def put(self, buffers: list[bytes]) -> None:
        """
        Add what is to be written.

        Args:
            buffers: Kept.
        """
        self._buffers.extend(buffers)
        self.size += sum(map(len, buffers))

    def take(self) -> Buffer | None:
        """
        Take what can be written next.

        Returns:
            Bytes for the socket, None when there are none.

        Raises:
            ssl.SSLError: The TLS connection is broken.
        """
        if self._tls is None:
            return self._take_plain() if self._buffers else None
        while self._buffers:
            buffer = self._take_plain()
            taken = self._tls.send(buffer)
            if taken < len(buffer):
                self._put_back(memoryview(buffer)[taken:])
                break
            if taken >= _CHUNK:
                break
        return self._tls.data_to_send() or None

    def _take_plain(self) -> Buffer:
        """Take about as much as the socket may take, without copying what is large."""
        buffers = self._buffers
        if len(buffers) == 1:
            buffer = buffers.pop()
        else:
            size = count = 0
            while count < len(buffers) and (count == 0 or size + len(buffers[count]) <= _CHUNK):
                size += len(buffers[count])
                count += 1
            buffer = buffers[0] if count == 1 else b"".join(buffers[:count])
            del buffers[:count]
        self.size -= len(buffer)
        if self._tls is not None and len(buffer) > _CHUNK:  # else the records of a large message would be there at once
            self._put_back(memoryview(buffer)[_CHUNK:])
            buffer = memoryview(buffer)[:_CHUNK]
        return buffer

    def _put_back(self, buffer: memoryview) -> None:
        self._buffers.insert(0, buffer)
        self.size += len(buffer)

    def close(self) -> Buffer | None:
        """
        End the TLS connection, now that everything is written.

        Returns:
            Bytes for the socket, None when there are none.
        """
        if self._tls is None or self._closing:
            return None
        self._closing = True
        self._tls.close()
        return self._tls.data_to_send() or None

    def clear(self) -> None:
        """Discard everything."""
        self._buffers.clear()
        self.size = 0
