"""A connection without I/O: bytes in, events out, and time is an argument."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import inf

from twoway.frames import (
    Buffer,
    Close,
    CloseCode,
    Extension,
    FrameError,
    MessageDecoder,
    NegotiationError,
    Opcode,
    Ping,
    Pong,
    encode_frame,
)
from twoway.http import HTTPError, Request, RequestParser, Response, ResponseParser

from ._errors import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidState,
    InvalidStatus,
    convert_http_error,
    make_connection_closed,
)
from ._events import Closed, HandshakeFailed, PingAcknowledged, TimerLate
from ._keepalive import NEVER, Keepalive, PendingPings, Verdict
from ._messages import MessageEncoder, SharedMessage
from ._native import ProtocolPath
from ._options import Options
from ._state import TRANSITIONS, Cause, State, Trigger

_DEBUG = 10
# Causes that a missing answer to our Close frame replaces.
_WISHES = (Cause.LOCAL_CLOSE, Cause.LIFETIME)
# Close codes by which the peer says that the fault is ours (RFC 6455 §7.4.1).
_BLAME = frozenset({1002, 1003, 1007, 1008, 1009, 1010})


class Protocol(ProtocolPath, ABC):
    """
    Be what both sides of a connection have in common.

    The integrator feeds bytes with `receive_data` and `receive_eof`, takes `events`, writes what `data_to_send`
    gives, then looks at `half_close` and `aborted`, and calls `handle_deadline` when `next_deadline` has come.
    Times are seconds on any clock that does not go back; ``now`` is the current time on it.

    Not safe for use by several threads at once: an integrator with threads brings its own lock.

    Attributes:
        options: The settings.
        state: The state of the connection.
        subprotocol: What was negotiated, None before and without one.
        extensions: What was negotiated, in order.
        request: The request of the opening handshake, None until it was sent or received.
        response: The answer to it, None until it was sent or received.
        handshake_exc: Why the opening handshake failed, None if it did not.
        close_rcvd: The Close frame that was received, None if there was none.
        close_sent: The Close frame that was sent, None if there was none.
        close_rcvd_then_sent: Whether the received one came first; None unless there are both.
        cause: Why the connection ends, None while nothing ends it.
        latency: Time between the last answered ping and its pong; seconds, 0 before the first.
        half_close: Whether the sending side is to be closed once `data_to_send` is empty.
        aborted: Whether the transport is to be dropped at once.

    Spec:
        RFC 6455 §4 to §7.
    """

    # Without them an instance is a dictionary of 2 KiB. Those of what every message goes through are in `_path`.
    __slots__ = (
        "__weakref__", "_close_by", "_error", "_expires", "_fail_by", "_held_pong", "_keepalive", "_open_by",
        "_own_ping", "_parser", "_pings", "_release_at", "_writing", "aborted", "cause", "close_rcvd",
        "close_rcvd_then_sent", "close_sent", "extensions", "half_close", "handshake_exc", "latency", "options",
        "request", "response", "subprotocol",
    )  # fmt: skip

    # For type checkers that look at one class at a time.
    options: Options
    state: State
    subprotocol: str | None
    extensions: Sequence[Extension]
    request: Request | None
    response: Response | None
    handshake_exc: InvalidHandshake | None
    close_rcvd: Close | None
    close_sent: Close | None
    close_rcvd_then_sent: bool | None
    cause: Cause | None
    latency: float
    half_close: bool
    aborted: bool
    _client: bool

    def __init__(self, options: Options, now: float) -> None:
        self.options = options
        self.state: State = State.CONNECTING
        self.subprotocol: str | None = None
        self.extensions: Sequence[Extension] = ()
        self.request: Request | None = None
        self.response: Response | None = None
        self.handshake_exc: InvalidHandshake | None = None
        self.close_rcvd: Close | None = None
        self.close_sent: Close | None = None
        self.close_rcvd_then_sent: bool | None = None
        self.cause: Cause | None = None
        self.latency: float = 0.0
        self.half_close: bool = False
        self.aborted: bool = False
        self._error: BaseException | None = None  # what is behind `cause`
        self._events = []
        self._output = []
        self._parser: RequestParser | ResponseParser | None = None
        self._decoder = None
        self._encoder = None
        self._plain = False
        self._sole = None
        self._masked = self._client
        self._received_at = NEVER
        self._keepalive = Keepalive(options.ping_interval, options.ping_timeout)
        self._pings: PendingPings | None = None
        self._own_ping = b""  # data of the last ping that keepalive sent
        self._writing = True
        self._held_pong: bytes | None = None
        self._active = False
        self._open_by: float = inf if options.open_timeout is None else now + options.open_timeout
        self._close_by: float = inf
        self._failure = None
        self._fail_by: float = inf
        self._expires: float = inf
        self._release_at: float = inf
        logger = options.logger
        self._logger = logger if logger is not None and logger.isEnabledFor(_DEBUG) else None

    # Receiving

    def receive_eof(self, now: float, error: OSError | None = None) -> None:
        """
        Take note that nothing more will come from the network, and nothing more can be sent.

        Args:
            now: Current time; seconds.
            error: What the operating system says, None for a clean end of the stream.

        Spec:
            RFC 6455 §7.1.4, §7.1.5: without a Close frame the code is 1006.
        """
        if self.state is State.CLOSED:
            return
        if self.state is State.CONNECTING:
            self._end_handshake(now, error)
        self._set_cause(Cause.VANISHED if error is None else Cause.OS_ERROR, error)
        self._lose()

    # Sending

    def send_continuation(self, data: str | Buffer, fin: bool = True) -> None:
        """
        Send the next frame of a message.

        Args:
            data: Payload of the message's kind; any length; not kept.
            fin: Whether the message ends with this frame.

        Raises:
            ConnectionClosed: The connection is closing or closed.
            InvalidState: No fragmented message is being sent; a caller's bug.
            TypeError: ``data`` has the wrong type; a caller's bug.
            ValueError: ``data`` is not UTF-8 in a text message; a caller's bug.

        Spec:
            RFC 6455 §5.4.
        """
        self._output.append(self._sending().go_on(data, fin))
        self._active = True
        self._note_way(fin)
        self._log_sent("CONT", data, fin)

    def send_shared(self, message: SharedMessage) -> None:
        """
        Send a message that is serialized once for all connections with equal settings.

        Args:
            message: The message; keeps what was serialized.

        Raises:
            ConnectionClosed: The connection is closing or closed.
            InvalidState: The connection is not open yet, or a fragmented message is being sent; a caller's bug.

        Spec:
            RFC 6455 §5.6.

        Cost:
            On a server, serializing and compressing for the first connection only.
        """
        self._output.append(self._sending().start_shared(message))
        self._active = True
        self._log_sent(message.opcode.name, message.data, True)

    @property
    def in_message(self) -> bool:
        """Whether a fragmented message is being sent."""
        return self._encoder is not None and self._encoder.in_message

    def ping(self, data: str | Buffer | None = None, *, now: float) -> bytes:
        """
        Send a ping; a `PingAcknowledged` event tells when it was answered.

        Args:
            data: 0 to 125 bytes, text as UTF-8; None picks something unique.
            now: Current time; seconds.

        Returns:
            The data, by which the event names the ping.

        Raises:
            ConnectionClosed: The connection is closing or closed.
            InvalidState: The connection is not open yet, or 1024 pings wait for their pongs; a caller's bug.
            TypeError: ``data`` has the wrong type; a caller's bug.
            ValueError: ``data`` is too long, or equals that of a ping that is not answered yet; a caller's bug.

        Spec:
            RFC 6455 §5.5.2.
        """
        self._sending()
        payload = None if data is None else _control_payload(data)
        if self._pings is None:
            self._pings = PendingPings()
        payload = self._pings.add(payload, now)
        self._send_control(Opcode.PING, payload)
        return payload

    def pong(self, data: str | Buffer = b"") -> None:
        """
        Send a pong that nobody asked for; pings are answered without it.

        Args:
            data: 0 to 125 bytes, text as UTF-8.

        Raises:
            ConnectionClosed: The connection is closing or closed.
            InvalidState: The connection is not open yet; a caller's bug.
            TypeError: ``data`` has the wrong type; a caller's bug.
            ValueError: ``data`` is too long; a caller's bug.

        Spec:
            RFC 6455 §5.5.3: a unidirectional heartbeat.
        """
        self._sending()
        self._send_control(Opcode.PONG, _control_payload(data))

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "", *, now: float) -> None:
        """
        Begin the closing handshake; nothing is done when it has begun already.

        Args:
            code: 1000-1003, 1007-1014 or 3000-4999; 1005 sends a Close frame without a code.
            reason: At most 123 bytes of UTF-8.
            now: Current time; seconds. What comes after is limited by ``close_timeout``.

        Raises:
            InvalidState: The connection is not open yet; a caller's bug.
            TypeError: An argument has the wrong type; a caller's bug.
            ValueError: An argument is out of range; a caller's bug.

        Spec:
            RFC 6455 §7.1.2.
        """
        close = Close(code, reason)
        close.serialize()
        if self.state is State.CONNECTING:
            raise InvalidState("the opening handshake is not finished")
        self.fail_deferred(now)
        if self.state is State.OPEN:
            self._begin_close(close, Trigger.CLOSE_SENT, Cause.LOCAL_CLOSE, now)

    def fail(self, code: int, reason: str = "", *, now: float, error: BaseException | None = None) -> None:
        """
        Fail the connection: say why, and discard whatever the peer still sends.

        Args:
            code: As in `close`.
            reason: As in `close`.
            now: Current time; seconds.
            error: What is behind it; chained to the exceptions that tell about the end.

        Raises:
            TypeError: An argument has the wrong type; a caller's bug.
            ValueError: An argument is out of range; a caller's bug.

        Spec:
            RFC 6455 §7.1.7.
        """
        close = Close(code, reason)
        close.serialize()
        self._fail(close, Cause.FAILED, now, error)

    @property
    def failing(self) -> bool:
        """Whether the peer broke a rule, and `fail_deferred` is to be called when its last messages are answered."""
        return self._failure is not None and self.state is State.OPEN

    def fail_deferred(self, now: float) -> None:
        """
        Fail the connection for what the peer did; nothing is done unless `failing`.

        Args:
            now: Current time; seconds.

        Spec:
            RFC 6455 §7.1.7.
        """
        error, self._failure, self._fail_by = self._failure, None, inf
        if error is not None and self.state is State.OPEN:
            self._fail_frames(error, now)

    def abort(self) -> None:
        """
        Drop the connection at once, in any state: nothing more is sent or received.

        Spec:
            RFC 6455 §7.1.1: allowed where the closing handshake cannot be completed.
        """
        self._abort(Cause.ABORTED)

    # Backpressure, as the integrator reports it

    def pause_reading(self, now: float) -> None:
        """
        Take note that the integrator does not read: the peer cannot show life now.

        Args:
            now: Current time; seconds.
        """
        self._keepalive.pause(now)

    def resume_reading(self, now: float) -> None:
        """
        Take note that the integrator reads again; `next_deadline` may be earlier than before.

        Args:
            now: Current time; seconds.
        """
        self._keepalive.resume(now)

    def pause_writing(self) -> None:
        """
        Take note that the write buffer is full: only the newest ping will be answered.

        Spec:
            RFC 6455 §5.5.3: a pong for only the most recently processed ping.
        """
        self._writing = False

    def resume_writing(self) -> None:
        """Take note that the write buffer has room again; look at `data_to_send`."""
        self._writing = True
        held, self._held_pong = self._held_pong, None
        if held is not None and self.close_sent is None:
            self._send_control(Opcode.PONG, held)

    # Time

    def next_deadline(self) -> float | None:
        """
        Say when `handle_deadline` wants to be called.

        Returns:
            A time on the caller's clock, None for never. A call that comes too early does no harm, so that a
            timer need not be moved when the deadline moves into the future.
        """
        if self.state is State.OPEN:
            deadline = min(self._keepalive.next_deadline(), self._expires, self._release_at, self._fail_by)
        else:
            deadline = min(self._open_by, self._close_by)
        return None if deadline == inf else deadline

    def handle_deadline(self, now: float) -> None:
        """
        Do what is due: send a ping, give up on the peer, end a handshake that takes too long.

        Args:
            now: Current time; seconds.
        """
        if now >= self._open_by:
            self._open_by = inf
            self._open_overdue(now)
        elif now >= self._close_by:
            self._close_by = inf
            self._abort(Cause.CLOSE_TIMEOUT)
        elif now >= self._fail_by:
            self.fail_deferred(now)
        elif self.state is State.OPEN:
            self._check_keepalive(now)
            self._check_age(now)

    # How the connection ended

    @property
    def close_code(self) -> int | None:
        """Give the close code of the connection, None while it is not CLOSED (RFC 6455 §7.1.5)."""
        if self.state is not State.CLOSED:
            return None
        return CloseCode.ABNORMAL_CLOSURE if self.close_rcvd is None else self.close_rcvd.code

    @property
    def close_reason(self) -> str | None:
        """Give the close reason of the connection, None while it is not CLOSED (RFC 6455 §7.1.6)."""
        if self.state is not State.CLOSED:
            return None
        return "" if self.close_rcvd is None else self.close_rcvd.reason

    @property
    def close_exc(self) -> ConnectionClosed:
        """
        Make the exception that tells how the connection ended, or why it is closing.

        Raises:
            InvalidState: Nothing ends the connection yet; a caller's bug.
        """
        if self.cause is None:
            raise InvalidState("the connection is not closed and not closing")
        return make_connection_closed(
            self.close_rcvd, self.close_sent, self.close_rcvd_then_sent, self.cause, self._error
        )

    # What the sides do differently

    @abstractmethod
    def _receive_handshake(self, data: Buffer, now: float) -> None:
        """Take bytes that come before the connection is open, or after its handshake failed."""

    @abstractmethod
    def _open_overdue(self, now: float) -> None:
        """Give up on the opening handshake."""

    # Opening

    def _open(self, now: float, early: bytes) -> None:
        """Go from CONNECTING to OPEN; `early` came right after the peer's handshake."""
        options = self.options
        self._move(Trigger.HANDSHAKE_DONE)
        self._parser = None
        self._open_by = inf
        max_size, max_fragment_size = options.max_sizes
        self._decoder = MessageDecoder(
            masked=not self._client,
            extensions=self.extensions,
            max_size=max_size,
            max_fragment_size=max_fragment_size,
            max_fragments=options.max_fragments,
            fragments=options.fragments,
        )
        self._encoder = MessageEncoder(self._client, self.extensions)
        self._note_way(True)
        self._keepalive.start(now)
        if options.max_lifetime is not None:
            self._expires = now + options.max_lifetime
        if options.idle_release is not None and self.extensions:
            self._release_at = now + options.idle_release
        if early:
            self.receive_data(early, now)

    def _fail_handshake(self, error: HTTPError | InvalidHandshake, cause: Cause, now: float) -> None:
        _drop_tracebacks(error)
        exc = convert_http_error(error) if isinstance(error, HTTPError) else error
        self._note_failure(exc, Cause.REFUSED if isinstance(exc, InvalidStatus) else cause)
        self._move(Trigger.HANDSHAKE_FAILED)
        self._parser = None
        self._open_by = inf
        self._limit_close(now)
        self.half_close = True

    def _note_failure(self, exc: InvalidHandshake, cause: Cause) -> None:
        self.handshake_exc = exc
        self._set_cause(cause, exc)
        for extension in self.extensions:
            extension.close()
        self.extensions, self.subprotocol = (), None
        self._events.append(HandshakeFailed(exc))

    def _end_handshake(self, now: float, error: OSError | None) -> None:
        """The stream ends while CONNECTING."""
        try:
            self._finish_parser(now)
            raise InvalidHandshake("connection closed before the opening handshake was finished")
        except (HTTPError, InvalidHandshake) as exc:
            exc.__cause__ = error
            self._fail_handshake(exc, Cause.VANISHED if error is None else Cause.OS_ERROR, now)

    def _finish_parser(self, now: float) -> None:
        """Tell the parser that the stream ends; a response may end with it."""
        if self._parser is not None:
            self._parser.receive_eof()

    # Frames

    def _send_control(self, opcode: Opcode, payload: bytes) -> None:
        self._output.append(encode_frame(opcode, payload, True, 0, self._client))
        self._log_sent(opcode.name, payload, True)

    def _receive_control(self, item: Ping | Pong | Close, now: float) -> None:
        self._events.append(item)
        if isinstance(item, Close):
            self._receive_close(item, now)
        elif isinstance(item, Ping):
            self._answer(item.data)
        else:
            for data, latency in self._pings.acknowledge(item.data, now) if self._pings is not None else ():
                self.latency = latency
                self._events.append(PingAcknowledged(data, latency))

    def _answer(self, data: bytes) -> None:
        if self.close_sent is not None:
            return  # RFC 6455 §5.5.1: no frames after a Close frame
        if self._writing:
            self._send_control(Opcode.PONG, data)
        else:
            self._held_pong = data

    def _receive_close(self, close: Close, now: float) -> None:
        self.close_rcvd = close
        if self.close_sent is None:
            # RFC 6455 §5.5.1: answer with the code that was received.
            self.close_rcvd_then_sent = True
            cause = Cause.LOCAL_ERROR if close.code in _BLAME else Cause.REMOTE_CLOSE
            self._begin_close(Close(close.code, close.reason), Trigger.CLOSE_RECEIVED, cause, now)
        else:
            self.close_rcvd_then_sent = False
            self._move(Trigger.CLOSE_RECEIVED)
        if not self._client:
            self.half_close = True  # RFC 6455 §7.1.1: the server ends the TCP connection first

    # Closing

    def _begin_close(self, close: Close, trigger: Trigger, cause: Cause, now: float) -> None:
        self._send_control(Opcode.CLOSE, close.serialize())
        self.close_sent = close
        self._set_cause(cause)
        self._move(trigger)
        self._limit_close(now)

    def _limit_close(self, now: float) -> None:
        if self._close_by == inf and self.options.close_timeout is not None:
            self._close_by = now + self.options.close_timeout

    def _defer_failure(self, error: FrameError, now: float) -> None:
        self._failure = error
        self._set_cause(Cause.REMOTE_ERROR, error)
        if self.options.close_timeout is not None:
            self._fail_by = now + self.options.close_timeout

    def _fail_frames(self, error: FrameError, now: float) -> None:
        reason = str(error).encode()[:123].decode(errors="ignore")
        self._fail(Close(error.close_code, reason), Cause.REMOTE_ERROR, now, error)

    def _fail(self, close: Close, cause: Cause, now: float, error: BaseException | None) -> None:
        if self.state in (State.CONNECTING, State.CLOSED):
            self._abort(cause, error)
            return
        self._set_cause(cause, error)
        if self.state is State.OPEN:
            self._begin_close(close, Trigger.FAILED, cause, now)
        else:
            self._move(Trigger.FAILED)
        if self._decoder is not None:
            self._decoder.stop()
        self.half_close = True

    def _abort(self, cause: Cause, error: BaseException | None = None) -> None:
        if self.state is State.CLOSED:
            return
        if self.state is State.CONNECTING:
            exc = InvalidHandshake(f"opening handshake failed: {cause.value}")
            exc.__cause__ = error
            self._note_failure(exc, cause)
        self._set_cause(cause, error)
        self._output.clear()
        self.aborted = True
        self._lose()

    def _lose(self) -> None:
        self._move(Trigger.LOST)
        self.half_close = True
        self._parser = None
        self._open_by = self._close_by = self._fail_by = inf
        self._failure = None
        self._held_pong = None
        if self._decoder is not None:
            self._decoder.stop()
        for extension in self.extensions:
            extension.close()
        self._events.append(Closed(self.close_exc))

    def _set_cause(self, cause: Cause, error: BaseException | None = None) -> None:
        """Keep the first cause, but let a missing answer to our Close frame replace our wish to close."""
        if self.cause is None or (self.cause in _WISHES and self.close_rcvd is None):
            self.cause = cause
        if self._error is None and self.close_rcvd_then_sent is None:
            self._error = error  # after a complete closing handshake nothing is to blame

    def _move(self, trigger: Trigger) -> None:
        self.state = TRANSITIONS[self.state][trigger]

    # Deadlines

    def _check_keepalive(self, now: float) -> None:
        if self._received_at != NEVER:
            self._keepalive.received_at, self._received_at = self._received_at, NEVER
        verdict, lag = self._keepalive.check(now)
        if lag:
            self._events.append(TimerLate(lag))
        if verdict is Verdict.PING:
            self._ping_again(now)
        elif verdict is Verdict.VANISHED:
            self._fail(Close(CloseCode.INTERNAL_ERROR, "keepalive ping timeout"), Cause.HEARTBEAT, now, None)

    def _ping_again(self, now: float) -> None:
        # A peer may send data but never a pong: only the last of these pings is remembered.
        if self._pings is None:
            self._pings = PendingPings()
        self._pings.forget(self._own_ping)
        self._own_ping = self._pings.add(None, now, limit=False)
        self._send_control(Opcode.PING, self._own_ping)

    def _check_age(self, now: float) -> None:
        if now >= self._release_at and self.options.idle_release is not None:
            if not self._active and not self._message_under_way():
                for extension in self.extensions:
                    extension.release()
            self._active = False
            self._release_at = now + self.options.idle_release
        if now >= self._expires and self.state is State.OPEN:
            close = Close(CloseCode.GOING_AWAY, "connection reached its largest age")
            self._begin_close(close, Trigger.CLOSE_SENT, Cause.LIFETIME, now)

    def _message_under_way(self) -> bool:
        """Whether a message is on its way, in or out: then extensions must not forget anything."""
        return self.in_message or (self._decoder is not None and self._decoder.incomplete)


def _drop_tracebacks(error: BaseException | None) -> None:
    """Forget the frames of what the peer caused: through them the connection would keep itself alive."""
    while isinstance(error, (HTTPError, InvalidHandshake, NegotiationError)):
        error.__traceback__ = None
        error = error.__cause__


def _control_payload(data: str | Buffer) -> bytes:
    if not isinstance(data, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"data must be str or bytes-like, not {type(data).__name__}")
    try:
        payload = data.encode() if isinstance(data, str) else bytes(data)
    except UnicodeEncodeError as exc:
        raise ValueError(f"data must be at most 125 bytes, text as UTF-8: {exc.reason} at {exc.start}") from exc
    if len(payload) > 125:
        raise ValueError(f"data must be at most 125 bytes long, not {len(payload)}")
    return payload
