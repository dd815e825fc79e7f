"""What every message goes through in a connection on a socket: the part that has a compiled twin."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from socket import socket as Socket  # a name of its own beside the attribute
from threading import Lock, get_ident
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import ref

from twoway.frames import Buffer, Fragment
from twoway.protocol import Inbox, PingAcknowledged, Protocol, SlowConsumer, State, check_seconds, convert

from ._outbox import Outbox
from ._parts import Parts
from ._tls import TLS
from ._waiting import FOREVER, Deadline

if sys.platform == "linux":
    from socket import MSG_DONTWAIT

if TYPE_CHECKING:
    from threading import Thread

    from ._logging import LateLogger
    from ._pong import Pong

#: A message, or a part of one, as the application gives it.
DataLike: TypeAlias = str | Buffer

#: Where a call can be told not to wait, sockets are left blocking, for the one call that may: that of `recv`.
NOW = MSG_DONTWAIT if sys.platform == "linux" else 0
_ITEMS = (str, bytes, Fragment)
_CHUNK = 65536  # bytes that are read at a time


class ConnectionPath:
    """Be the part of `Connection` that receives and sends whole messages; what it needs besides is there."""

    # How threads share a connection: `_lock` guards everything here and the protocol, and nobody holds it across a
    # system call. Who makes one on the socket holds a role instead: one thread at a time reads (`_reader`), one at a
    # time writes (`_writing`), and the socket is closed when nobody has a role any more. Reading is up to the I/O
    # thread while `_watched` is true, and to the thread in `recv` otherwise. When that thread has left, the
    # I/O thread takes over after a while, so that a loop of calls does not pay for it each time; `_waiters` makes
    # it do so at once.
    __slots__ = (
        "_dropping", "_eof", "_fd", "_fragmenting", "_inbox", "_lock", "_outbox", "_parts", "_reader", "_reading",
        "_receiver", "_rest", "_shut", "_slow_consumer", "_stuck", "_tell", "_tls", "_turn", "_waiters", "_watched",
        "_writable", "_writing", "protocol",
    )  # fmt: skip

    protocol: Protocol
    _dropping: bool  # whether what arrives is not kept any more
    _eof: bool  # whether nothing more can arrive, though something may still be sent
    _fd: int  # of the socket if calls may wait there, else -1
    _fragmenting: Thread | None  # who sends a fragmented message
    _inbox: Inbox
    _lock: Lock
    _outbox: Outbox
    _parts: ref[Parts] | None  # who receives a message in parts
    _reader: int | None  # which thread reads the socket
    _reading: bool  # whether there is room for what may come
    _receiver: int | None  # which thread is in `recv`
    _rest: Buffer  # what was taken from the outbox, and is not written yet
    _shut: bool  # whether nothing more can be written
    _slow_consumer: SlowConsumer
    _stuck: bool  # whether the socket took no more, and the I/O thread waits until it does
    _tell: bool  # whether the I/O thread wants to be told when the thread that reads has left
    _tls: TLS | None
    _turn: int  # counts the times that a thread other than the I/O thread began to read
    _waiters: int  # how many threads wait for something other than a message
    _watched: bool  # whether the I/O thread reads when there is something to read
    _writable: bool  # whether less waits than allowed
    _writing: bool  # whether a thread writes to the socket

    if TYPE_CHECKING:
        socket: Socket
        _late: LateLogger | None
        _pings: dict[bytes, Pong]

        def break_off(self, error: BaseException) -> None:
            """End at once, because something that must not be interrupted was."""

        def _arrange(self) -> None: ...
        def _check_room(self) -> None: ...
        def _drain(self, deadline: Deadline) -> None: ...
        def _drop_output(self) -> None: ...
        def _get_ready(self, deadline: Deadline) -> bool: ...
        def _leave(self) -> None: ...
        def _lose(self, error: OSError) -> None: ...
        def _next_output(self) -> Buffer | None: ...
        def _notify(self) -> None: ...
        def _pause_reading(self) -> None: ...
        def _read(self, deadline: Deadline) -> None: ...
        def _receive(self, take: Callable[[], object], timeout: float | None, parts: Parts | None = None) -> Any: ...
        def _send_fragments(
            self, parts: Iterable[DataLike], text: bool | None, compress: bool | None, deadline: Deadline
        ) -> bool: ...
        def _settle(self, events: list[object] | None = None) -> None: ...

    # Receiving

    def recv(self, timeout: float | None = None, decode: bool | None = None) -> Any:
        """
        Receive the next message. A timeout loses nothing.

        Args:
            timeout: Seconds; 0 takes what has arrived, None waits for ever.
            decode: True gives ``str`` for binary messages, too; False gives ``bytes`` for text messages, too;
                None gives what was sent.

        Returns:
            ``str`` for a text message, ``bytes`` for a binary one.

        Raises:
            ConnectionClosed: The connection is closed, and all messages before that were received.
            ConcurrencyError: Another call waits for a message already; a caller's bug.
            TimeoutError: The time is over.
            UnicodeDecodeError: ``decode`` is True and a binary message is not UTF-8.

        Spec:
            RFC 6455 §6.2.

        Cost:
            Reads the socket in this thread, without another one between.
        """
        message = self._receive_quickly() if timeout is None else None
        if message is None:
            message = self._receive_quickly() if timeout is None else None
        if message is None:
            message = self._receive(self._inbox.get, timeout)
        return message if decode is None else convert(message, decode)

    def _receive_quickly(self) -> str | bytes | None:
        """Do what `_receive` does when nothing is in the way; None if something is, or no whole message has come."""
        protocol, inbox = self.protocol, self._inbox
        me = get_ident()
        try:
            with self._lock:
                if self._reader or self._receiver is not None or self._parts is not None or not self._reading:
                    return None
                message = inbox.get()
                if message is not None:
                    return message
                if self._watched or protocol.state is not State.OPEN or protocol.failing:
                    return None
                self._receiver = self._reader = me
                self._turn += 1
            self._read(FOREVER)
            with self._lock:
                return inbox.get()
        finally:
            if self._receiver == me:
                self._leave()

    def _read_now(self, flags: int = NOW) -> bool:
        """Take the bytes that are there, or with 0 wait for them; tell whether there were any."""
        data: bytes | None = None
        error: OSError | None = None
        try:
            data = self.socket.recv(_CHUNK, flags)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as exc:
            error = exc
            error.__traceback__ = None  # we keep the error, and its frames would keep us
        except BaseException as exc:  # between the system call and here, bytes may have been lost
            self._reader = None
            self.break_off(exc)
            raise
        return self._read_out(data, error)

    def _read_out(self, data: bytes | None, error: OSError | None) -> bool:
        """Take what a read gave, nothing for None, and give back the role; tell whether there were any bytes."""
        try:
            with self._lock:
                self._reader = None
                more = self._take_in(data, error)
        except BaseException as exc:  # as above
            self._reader = None
            self.break_off(exc)
            raise
        if more is not None:
            self._settle(more)
        elif self._late is not None:
            self._late.write()
        return bool(data)

    def _take_in(self, data: bytes | None, error: OSError | None) -> list[object] | None:
        """Give bytes to the protocol; returns events other than messages if there is more to do."""
        protocol = self.protocol
        now = monotonic()
        if data and self._tls is None:
            protocol.receive_data(data, now)
        elif data and self._tls is not None:
            try:
                plain = self._tls.receive(data)
            except OSError as exc:  # ssl.SSLError
                plain, error = b"", exc
                error.__traceback__ = None
            if plain:
                protocol.receive_data(plain, now)
            if error is not None or self._tls.eof:
                protocol.receive_eof(now, error)
                protocol.receive_eof(now, error)  # TLS knows no half-closed connection
        elif data is not None or error is not None:
            self._eof = True
            protocol.receive_eof(now, error)
        others = self._sort_events()
        if self._watched and self._reading and self._inbox.full:  # who reads in `recv` stops by itself
            self._pause_reading()
        if self._waiters:
            self._notify()
        usual = protocol.state is State.OPEN and not protocol.failing and self._reading
        if others or not usual or (self._tls is not None and self._tls.pending):
            return others
        return None

    def _sort_events(self) -> list[object]:
        """Keep the messages, finish pings; give the other events."""
        others: list[object] = []
        for event in self.protocol.events():
            if isinstance(event, _ITEMS):
                if self.protocol.close_sent is None:
                    self._inbox.put(event)
                else:
                    self._put_late(event)
                continue
            others.append(event)
            if isinstance(event, PingAcknowledged):
                pong = self._pings.pop(event.data, None)
                if pong is not None:
                    pong.latency = event.latency
        return others

    def _put_late(self, item: str | bytes | Fragment) -> None:
        # While we close, nobody may be reading: what is over the limit is dropped to let the Close frame through,
        # and what comes after that, too, for a message with a hole would be worse than none. What arrives together
        # with the peer's Close frame is all there is, and was sent in good time: that is kept.
        if not self._dropping:
            self._dropping = self.protocol.close_rcvd is None and self._inbox.full
        if not self._dropping:
            self._inbox.put(item)

    # Sending

    def send(
        self,
        message: DataLike | Iterable[DataLike],
        *,
        text: bool | None = None,
        compress: bool | None = None,
        timeout: float | None = None,
    ) -> bool:
        """
        Send a message.

        ``str`` is sent as a text message, bytes-like objects as a binary one; an iterable is sent as a fragmented
        message, one frame for each item.

        Waits while the write buffer is over its limit, unless ``slow_consumer`` says otherwise. A timeout then does
        not take the message back; one in the middle of a fragmented message fails the connection with 1011, for the
        peer cannot go on from there.

        Args:
            message: What to send; not kept.
            text: True sends bytes-like objects, which must be UTF-8, as text; False sends ``str`` as binary.
            compress: True compresses the message, False does not; None lets the extension decide. Without
                permessage-deflate on the connection it makes no difference.
            timeout: Seconds; None waits for ever.

        Returns:
            True; False if the message was skipped because the peer is too slow.

        Raises:
            ConnectionClosed: The connection is closed, or was failed because the peer is too slow.
            TimeoutError: The time is over. The message is on its way all the same, unless the error says that
                nothing was sent.
            TypeError: ``message`` has the wrong type; a caller's bug.
            ValueError: A text is not UTF-8, or has a lone surrogate; a caller's bug.

        Spec:
            RFC 6455 §5.4, §6.1.

        Cost:
            Writes from this thread as far as the socket takes it; the I/O thread writes the rest.
        """
        if timeout is not None:
            check_seconds("timeout", timeout)
        if isinstance(message, (str, bytes, bytearray, memoryview)):
            return self._send_message(message, text, compress, timeout)
        if isinstance(message, Mapping):
            raise TypeError("message must not be a mapping: did you mean its keys, or a JSON text?")
        if not isinstance(message, Iterable):
            raise TypeError(f"message must be str, bytes-like or an iterable of these, not {type(message).__name__}")
        return self._send_fragments(message, text, compress, Deadline(timeout))

    def _send_message(self, message: DataLike, text: bool | None, compress: bool | None, timeout: float | None) -> bool:
        protocol = self.protocol
        ready, deadline, output = False, FOREVER, None
        while True:
            try:
                with self._lock:
                    if protocol.state is State.OPEN and self._fragmenting is None and (self._writable or ready):
                        if (isinstance(message, str) and text is not False) or text:
                            protocol.send_text(message, compress=compress)
                        else:
                            data = message.encode() if isinstance(message, str) else message
                            protocol.send_binary(data, compress=compress)
                        output = self._begin_writing()
                        break
            except Exception:
                raise
            except BaseException as exc:  # Ctrl-C: nobody knows how far that came
                self.break_off(exc)
                raise
            if not ready and timeout is not None:
                deadline = Deadline(timeout)
            ready = self._get_ready(deadline)  # perhaps not for long: another thread may be faster
            if not ready:
                return False
        if output is not None:
            self._write(output)
        if self._late is not None:
            self._late.write()
        return self._sent(deadline if ready else Deadline(timeout))

    def _sent(self, deadline: Deadline = FOREVER) -> bool:
        """Wait after a message if that is what `slow_consumer` says."""
        if not self._writable and self._slow_consumer == "wait":
            self._drain(deadline)
        return True

    def _begin_writing(self) -> Buffer | None:
        """Take what the protocol holds, and the role of who writes; None if there is nothing to do."""
        output = self.protocol.data_to_send()
        if self._shut:
            return None
        if self._tls is None and len(output) == 1 and not (self._writing or self._stuck or self._outbox.size):
            self._writing = True  # the usual case, without the detours
            self._rest = output[0]
            return output[0]
        if output:
            self._outbox.put(output)
        if self._writing or self._stuck:
            self._check_room()
            return None
        data = self._next_output()
        if data is not None:
            self._writing = True
        return data

    def _write(self, data: Buffer) -> None:
        """Write to the socket as far as it takes; called by who has the role of doing so."""
        try:
            try:
                sent, error = self.socket.send(data, NOW), None
            except (BlockingIOError, InterruptedError):
                sent, error = 0, None
            except OSError as exc:
                sent, error = 0, exc
        except BaseException as exc:  # nobody knows how much was written
            self._writing = False
            self.break_off(exc)
            raise
        self._wrote(data, sent, error)

    def _wrote(self, data: Buffer, sent: int, error: OSError | None) -> None:
        """Take note of what was written, and go on as long as there is more and the socket takes it."""
        output: Buffer | None = data
        try:
            with self._lock:
                output = self._note_written(data, sent, error)
            while output is not None:
                try:
                    sent = self.socket.send(output, NOW)
                except (BlockingIOError, InterruptedError):
                    sent = 0
                except OSError as exc:
                    sent, error = 0, exc
                with self._lock:
                    output = self._note_written(output, sent, error)
        except BaseException as exc:  # as above
            self._writing = False
            self.break_off(exc)
            raise
        if error is not None:
            self._lose(error)
        elif self._stuck or self.protocol.state is not State.OPEN:
            self._arrange()  # and there may be events, but whoever reads will find the end

    def _note_written(self, output: Buffer, sent: int, error: OSError | None) -> Buffer | None:
        """Take note of what was written; give what is to be written next by the same thread."""
        whole = sent == len(output)
        idle = whole and self._writable and not self._outbox.size and self._tls is None
        if idle and not self.protocol.half_close and not self.protocol.aborted:
            self._rest = b""
            self._writing = False
            return None
        self._rest = b"" if whole else memoryview(output)[sent:]
        following = None
        if error is not None or self.protocol.aborted:
            self._drop_output()
        elif whole:
            following = self._next_output()
        else:
            self._stuck = True
        self._check_room()
        if following is None and whole and self._outbox.size:  # room has made the protocol answer a ping
            following = self._next_output()
        if following is None:
            self._writing = False
        return following
