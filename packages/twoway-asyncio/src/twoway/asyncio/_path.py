"""What every message goes through in a connection on an asyncio transport: the part that has a compiled twin."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable, Awaitable, Iterable
from time import monotonic
from typing import TYPE_CHECKING, Any, Self, TypeAlias
from weakref import WeakKeyDictionary, ref

from twoway.frames import Buffer, Fragment
from twoway.protocol import (
    ConnectionClosedOK,
    Inbox,
    InvalidState,
    Protocol,
    SharedMessage,
    SlowConsumer,
    State,
    convert,
)

from ._parts import Parts, check_parts

#: A message, or a part of one, as the application gives it.
DataLike: TypeAlias = str | Buffer

#: When nothing was written since the last read.
NEVER = -math.inf
_ITEMS = (str, bytes, Fragment)
_DATA = (str, bytes, bytearray, memoryview)
_OPEN = State.OPEN  # each look-up of a member takes Python 3.11 as long as the rest of a check
# Frames that wait for the end of the loop's iteration leave at once when they hold more than this; bytes.
_JOIN_LIMIT = 32768
# A write that comes so soon after another one is taken for a part of the same burst; seconds.
_BURST = 0.001
# Bytes that are read at a time; a loop reads them for one connection after the other into the same place.
_READ_SIZE = 262144
_buffers: WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview] = WeakKeyDictionary()


def read_buffer(loop: asyncio.AbstractEventLoop) -> memoryview:
    """
    Give the place where a loop puts what it reads.

    Args:
        loop: Whose connections share the place.

    Returns:
        Writable; its content is taken before the loop does anything else.
    """
    buffer = _buffers.get(loop)
    if buffer is None:
        buffer = _buffers[loop] = memoryview(bytearray(_READ_SIZE))
    return buffer


class ConnectionPath:
    """Be the part of `Connection` that receives and sends whole messages; what it needs besides is there."""

    __slots__ = (
        "_buffer", "_closed", "_dropping", "_flushing", "_fragmented", "_inbox", "_loop", "_parts", "_reading",
        "_receiver", "_receiving", "_shut", "_slow_consumer", "_unsent", "_writable", "_wrote_at", "protocol",
        "transport",
    )  # fmt: skip

    protocol: Protocol
    transport: asyncio.Transport
    _buffer: memoryview  # where the loop puts what it reads
    _closed: asyncio.Future[None]
    _dropping: bool  # whether what arrives is not kept any more
    _flushing: bool  # whether a flush is scheduled
    _fragmented: asyncio.Future[None] | None  # done when the fragmented message is sent
    _inbox: Inbox
    _loop: asyncio.AbstractEventLoop
    _parts: ref[Parts] | None  # whoever reads a message in parts
    _reading: bool
    _receiver: asyncio.Future[None] | None  # whoever waits for a message
    _receiving: asyncio.Task[Any] | None  # its task, for an error message
    _shut: bool  # whether nothing more can be written
    _slow_consumer: SlowConsumer
    _unsent: int  # about how many bytes wait in the protocol
    _writable: bool
    _wrote_at: float  # when something was written at once, if nothing was read since

    if TYPE_CHECKING:

        def _changed(self) -> None: ...
        def _check_open(self) -> Awaitable[None]: ...
        def _claim(self, parts: Parts | None) -> None: ...
        def _drain(self) -> Awaitable[None]: ...
        def _handle(self, event: object) -> None: ...
        def _pause_reading(self) -> None: ...
        def _resume_reading(self) -> None: ...
        def _send_fragments(
            self, parts: AsyncIterable[DataLike], text: bool | None, compress: bool | None
        ) -> Awaitable[None]: ...
        def _take_slow_consumer(self) -> bool: ...

    # Receiving

    def __aiter__(self) -> Self:
        """
        Iterate over the messages, until the connection is closed with 1000, 1001 or no code.

        Raises:
            ConnectionClosedError: The connection ended in another way.
        """
        return self

    async def __anext__(self) -> str | bytes:
        """Receive the next message of an iteration."""
        try:
            message: str | bytes = await self.recv()
        except ConnectionClosedOK:
            raise StopAsyncIteration from None
        return message

    async def recv(self, decode: bool | None = None) -> Any:
        """
        Receive the next message. Cancelling loses nothing.

        Args:
            decode: True gives ``str`` for binary messages, too; False gives ``bytes`` for text messages, too;
                None gives what was sent.

        Returns:
            ``str`` for a text message, ``bytes`` for a binary one.

        Raises:
            ConnectionClosed: The connection is closed, and all messages before that were received.
            ConcurrencyError: Another call waits for a message already; a caller's bug.
            UnicodeDecodeError: ``decode`` is True and a binary message is not UTF-8.

        Spec:
            RFC 6455 §6.2.

        Cost:
            Returns without a task switch when a message waits.
        """
        inbox = self._inbox
        while True:
            if self._receiver is not None or self._parts is not None:
                self._claim(None)
            message = inbox.get()
            if message is not None:
                break
            await self._wait_for_item()
        if not self._reading and inbox.low:
            self._resume_reading()
        return message if decode is None else convert(message, decode)

    async def _wait_for_item(self) -> None:
        if self.protocol.state is not _OPEN:
            if self._closed.done():
                raise self.protocol.close_exc
            if self.protocol.state is State.CONNECTING:
                raise InvalidState("the opening handshake is not finished")
        elif self.protocol.failing:  # and what came before the violation has been received
            self.protocol.fail_deferred(monotonic())
            self._changed()
        self._inbox.wanted = True
        self._receiver = receiver = self._loop.create_future()
        self._receiving = asyncio.current_task(self._loop)
        if not self._reading and self._inbox.low:
            self._resume_reading()
        try:
            await receiver
        finally:
            self._receiver = self._receiving = None
            self._inbox.wanted = False

    # What asyncio calls

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give room for bytes; asyncio calls this."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take the bytes that are there now; asyncio calls this."""
        self.data_received(self._buffer[:nbytes])

    def data_received(self, data: Buffer) -> None:
        """
        Take bytes.

        Args:
            data: Any number; not kept.
        """
        self._wrote_at = NEVER
        self.protocol.receive_data(data, monotonic())
        self._received()

    def _received(self) -> None:
        """Do what follows from what has arrived."""
        changed = self._handle_events()
        if self._reading and self._inbox.full:
            self._pause_reading()
        # A frame that breaks a rule makes no event, but a Close frame to write.
        if changed or self.protocol.state is not _OPEN or self.protocol.failing:
            self._changed()

    def _handle_events(self) -> bool:
        """Take what has happened, and wake whoever waits for it; tell whether there was more than messages."""
        protocol = self.protocol
        more = arrived = False
        for event in protocol.events():
            if not isinstance(event, _ITEMS):
                self._handle(event)
                more = True
                continue
            arrived = True
            if protocol.close_sent is None:
                self._inbox.put(event)
            else:
                self._put_late(event)
        if arrived:
            self._wake()
        return more

    def _wake(self) -> None:
        """Have the call that waits for a message look again."""
        if self._receiver is not None and not self._receiver.done():
            self._receiver.set_result(None)

    def _put_late(self, item: str | bytes | Fragment) -> None:
        # While we close, nobody may be reading: what is over the limit is dropped to let the Close frame through,
        # and what comes after that, too, for a message with a hole would be worse than none. What arrives together
        # with the peer's Close frame is all there is, and was sent in good time: that is kept.
        if not self._dropping:
            self._dropping = self.protocol.close_rcvd is None and self._inbox.full
        if not self._dropping:
            self._inbox.put(item)

    # Sending

    async def send(
        self,
        message: DataLike | Iterable[DataLike] | AsyncIterable[DataLike],
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> bool:
        """
        Send a message.

        ``str`` is sent as a text message, bytes-like objects as a binary one; an iterable, synchronous or
        asynchronous, is sent as a fragmented message, one frame for each item.

        Waits while the write buffer is over its limit, unless ``slow_consumer`` says otherwise. Cancelling then does
        not take the message back; cancelling in the middle of a fragmented message fails the connection with 1011,
        for the peer cannot go on from there.

        Args:
            message: What to send; not kept.
            text: True sends bytes-like objects, which must be UTF-8, as text; False sends ``str`` as binary.
            compress: True compresses the message, False does not; None lets the extension decide. Without
                permessage-deflate on the connection it makes no difference.

        Returns:
            True; False if the message was skipped because the peer is too slow.

        Raises:
            ConnectionClosed: The connection is closed, or was failed because the peer is too slow.
            TypeError: ``message`` has the wrong type; a caller's bug.
            ValueError: A text is not UTF-8, or has a lone surrogate; a caller's bug.

        Spec:
            RFC 6455 §5.4, §6.1.

        Cost:
            Returns without a task switch while the write buffer has room.
        """
        while self._fragmented is not None and not self._closed.done():
            await asyncio.shield(self._fragmented)
        if not self._writable and self._slow_consumer != "wait" and not self._take_slow_consumer():
            return False
        if not isinstance(message, _DATA):
            await self._send_fragments(check_parts(message), text, compress)
            return True
        protocol = self.protocol
        if protocol.state is not _OPEN:
            await self._check_open()
        if (isinstance(message, str) and text is not False) or text:
            protocol.send_text(message, compress=compress)
        else:
            data = message.encode() if isinstance(message, str) else message
            protocol.send_binary(data, compress=compress)
        self._transmit(len(message))
        return True if self._writable else await self._sent()

    async def _sent(self) -> bool:
        """Wait after a message if that is what `slow_consumer` says."""
        if not self._writable and self._slow_consumer == "wait":
            await self._drain()
        return True

    def _send_shared(self, message: SharedMessage) -> bool | None:
        """Send a part of a broadcast; False for a peer that is too slow, None where no message may begin."""
        if self.protocol.state is not State.OPEN or self.protocol.in_message:
            return None
        if not self._writable:
            return False
        self.protocol.send_shared(message)
        self._transmit(len(message.data))
        return True

    def _transmit(self, size: int) -> None:
        """
        Send what the protocol holds, now or joined with what follows in this iteration of the loop.

        The first write of a quiet connection goes straight to the socket, so that a single message is never
        delayed. While messages wait to be answered, or when there was a write just before, frames are joined: they
        leave in one system call when the iteration ends.
        """
        self._unsent += size
        if self._unsent > _JOIN_LIMIT:
            self._flush()
        elif not self._flushing:
            now = monotonic()
            if len(self._inbox) or now - self._wrote_at < _BURST:
                self._flush_soon()
            else:
                self._wrote_at = now
                self._flush()

    def _flush_soon(self) -> None:
        """Send what the protocol holds when the iteration of the loop ends."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush_joined)

    def _flush_joined(self) -> None:
        self._flushing = False
        self._wrote_at = NEVER
        self._flush()

    def _flush(self) -> None:
        output = self.protocol.data_to_send()
        self._unsent = 0
        if not output or self._shut or self.transport is None:
            return
        if self.transport.is_closing():
            # A write has failed, and `connection_lost` will say so. Who sends must wait for that, else a loop of
            # calls that never wait would keep the event loop from saying it.
            self._writable = False
        else:
            self.transport.write(output[0] if len(output) == 1 else b"".join(output))
