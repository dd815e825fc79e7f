"""A connection on a socket: what clients and servers have in common."""

from __future__ import annotations

import math
import selectors
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from socket import SHUT_RDWR, SHUT_WR
from socket import socket as Socket  # a name of its own beside the attribute
from threading import Condition, Lock, current_thread, get_ident, main_thread
from threading import enumerate as enumerate_threads
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal
from weakref import ref

from twoway.frames import Buffer, CloseCode
from twoway.protocol import (
    ConcurrencyError,
    ConnectionClosedOK,
    ConnectionFacts,
    Inbox,
    InvalidState,
    LoggerLike,
    MaxQueue,
    Protocol,
    SharedMessage,
    SlowConsumer,
    State,
    TimerLate,
    check_seconds,
    check_write_limit,
    convert,
)

from ._io import DONE, IOThread, Watched
from ._logging import LateLogger
from ._native import ConnectionPath
from ._outbox import Outbox
from ._parts import Parts
from ._path import NOW, DataLike
from ._pong import Pong
from ._tls import TLS
from ._waiting import FOREVER, Deadline, readable, wait_on

if TYPE_CHECKING:
    from ssl import SSLObject
    from uuid import UUID

_READ = selectors.EVENT_READ
_WRITE = selectors.EVENT_WRITE


