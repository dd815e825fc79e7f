"""What waits for the transport."""

from __future__ import annotations

import asyncio
from time import monotonic

from twoway.protocol import ServerProtocol

from ._inbox import Inbox

# Frames that wait for the end of the loop's iteration leave at once when they hold more than this; bytes.
_MOST_JOINED = 65536
# A write that comes so soon after another one is taken for a part of the same burst; seconds.
_BURST = 0.001


class Output:
    """
    Write what a connection has to send: at once, or what belongs together in one system call.

    Args:
        loop: The event loop.
        protocol: The connection.
        inbox: While something waits there, more answers are about to come.
        transport: Where to write.

    Attributes:
        writable: Whether the transport has room, or is gone.
    """

    __slots__ = ("_flushing", "_inbox", "_joined", "_loop", "_protocol", "_room", "_transport", "_wrote_at", "writable")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: ServerProtocol, inbox: Inbox, transport: asyncio.Transport
    ) -> None:
        self._loop = loop
        self._protocol = protocol
        self._inbox = inbox
        self._transport = transport
        self._joined = 0
        self._flushing = False
        self._wrote_at = -1.0
        self._room = asyncio.Event()
        self.writable = True

    def added(self, size: int) -> None:
        """
        Take note that a message is to be sent.

        The first one on a quiet connection leaves at once, so that a single message is never delayed. Where messages
        wait to be answered, or another one has just left, they are joined until the loop's iteration ends.

        Args:
            size: Its size; bytes or characters.
        """
        self._joined += size
        if self._joined > _MOST_JOINED:
            self.flush()
        elif not self._flushing:
            now = monotonic()
            if len(self._inbox) or now - self._wrote_at < _BURST:
                self.flush_soon()
            else:
                self._wrote_at = now
                self.flush()

    def flush_soon(self) -> None:
        """Write all that is to be sent when the loop's iteration ends."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush_joined)

    def flush(self) -> None:
        """Write all that is to be sent."""
        output = self._protocol.data_to_send()
        self._joined = 0
        if not output:
            return
        if self._transport.is_closing():
            # A write has failed, and the loop is about to say so. Until then whoever sends has to wait: a loop of
            # calls that never wait would keep it from that.
            self.pause()
        else:
            self._transport.write(output[0] if len(output) == 1 else b"".join(output))

    def _flush_joined(self) -> None:
        self._flushing = False
        self._wrote_at = -1.0
        self.flush()

    def pause(self) -> None:
        """Have senders wait for `resume`."""
        self.writable = False
        self._room.clear()

    def resume(self) -> None:
        """Let senders go on: the transport has room, or is gone."""
        self.writable = True
        self._room.set()

    async def drain(self) -> None:
        """Wait until `writable`."""
        while not self.writable:
            await self._room.wait()
