"""A connection on an asyncio transport: what clients and servers have in common."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, cast
from weakref import ref

from twoway.frames import CloseCode, Fragment
from twoway.protocol import (
    ConcurrencyError,
    ConnectionFacts,
    Inbox,
    InvalidState,
    LoggerLike,
    MaxQueue,
    PingAcknowledged,
    Protocol,
    SlowConsumer,
    State,
    TimerLate,
    check_seconds,
    check_write_limit,
    convert,
)

from ._native import ConnectionPath
from ._parts import Parts
from ._path import NEVER, DataLike, read_buffer
from ._transport import untie

if TYPE_CHECKING:
    from uuid import UUID


_NOBODY = asyncio.BufferedProtocol()  # to whom a transport belongs when its connection is lost


class Connection(ConnectionPath, ConnectionFacts, asyncio.BufferedProtocol):
    """
    Be what `ClientConnection` and `ServerConnection` have in common.

    Not made by users: `connect` and `serve` do that. All methods belong to the thread of the event loop. What it
    tells about itself, from ``id`` to ``cause``, is that of ``twoway.protocol.ConnectionFacts``.

    Args:
        protocol: The connection without I/O; used, not copied.
        max_queue: High-water mark, or high and low mark, of received messages that wait; None for no limit.
        max_queue_bytes: High-water mark of their size, text counted in characters; None for no limit.
        write_limit: High-water mark, or high and low mark, of bytes that wait to be written.
        slow_consumer: What `send` does while the write buffer is over its limit: ``"wait"`` until it is not,
            ``"skip"`` the message, or ``"close"`` the connection with 1008.
        logger: Gets what happens.

    Attributes:
        protocol: The connection without I/O.
        transport: The transport; its TLS and socket facts are in ``get_extra_info``.
        logger: Gets what happens.
    """

    __slots__ = (
        "__weakref__", "_drainers", "_id", "_last_timer", "_pings", "_timer", "_timer_at", "_write_high", "_write_low",
        "logger",
    )  # fmt: skip

    protocol: Protocol
    transport: asyncio.Transport
    logger: LoggerLike

    def __init__(
        self,
        protocol: Protocol,
        *,
        max_queue: MaxQueue = 16,
        max_queue_bytes: int | None = None,
        write_limit: int | tuple[int, int | None] = 65536,
        slow_consumer: SlowConsumer = "wait",
        logger: LoggerLike,
    ) -> None:
        self.protocol = protocol
        self.logger = logger
        self.transport = None  # type: ignore[assignment]  # until connection_made
        self._loop = asyncio.get_running_loop()
        self._write_high, self._write_low = check_write_limit(write_limit)
        self._buffer = read_buffer(self._loop)
        self._inbox = Inbox(max_queue, max_queue_bytes)
        self._slow_consumer = slow_consumer
        self._receiver = self._receiving = None
        self._parts = None
        self._dropping = False
        self._drainers: list[asyncio.Future[None]] = []  # those who wait for room in the write buffer
        self._fragmented = None
        self._pings: dict[bytes, tuple[asyncio.Future[float], bool]] = {}
        self._closed = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0  # when it is due; for one that is due at once, uvloop's handle does not tell
        self._last_timer: asyncio.TimerHandle | None = None  # drops a transport that does not close
        self._id: UUID | None = None
        self._unsent = 0
        self._wrote_at = NEVER
        self._flushing = False
        self._reading = True
        self._writable = True
        self._shut = False

    # Facts

    @property
    def local_address(self) -> Any:
        """Give the local address, as ``socket.getsockname`` does."""
        return self.transport.get_extra_info("sockname")

    @property
    def remote_address(self) -> Any:
        """Give the peer's address, as ``socket.getpeername`` does."""
        return self.transport.get_extra_info("peername")

    @property
    def buffered_amount(self) -> int:
        """
        Say how much waits to be written; bytes.

        What waits for the end of the loop's iteration is counted as the application gave it: characters in a text.
        """
        return self._unsent + (0 if self.transport is None else self.transport.get_write_buffer_size())

    # Receiving

    async def recv_batch(self, decode: bool | None = None) -> list[Any]:
        """
        Receive all the messages that wait, at least one. Cancelling loses nothing.

        Args:
            decode: As in `recv`.

        Returns:
            The messages in order, each as from `recv`.

        Raises:
            ConnectionClosed: The connection is closed, and all messages before that were received.
            ConcurrencyError: Another call waits for a message already; a caller's bug.
            UnicodeDecodeError: ``decode`` is True and a binary message is not UTF-8; that message, and those before
                it in the batch, are lost.

        Spec:
            RFC 6455 §6.2.

        Cost:
            One call for what arrived together.
        """
        messages = [await self.recv(decode)]
        while (message := self._inbox.get()) is not None:
            messages.append(message if decode is None else convert(message, decode))
        if not self._reading and self._inbox.low:
            self._resume_reading()
        return messages

    def recv_streaming(self, decode: bool | None = None) -> AsyncIterator[Any]:
        """
        Receive the next message in the parts in which it comes.

        When the iteration ends early, the next call that receives skips the rest of the message.

        Args:
            decode: True gives ``str`` for binary messages, too; False gives ``bytes`` for text messages, too;
                None gives what was sent.

        Returns:
            An iterator that gives a part for each frame; the parts of a text are cut between characters. Its
            steps raise what is listed here.

        Raises:
            ConnectionClosed: The connection is closed before the message is complete.
            ConcurrencyError: Another call receives already; a caller's bug.
            UnicodeDecodeError: ``decode`` is True and a part of a binary message is not UTF-8.

        Spec:
            RFC 6455 §5.4.
        """
        return Parts(self, decode)

    async def _next_part(self, parts: Parts, first: bool) -> Fragment:
        self._claim(parts)
        while True:
            part = self._inbox.get_fragment(first)
            if part is not None:
                break
            await self._wait_for_item()
        if not self._reading and self._inbox.low:
            self._resume_reading()
        return part

    def _claim(self, parts: Parts | None) -> None:
        """Make sure that nobody else receives, and note who does so in parts."""
        owner = None if self._parts is None else self._parts()
        if self._receiver is not None or (owner is not None and owner is not parts):
            who = "" if self._receiving is None else f": {self._receiving.get_name()} does"
            raise ConcurrencyError(f"recv() and recv_streaming() cannot be called while another call receives{who}")
        self._parts = None if parts is None else ref(parts)

    def _release(self, parts: Parts) -> None:
        if self._parts is not None and self._parts() is parts:
            self._parts = None

    # Sending

    def _take_slow_consumer(self) -> bool:
        """Do with a message what is to be done while the write buffer is full; tell whether to go on sending it."""
        if self.protocol.state is not State.OPEN:
            return True
        if self._slow_consumer == "close":
            self._fail(CloseCode.POLICY_VIOLATION, "too slow to receive")
            raise self.protocol.close_exc
        return False

    async def _send_fragments(self, parts: AsyncIterable[DataLike], text: bool | None, compress: bool | None) -> None:
        """Send one frame for each part, and an empty one that ends the message."""
        self._fragmented = done = self._loop.create_future()
        begun = finished = False
        uniform = text is None
        try:
            async for part in parts:
                await self._check_open()
                if text is None:
                    text = isinstance(part, str)
                elif uniform and isinstance(part, str) is not text:
                    raise TypeError("message must not mix str and bytes-like parts, unless text says what they are")
                self._send_fragment(part, text, begun, compress)
                begun = True
                if not self._writable:
                    await self._drain()
            if begun:
                await self._check_open()
                self.protocol.send_continuation(b"", fin=True)
                self._transmit(0)
            finished = True
        finally:
            self._fragmented = None
            if not done.done():
                done.set_result(None)
            if begun and not finished and self.state is State.OPEN:
                self._fail(CloseCode.INTERNAL_ERROR, "fragmented message was not finished")

    def _send_fragment(self, part: DataLike, text: bool, begun: bool, compress: bool | None) -> None:
        data = part.encode() if isinstance(part, str) and not text else part
        if begun:
            self.protocol.send_continuation(data, fin=False)
        elif text:
            self.protocol.send_text(data, fin=False, compress=compress)
        else:
            self.protocol.send_binary(data, fin=False, compress=compress)  # type: ignore[arg-type]  # a str was encoded above
        self._transmit(len(part))

    async def ping(self, data: DataLike | None = None, ack_on_close: bool = False) -> Awaitable[float]:
        """
        Send a ping.

        Args:
            data: 0 to 125 bytes, text as UTF-8; None picks something unique.
            ack_on_close: Whether the awaitable ends well when the connection closes before the pong.

        Returns:
            An awaitable that gives the latency in seconds when the pong has come; it may be left alone. When the
            connection closes before that, it raises `ConnectionClosed`, or gives NaN with ``ack_on_close``.

        Raises:
            ConnectionClosed: The connection is closed.
            TypeError: ``data`` has the wrong type; a caller's bug.
            ValueError: ``data`` is too long, or equals that of a ping that is not answered yet; a caller's bug.

        Spec:
            RFC 6455 §5.5.2, §5.5.3.
        """
        await self._check_open()
        payload = self.protocol.ping(data, now=monotonic())
        waiter: asyncio.Future[float] = self._loop.create_future()
        self._pings[payload] = waiter, ack_on_close
        self._transmit(len(payload))
        if not self._writable:
            await self._drain()
        return waiter

    async def pong(self, data: DataLike = b"") -> None:
        """
        Send a pong that nobody asked for; pings are answered without it.

        Args:
            data: 0 to 125 bytes, text as UTF-8.

        Raises:
            ConnectionClosed: The connection is closed.
            TypeError: ``data`` has the wrong type; a caller's bug.
            ValueError: ``data`` is too long; a caller's bug.

        Spec:
            RFC 6455 §5.5.3.
        """
        await self._check_open()
        self.protocol.pong(data)
        self._transmit(len(data))
        if not self._writable:
            await self._drain()

    async def _check_open(self) -> None:
        """Raise unless frames may be sent; a closing handshake is waited for."""
        if self.protocol.state is State.OPEN:
            return
        if self.protocol.state is State.CONNECTING:
            raise InvalidState("the opening handshake is not finished")
        await asyncio.shield(self._closed)
        raise self.protocol.close_exc

    # Closing

    async def close(
        self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, timeout: float | None = None
    ) -> None:
        """
        Close the connection, and wait until it is closed; harmless when it is already.

        Never takes longer than ``timeout`` or ``close_timeout``: the connection is dropped then. Messages that are not
        received yet can still be received, up to the limit of the queue.

        Args:
            code: 1000-1003, 1007-1014 or 3000-4999.
            reason: At most 123 bytes of UTF-8.
            timeout: Less time than ``close_timeout``, for this call; seconds, None for no other limit.

        Raises:
            TypeError: An argument has the wrong type; a caller's bug.
            ValueError: An argument is out of range; a caller's bug.

        Spec:
            RFC 6455 §7.1.2.
        """
        check_seconds("timeout", timeout)
        if self.protocol.state is State.CONNECTING:
            self.abort()
        else:
            self.protocol.close(code, reason, now=monotonic())
            self._changed()
        timer = None if timeout is None else self._loop.call_later(timeout, self.abort)
        try:
            await asyncio.shield(self._closed)
        finally:
            if timer is not None:
                timer.cancel()

    async def wait_closed(self) -> None:
        """Wait until the connection is closed; the cause does not matter."""
        if not self._closed.done():
            await asyncio.shield(self._closed)

    def abort(self) -> None:
        """
        Drop the connection at once, without a closing handshake.

        Spec:
            RFC 6455 §7.1.1.
        """
        self.protocol.abort()
        self._changed()
        # It may still be flushing what it holds, though the connection is over. Once it has done that, those of asyncio
        # cannot be aborted any more.
        if self.transport is not None and not self._closed.done():
            self.transport.abort()

    def _fail(self, code: int, reason: str, error: BaseException | None = None) -> None:
        self.protocol.fail(code, reason, now=monotonic(), error=error)
        self._changed()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; asyncio calls this."""
        # Not asserted to be an asyncio.Transport: those of uvloop have all its methods, but are none.
        self.transport = transport = cast(asyncio.Transport, transport)
        # With 0, transports over TLS pause writing at an empty buffer, and nothing would end that.
        transport.set_write_buffer_limits(max(self._write_high, 1), self._write_low)
        self._changed()

    def eof_received(self) -> bool:
        """Take the end of the stream; asyncio calls this."""
        self.protocol.receive_eof(monotonic())
        self._changed()
        # A client may close its side behind a plain HTTP request; TLS knows no half-closed connection.
        return self.protocol.state is not State.CLOSED and self.transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the loss of the transport; asyncio calls this."""
        error = exc if isinstance(exc, OSError) else None
        if error is not None:
            error.__traceback__ = None  # we keep the error, and its frames would keep us
        self.protocol.receive_eof(monotonic(), error)
        self._handle_events()
        for timer in (self._timer, self._last_timer):
            if timer is not None:
                timer.cancel()
        self._finish()
        self._part_from_transport()

    def _part_from_transport(self) -> None:
        """Undo references between a transport and us, which would wait for the garbage collector."""
        # Those over TLS keep methods of their protocol, also when they are done with it.
        if self.transport.get_extra_info("ssl_object") is not None:
            with suppress(AttributeError):  # some forget what they work with
                self.transport.set_protocol(_NOBODY)
        untie(self.transport)

    def pause_writing(self) -> None:
        """Take note that the write buffer is full; asyncio calls this."""
        self._writable = False
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        """Take note that the write buffer has room; asyncio calls this."""
        self._writable = True
        self.protocol.resume_writing()
        # Not at once: asyncio calls this while it writes, and if we write and that fails, it ends twice, with an error
        # in the log.
        self._flush_soon()
        for drainer in self._drainers:
            if not drainer.done():
                drainer.set_result(None)

    def _handle(self, event: object) -> None:
        """Handle an event that is not a message."""
        if isinstance(event, PingAcknowledged):
            waiter, _ = self._pings.pop(event.data, (None, False))
            if waiter is not None and not waiter.done():
                waiter.set_result(event.latency)
        elif isinstance(event, TimerLate):
            self.logger.warning("%s", f"keepalive ran {event.lag:.1f} s late: the event loop was blocked")

    def _changed(self) -> None:
        """Bring the transport and the timer in line with the protocol."""
        self._handle_events()
        self._flush()
        if self.protocol.close_sent is not None and not self._reading:
            self._resume_reading()
        if self.protocol.half_close or self.protocol.aborted:
            self._shut_down()
        self._set_timer()

    def _shut_down(self) -> None:
        """Close the sending side, or all (RFC 6455 §7.1.1)."""
        transport = self.transport
        if transport is None:
            return
        if self.protocol.aborted:
            transport.abort()
        elif transport.is_closing():
            return
        elif self.protocol.state is State.CLOSED or not transport.can_write_eof():
            self._shut = True
            transport.close()
            if self.protocol.options.close_timeout is not None:
                # What is written may never be read, and TLS may never be shut down: that ends, too.
                self._last_timer = self._loop.call_later(self.protocol.options.close_timeout, transport.abort)
        elif not self._shut:
            self._shut = True
            try:
                transport.write_eof()
            except OSError:  # the peer has reset the connection, and asyncio did not notice yet
                transport.abort()

    def _finish(self) -> None:
        """Tell everybody who waits that the connection is closed."""
        for waiter, ack_on_close in self._pings.values():
            if waiter.done():
                continue
            if ack_on_close:
                waiter.set_result(math.nan)
            else:
                waiter.set_exception(self.protocol.close_exc)
                waiter.exception()  # nobody has to look
        self._pings.clear()
        for future in (self._receiver, self._closed, self._fragmented, *self._drainers):
            if future is not None and not future.done():
                future.set_result(None)

    async def _drain(self) -> None:
        """Wait until the write buffer has room; raises ConnectionClosed if that will never be."""
        while not self._writable and not self._closed.done():
            drainer = self._loop.create_future()
            self._drainers.append(drainer)
            try:
                await drainer
            finally:
                self._drainers.remove(drainer)
        if self._closed.done():
            raise self.protocol.close_exc

    # Reading

    def _pause_reading(self) -> None:
        if self.protocol.state is State.OPEN and not self.transport.is_closing():
            self._reading = False
            self.transport.pause_reading()
            self.protocol.pause_reading(monotonic())

    def _resume_reading(self) -> None:
        self._reading = True
        if not self.transport.is_closing():
            self.transport.resume_reading()
        self.protocol.resume_reading(monotonic())
        self._set_timer()

    # Time

    def _set_timer(self) -> None:
        """Have `_tick` called when the next deadline comes; a timer that is too early is left alone."""
        deadline = self.protocol.next_deadline()
        if deadline is None or self.transport is None:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_later(max(deadline - monotonic(), 0), self._tick)
        self._timer_at = deadline

    def _tick(self) -> None:
        self._timer = None
        self.protocol.handle_deadline(monotonic())
        self._changed()