class Connection(ConnectionPath, Watched, ConnectionFacts):
    """
    Be what `ClientConnection` and `ServerConnection` have in common.

    Not made by users: `connect` and `serve` do that. All methods may be called by any thread at any time; one at a
    time may receive.

    Args:
        protocol: The connection without I/O; used, not copied.
        sock: A connected socket; closed at the end.
        tls: The TLS connection on it, None if there is none.
        io: The thread that looks after the socket while no other one reads.
        max_queue: High-water mark, or high and low mark, of received messages that wait; None for no limit.
        max_queue_bytes: High-water mark of their size, text counted in characters; None for no limit.
        write_limit: High-water mark, or high and low mark, of bytes that wait to be written.
        slow_consumer: What `send` does while more than that waits: ``"wait"`` until it does not, ``"skip"`` the
            message, or ``"close"`` the connection with 1008.
        logger: Gets what happens.

    Attributes:
        protocol: The connection without I/O; to be looked at only.
        socket: The socket; to be looked at only.
        logger: Gets what happens.
    """

    __slots__ = (
        "__weakref__", "_condition", "_cut", "_ended", "_id", "_io", "_last", "_late", "_local_address", "_on_end",
        "_pings", "_remote_address", "_shutting", "_turn_seen", "_wait_readable", "_write_high", "_write_low",
        "applied", "entry", "logger", "socket",
    )  # fmt: skip

    protocol: Protocol
    logger: LoggerLike
    socket: Socket
    applied: int
    entry: list[object] | None

    def __init__(
        self,
        protocol: Protocol,
        sock: Socket,
        tls: TLS | None,
        io: IOThread,
        *,
        max_queue: MaxQueue = 16,
        max_queue_bytes: int | None = None,
        write_limit: int | tuple[int, int | None] = 65536,
        slow_consumer: SlowConsumer = "wait",
        logger: LoggerLike,
    ) -> None:
        self.protocol = protocol
        self.socket = sock
        sock.setblocking(bool(NOW))
        self.logger = logger
        self.applied = 0
        self.entry: list[object] | None = None
        self._io = io
        self._id: UUID | None = None
        self._lock = Lock()
        self._condition: Condition | None = None  # made when somebody waits
        self._waiters = 0
        self._late = protocol.options.logger if isinstance(protocol.options.logger, LateLogger) else None
        self._local_address = sock.getsockname()
        self._remote_address: Any = None
        with suppress(OSError):  # the peer may have gone already
            self._remote_address = sock.getpeername()
        self._tls = tls
        self._fd = sock.fileno() if NOW and tls is None else -1
        # Reading
        self._inbox = Inbox(max_queue, max_queue_bytes)
        self._receiver = self._reader = self._parts = None
        self._watched = self._reading = True
        self._wait_readable: Callable[[float | None], object] | None = None
        self._turn = 0
        self._turn_seen = 0  # the count when the I/O thread looked
        self._tell = self._dropping = self._eof = False
        # Writing
        self._write_high, self._write_low = check_write_limit(write_limit)
        self._slow_consumer = slow_consumer
        self._outbox = Outbox(tls)
        self._rest = b""
        self._writing = self._stuck = self._shut = False
        self._writable = True
        self._fragmenting = None
        # The end
        self._pings: dict[bytes, Pong] = {}
        self._shutting = 0  # how many threads shut down the socket
        self._cut = False  # whether reading is over, too
        self._last: float | None = None  # when to drop what is written, but not taken by the peer
        self._ended = False  # whether the socket is closed
        self._on_end: list[Callable[[], object]] = []

    # Facts

    @property
    def ssl_object(self) -> SSLObject | None:
        """Give the object with certificates and cipher of a TLS connection, None if it is none."""
        return None if self._tls is None else self._tls.object

    @property
    def local_address(self) -> Any:
        """Give the local address, as ``socket.getsockname`` does."""
        return self._local_address

    @property
    def remote_address(self) -> Any:
        """Give the peer's address, as ``socket.getpeername`` does."""
        return self._remote_address

    @property
    def buffered_amount(self) -> int:
        """Say how much waits to be written; bytes."""
        return self._outbox.size + len(self._rest)

    # Receiving

    def __iter__(self) -> Iterator[Any]:
        """
        Iterate over the messages, until the connection is closed with 1000, 1001 or no code.

        Raises:
            ConnectionClosedError: The connection ended in another way.
        """
        try:
            while True:
                yield self.recv()
        except ConnectionClosedOK:
            return

    def recv_batch(self, timeout: float | None = None, decode: bool | None = None) -> list[Any]:
        """
        Receive all the messages that wait, at least one. A timeout loses nothing.

        Args:
            timeout: As in `recv`; for the first message.
            decode: As in `recv`.

        Returns:
            The messages in order, each as from `recv`.

        Raises:
            ConnectionClosed: The connection is closed, and all messages before that were received.
            ConcurrencyError: Another call waits for a message already; a caller's bug.
            TimeoutError: The time is over.
            UnicodeDecodeError: ``decode`` is True and a binary message is not UTF-8; that message, and those before
                it in the batch, are lost.

        Spec:
            RFC 6455 §6.2.

        Cost:
            One call for what arrived together.
        """
        messages = self._receive(self._take_batch, timeout)
        return messages if decode is None else [convert(message, decode) for message in messages]

    def _take_batch(self) -> list[str | bytes] | None:
        messages: list[str | bytes] = []
        while (message := self._inbox.get()) is not None:
            messages.append(message)
        return messages or None

    def recv_streaming(self, decode: bool | None = None, timeout: float | None = None) -> Iterator[Any]:
        """
        Receive the next message in the parts in which it comes.

        When the iteration ends early, the next call that receives skips the rest of the message.

        Args:
            decode: True gives ``str`` for binary messages, too; False gives ``bytes`` for text messages, too;
                None gives what was sent.
            timeout: For each part; seconds, None waits for ever.

        Returns:
            An iterator that gives a part for each frame; the parts of a text are cut between characters. Its
            steps raise what is listed here.

        Raises:
            ConnectionClosed: The connection is closed before the message is complete.
            ConcurrencyError: Another call receives already; a caller's bug.
            TimeoutError: The time is over; the iteration may go on.
            UnicodeDecodeError: ``decode`` is True and a part of a binary message is not UTF-8.

        Spec:
            RFC 6455 §5.4.
        """
        check_seconds("timeout", timeout)
        return Parts(self, decode, timeout)

    def _receive(self, take: Callable[[], object], timeout: float | None, parts: Parts | None = None) -> Any:
        """Give what ``take`` gives, when it gives something."""
        if timeout is not None:
            check_seconds("timeout", timeout)
        me = get_ident()
        try:
            with self._lock:
                if self._receiver is not None or self._parts is not None or parts is not None:
                    self._claim(parts)
                item = take()
                if item is None:
                    self._receiver = me
                    self._inbox.wanted = True
                elif not self._reading and self._inbox.low:
                    self._resume_reading()
            if item is not None:
                if self._tell:
                    self._arrange()
                return item
            return self._wait_for(take, FOREVER if timeout is None else Deadline(timeout))
        except ConcurrencyError:  # who waits may be this thread, interrupted by a signal handler
            me = -1
            raise
        finally:
            if self._receiver == me:
                self._leave()

    def _claim(self, parts: Parts | None) -> None:
        """Make sure that nobody else receives, and note who does so in parts."""
        owner = None if self._parts is None else self._parts()
        if self._receiver is not None or (owner is not None and owner is not parts):
            names = [f": {thread.name} does" for thread in enumerate_threads() if thread.ident == self._receiver]
            who = names[0] if names else ""
            raise ConcurrencyError(f"recv() and recv_streaming() cannot be called while another call receives{who}")
        self._parts = None if parts is None else ref(parts)

    def _release_parts(self, parts: Parts) -> None:
        with self._lock:
            if self._parts is not None and self._parts() is parts:
                self._parts = None

    def _wait_for(self, take: Callable[[], object], deadline: Deadline) -> Any:
        """Read in this thread until there is something to take, or will never be."""
        while True:
            with self._lock:
                item = take()
                if item is not None:
                    return item
                if self.protocol.state is State.CLOSED:
                    raise self.protocol.close_exc
                self._check_begun()
                failing = self.protocol.failing
                if failing:  # and what came before the violation has been received
                    self.protocol.fail_deferred(monotonic())
                mine = self._begin_reading()
            if failing:
                self._settle()
            elif self._tell:
                self._arrange()
            if mine:
                self._read(deadline)
            else:
                self._wait(lambda: not self._reader, deadline)

    def _check_begun(self) -> None:
        """Raise if it is too early to receive."""
        if self.protocol.state is State.CONNECTING:
            raise InvalidState("the opening handshake is not finished")

    def _leave(self) -> None:
        """End a call that receives."""
        with self._lock:
            if self._reader == self._receiver:  # Ctrl-C came before the system call
                self._reader = None
            self._unclaim()
        if self._tell:
            self._arrange()

    def _unclaim(self) -> None:
        self._receiver = None
        self._inbox.wanted = False
        if self._waiters and not self._watched:  # somebody else depends on what comes next
            self._watch()
            self._tell = True

    # Reading

    def _begin_reading(self) -> bool:
        """Take the role of who reads, and the socket from the I/O thread; false while another thread has it."""
        if self._reader:
            return False
        self._reader = get_ident()
        self._turn += 1
        if not self._reading and self._inbox.low:
            self._resume_reading()
        if self._watched:
            self._watched = False
            self._tell = True
        return True

    def _read(self, deadline: Deadline) -> None:
        """Wait for bytes, and take them; called by who has the role of doing so."""
        if NOW and deadline.at is None and get_ident() != main_thread().ident:
            self._read_now(0)
            return
        # Signals interrupt the main thread only: here they may, for nothing is lost.
        wait = self._wait_readable
        if wait is None:
            wait = self._wait_readable = readable(self.socket)
        try:
            ready = wait(None if deadline.at is None else deadline.left())
        except BaseException:
            self._end_reading()
            raise
        if not ready:
            self._end_reading()
            raise TimeoutError("no message in time")
        self._read_now()

    def _end_reading(self) -> None:
        with self._lock:
            self._reader = None
            self._notify()

    def _watch(self) -> None:
        """Have the I/O thread read, unless there is no room for what may come."""
        self._watched = True
        if self._reading and self._inbox.full:
            self._pause_reading()

    def _pause_reading(self) -> None:
        if self.protocol.state is State.OPEN:
            self._reading = False
            self.protocol.pause_reading(monotonic())

    def _resume_reading(self) -> None:
        self._reading = True
        self._tell = self._tell or self._watched
        self.protocol.resume_reading(monotonic())

    # Sending

    def _get_ready(self, deadline: Deadline) -> bool:
        """Wait until a message may be sent; false if it is to be skipped."""
        if self._fragmenting is current_thread():
            raise ConcurrencyError("send() cannot be called while this thread sends a fragmented message")
        if not self._wait(lambda: self._fragmenting is None or self.protocol.state is State.CLOSED, deadline):
            raise TimeoutError("another thread is sending a fragmented message: nothing was sent")
        self._check_open(deadline)
        if self._writable or self._slow_consumer == "wait":
            return True
        if self._slow_consumer == "close":
            self._fail(CloseCode.POLICY_VIOLATION, "too slow to receive")
            raise self.protocol.close_exc
        return False

    def _send_fragments(
        self, parts: Iterable[DataLike], text: bool | None, compress: bool | None, deadline: Deadline
    ) -> bool:
        """Send one frame for each part, and an empty one that ends the message."""
        iterator = iter(parts)
        if not self._begin_fragments(deadline):
            return False
        begun = finished = False
        uniform = text is None
        try:
            for part in iterator:
                if text is None:
                    text = isinstance(part, str)
                elif uniform and isinstance(part, str) is not text:
                    raise TypeError("message must not mix str and bytes-like parts, unless text says what they are")
                data = part.encode() if isinstance(part, str) and not text else part
                self._send_fragment(data, text, begun, compress, deadline)
                begun = True
                if not self._writable:
                    self._drain(deadline)
            if begun:
                self._check_open(deadline)
                self._send_frame(partial(self.protocol.send_continuation, b"", fin=True))
            finished = True
        finally:
            with self._lock:
                self._fragmenting = None
                self._notify()
            if begun and not finished and self.state is State.OPEN:
                self._fail(CloseCode.INTERNAL_ERROR, "fragmented message was not finished")
        return True

    def _begin_fragments(self, deadline: Deadline) -> bool:
        """Be the only thread that sends a fragmented message."""
        while True:
            if not self._get_ready(deadline):
                return False
            with self._lock:
                if self._fragmenting is None:
                    self._fragmenting = current_thread()
                    return True

    def _send_fragment(
        self, data: DataLike, text: bool, begun: bool, compress: bool | None, deadline: Deadline
    ) -> None:
        self._check_open(deadline)
        if begun:
            self._send_frame(partial(self.protocol.send_continuation, data, fin=False))
        elif text:
            self._send_frame(partial(self.protocol.send_text, data, fin=False, compress=compress))
        else:
            self._send_frame(partial(self.protocol.send_binary, data, fin=False, compress=compress))  # type: ignore[arg-type]  # a str was encoded above

    def ping(self, data: DataLike | None = None, ack_on_close: bool = False) -> Pong:
        """
        Send a ping.

        Never waits: what the socket does not take is written later.

        Args:
            data: 0 to 125 bytes, text as UTF-8; None picks something unique.
            ack_on_close: Whether waiting ends well when the connection closes before the pong.

        Returns:
            Something to wait on for the pong; it may be left alone. When the connection closes before that, waiting
            raises `ConnectionClosed`, or gives NaN with ``ack_on_close``.

        Raises:
            ConnectionClosed: The connection is closed.
            TypeError: ``data`` has the wrong type; a caller's bug.
            ValueError: ``data`` is too long, or equals that of a ping that is not answered yet; a caller's bug.

        Spec:
            RFC 6455 §5.5.2, §5.5.3.
        """
        pong = Pong(self, ack_on_close)

        def frame() -> None:
            self._pings[self.protocol.ping(data, now=monotonic())] = pong

        self._check_open(FOREVER)
        self._send_frame(frame)
        return pong

    def pong(self, data: DataLike = b"") -> None:
        """
        Send a pong that nobody asked for; pings are answered without it.

        Never waits: what the socket does not take is written later.

        Args:
            data: 0 to 125 bytes, text as UTF-8.

        Raises:
            ConnectionClosed: The connection is closed.
            TypeError: ``data`` has the wrong type; a caller's bug.
            ValueError: ``data`` is too long; a caller's bug.

        Spec:
            RFC 6455 §5.5.3.
        """
        self._check_open(FOREVER)
        self._send_frame(partial(self.protocol.pong, data))

    def _send_frame(self, frame: Callable[[], object]) -> None:
        """Send what ``frame`` gives to the protocol."""
        try:
            with self._lock:
                if self.protocol.state is not State.OPEN:
                    raise self.protocol.close_exc
                frame()
                output = self._begin_writing()
        except Exception:
            raise
        except BaseException as exc:  # Ctrl-C: nobody knows how far that came
            self.break_off(exc)
            raise
        if output is not None:
            self._write(output)
        if self._late is not None:
            self._late.write()

    def _send_shared(self, message: SharedMessage) -> Literal["sent", "busy", "slow"]:
        """Send a part of a broadcast, if that is possible without waiting."""
        with self._lock:
            if self.protocol.state is not State.OPEN or self._fragmenting is not None or self.protocol.in_message:
                return "busy"
            if not self._writable:
                return "slow"
            self.protocol.send_shared(message)
            output = self._begin_writing()
        if output is not None:
            self._write(output)
        if self._late is not None:
            self._late.write()
        return "sent"

    def _check_open(self, deadline: Deadline) -> None:
        """Raise unless frames may be sent; a closing handshake is waited for."""
        if self.protocol.state is State.OPEN:
            return
        self._check_begun()
        if not self._wait(lambda: self.protocol.state is State.CLOSED, deadline):
            raise TimeoutError("the connection is closing: nothing was sent")
        raise self.protocol.close_exc

    def _drain(self, deadline: Deadline) -> None:
        """Wait until the write buffer has room; raises ConnectionClosed if that will never be."""
        done = self._wait(lambda: self._writable or self.protocol.state is State.CLOSED, deadline)
        if self.protocol.state is State.CLOSED:
            raise self.protocol.close_exc
        if not done:
            raise TimeoutError("the peer does not read fast enough: the message is on its way")

    # Writing

    def _next_output(self) -> Buffer | None:
        """Take what is to be written next."""
        try:
            data = self._rest or self._outbox.take()
        except OSError as exc:  # ssl.SSLError
            exc.__traceback__ = None
            self.protocol.receive_eof(monotonic(), exc)
            self._drop_output()
            self._tell = True
            return None
        if data is None and self.protocol.half_close and not self.protocol.aborted and not self._unwritten():
            data = self._outbox.close()
        self._rest = b"" if data is None else data
        return data

    def _check_room(self) -> None:
        """Take note when the write buffer goes over its limit, and when it has room again."""
        size = self._outbox.size + len(self._rest)
        if self._writable:
            if size > self._write_high:
                self._writable = False
                self.protocol.pause_writing()
        elif size <= (self._write_low or 0):
            self._writable = True
            self.protocol.resume_writing()
            self._outbox.put(self.protocol.data_to_send())
            self._notify()

    def _drop_output(self) -> None:
        """Write nothing any more."""
        self._outbox.clear()
        self._rest = b""
        self._shut = True
        self._stuck = False

    def _lose(self, error: OSError) -> None:
        """End because the socket cannot be written; what has arrived before, as a Close frame, still counts."""
        error.__traceback__ = None
        while self.protocol.state is not State.CLOSED:
            with self._lock:
                if self._reader:  # that thread will find out, too
                    return
                self._reader = get_ident()
            if not self._read_now():
                break
        with self._lock:
            self.protocol.receive_eof(monotonic(), error)
        self._settle()

    # Closing

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, timeout: float | None = None) -> None:
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
        self._begin_close(code, reason)
        if not self._wait(lambda: self._ended, Deadline(timeout)):
            self.abort()
            self._wait(lambda: self._ended, FOREVER)

    def _begin_close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, without waiting for its end."""
        with self._lock:
            if self.protocol.state is State.CONNECTING:
                self.protocol.abort()
            else:
                self.protocol.close(code, reason, now=monotonic())
        self._settle()

    def wait_closed(self, timeout: float | None = None) -> None:
        """
        Wait until the connection is closed; the cause does not matter.

        Args:
            timeout: Seconds; None waits for ever.

        Raises:
            TimeoutError: The time is over.
        """
        check_seconds("timeout", timeout)
        if not self._wait(lambda: self._ended, Deadline(timeout)):
            raise TimeoutError("the connection is not closed yet")

    def abort(self) -> None:
        """
        Drop the connection at once, without a closing handshake.

        Spec:
            RFC 6455 §7.1.1.
        """
        with self._lock:
            self.protocol.abort()
            self._drop_output()
            self._cut_off()
        self._settle()

    def _cut_off(self) -> None:
        """Have the socket closed even if it is still being flushed."""
        self._last = -math.inf

    def _fail(self, code: int, reason: str, error: BaseException | None = None) -> None:
        with self._lock:
            self.protocol.fail(code, reason, now=monotonic(), error=error)
        self._settle()

    def break_off(self, error: BaseException) -> None:
        """
        End at once, because something that must not be interrupted was.

        Args:
            error: What was raised.
        """
        self.abort()

    # Keeping socket, deadlines and waiting threads in line with the protocol

    def _settle(self, events: list[object] | None = None) -> None:
        """Write what is to be written, tell what has happened; called without the lock after any change."""
        with self._lock:
            others = [*(events or ()), *self._sort_events()]
            if self.protocol.close_sent is not None and not self._reading:
                self._resume_reading()
            if self._tls is not None and not self._tls.established and self.protocol.state is State.CLOSING:
                self.protocol.abort()  # whatever there is to say, nobody would understand it
            if self.protocol.state is State.CLOSED:
                self._finish()
            output = self._begin_writing()
        if output is not None:
            self._write(output)
        if self._late is not None:
            self._late.write()
        for event in others:
            self.handle(event)
        self._arrange()

    def handle(self, event: object) -> None:
        """
        Take an event that is not a message; called without the lock.

        Args:
            event: Of the protocol.
        """
        if isinstance(event, TimerLate):
            self.logger.warning("%s", f"keepalive ran {event.lag:.1f} s late: the I/O thread was blocked")

    def _finish(self) -> None:
        """Take note that the connection is over; what is written may still be on its way."""
        if self.protocol.aborted:
            self._drop_output()
        elif self._last is None:
            timeout = self.protocol.options.close_timeout
            self._last = math.inf if timeout is None else monotonic() + timeout
        for pong in self._pings.values():
            pong.fail()
        self._pings.clear()
        self._notify()

    def _arrange(self) -> None:
        """Shut down the socket if it is time to, and tell the I/O thread if there is something new for it."""
        with self._lock:
            how = self._how_to_shut_down()
            self._shutting += how is not None
        if how is not None:
            try:
                with suppress(OSError):  # it may be disconnected already
                    self.socket.shutdown(how)
            finally:
                self._shut_down()
        with self._lock:
            tell = self._tell or self._wanted() != self.applied or self._is_earlier()
            self._tell = False
            lent = not self._watched
        if tell and self.applied != DONE:
            self._io.update(self, lent)

    def _shut_down(self) -> None:
        with self._lock:
            self._shutting -= 1

    def _is_earlier(self) -> bool:
        """Tell whether something is due before the I/O thread looks."""
        deadline, entry = self.deadline(), self.entry
        return deadline is not None and (entry is None or deadline < entry[0])  # type: ignore[operator]

    def _how_to_shut_down(self) -> int | None:
        """Say which sides of the socket are to be closed now (RFC 6455 §7.1.1); None for no change."""
        if self.protocol.aborted:
            if not self._cut:
                self._cut = self._shut = True
                return SHUT_RDWR  # wakes the thread that reads
        elif self.protocol.half_close and not self._shut and not self._writing and not self._unwritten():
            self._shut = True
            return SHUT_WR
        return None

    def _wait(self, done: Callable[[], object], deadline: Deadline) -> bool:
        """Wait until something is the case, while the I/O thread reads; false when the time is over."""
        with self._lock:
            if done():
                return True
            if self._condition is None:
                self._condition = Condition(self._lock)
            self._waiters += 1
            if self._receiver is None and not self._watched:
                self._watch()
                self._tell = True
        try:
            if self._tell:
                self._arrange()
            with self._condition:
                return wait_on(self._condition, done, deadline)
        finally:
            with self._lock:
                self._waiters -= 1

    def _notify(self) -> None:
        """Have all threads that wait look again."""
        if self._condition is not None:
            self._condition.notify_all()

    # What the I/O thread calls

    def interest(self) -> int:
        """
        Say what to wait for.

        Returns:
            A mask of ``selectors``, or `DONE`.
        """
        with self._lock:
            return self._wanted()

    def _wanted(self) -> int:
        if self.protocol.state is State.CLOSED and (self._shut or not (self._writing or self._unwritten())):
            return 0 if self._reader or self._writing or self._shutting else DONE
        reading = self._watched and self._reading and not self._eof and self.protocol.state is not State.CLOSED
        return (_READ if reading else 0) | (_WRITE if self._stuck else 0)

    def _unwritten(self) -> bool:
        """Tell whether something is still to be written, though perhaps another thread is only about to do so."""
        self._outbox.put(self.protocol.data_to_send())
        return self.buffered_amount > 0

    def ready(self, mask: int) -> None:
        """
        Read or write, now that it is possible.

        Args:
            mask: What is possible; of ``selectors``.
        """
        if mask & _WRITE:
            self._write_rest()
        if mask & _READ:
            with self._lock:
                mine = bool(self._wanted() & _READ) and not self._reader
                if mine:
                    self._reader = get_ident()
            if mine:
                self._read_now()

    def _write_rest(self) -> None:
        with self._lock:
            self._stuck = False
            output = self._begin_writing()
        if output is not None:
            self._write(output)
        self._arrange()

    def deadline(self) -> float | None:
        """
        Say when `tick` is to be called.

        Returns:
            Time on the clock of ``monotonic``; None for never.
        """
        if self.protocol.state is not State.CLOSED:
            return self.protocol.next_deadline()
        return None if self._last == math.inf else self._last

    def tick(self) -> None:
        """Do what is due."""
        if self._receiver is None and self._reading:  # a sign of life may have arrived that nobody has read
            with self._lock:
                self._watch()
            self.ready(_READ)
        now = monotonic()
        with self._lock:
            if self.protocol.state is not State.CLOSED:
                self.protocol.handle_deadline(now)
            elif self._last is not None and now >= self._last:
                self._drop_output()
        self._settle()

    def idle(self) -> bool:
        """
        Look whether the thread that reads the socket still does.

        Returns:
            True when there is no need to ask again.
        """
        with self._lock:
            if self._watched or self.protocol.state is State.CLOSED:
                return True
            if self._turn != self._turn_seen:
                self._turn_seen = self._turn
                return False
            if self._receiver is None:
                self._watch()
            else:
                self._tell = True  # it waits for long: it says when it has left
            return True

    def release(self) -> None:
        """Close the socket; the I/O thread calls this."""
        self.socket.close()
        with self._lock:
            events = self._sort_events()
            self._ended = True
            self._finish()
            calls, self._on_end = self._on_end, []
        for event in events:
            self.handle(event)
        for call in calls:
            call()

    def _at_end(self, call: Callable[[], object]) -> None:
        """Have something called when the socket is closed."""
        with self._lock:
            if not self._ended:
                self._on_end.append(call)
                return
        call()

    def disown(self) -> None:
        """Forget the socket, which belongs to the parent process; called after a fork, in the child."""
        self._lock = Lock()
        self._condition = None
        self._reader, self._writing = None, False
        self.protocol.abort()
        self.socket.close()
        self._ended = self._cut = self._shut = True
