"""What every message goes through in a connection without I/O: the part that has a compiled twin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twoway.frames import (
    Buffer,
    Close,
    Extension,
    Fragment,
    FrameError,
    Item,
    MessageDecoder,
    Opcode,
    Ping,
    Pong,
    shorten,
)

from ._errors import ConnectionClosed, InvalidState
from ._events import Event
from ._messages import MessageEncoder
from ._state import State

if TYPE_CHECKING:
    from ._options import LoggerLike, Options

_MESSAGES = (str, bytes, Fragment)
# Each look-up of a member takes Python 3.11 as long as the rest of a check.
_OPEN, _TEXT, _BINARY = State.OPEN, Opcode.TEXT, Opcode.BINARY


class ProtocolPath:
    """Be the part of `Protocol` that receives and sends whole messages; what it needs besides is there."""

    __slots__ = (
        "_active", "_decoder", "_encoder", "_events", "_failure", "_logger", "_masked", "_output", "_plain",
        "_received_at", "_sole", "state",
    )  # fmt: skip

    state: State
    _active: bool  # whether extensions worked since the last look
    _decoder: MessageDecoder | None
    _encoder: MessageEncoder | None
    _events: list[Event]
    _failure: FrameError | None  # a violation that is not answered yet
    _logger: LoggerLike | None  # None unless it wants to know everything
    _masked: bool  # whether frames are to be masked, as those of clients are (RFC 6455 §5.3)
    _output: list[bytes]
    _plain: bool  # whether the next message is a frame as it is: there is no extension, and no fragmented message
    _received_at: float  # when the last byte came since the last ping of keepalive
    _sole: Extension | None  # what the next message goes through if that is all, and no fragmented message

    if TYPE_CHECKING:
        extensions: Sequence[Extension]
        options: Options
        _error: BaseException | None

        @property
        def close_exc(self) -> ConnectionClosed: ...
        def _receive_handshake(self, data: Buffer, now: float) -> None: ...
        def _receive_control(self, item: Ping | Pong | Close, now: float) -> None: ...
        def _defer_failure(self, error: FrameError, now: float) -> None: ...
        def _fail_frames(self, error: FrameError, now: float) -> None: ...

    def receive_data(self, data: Buffer, now: float) -> None:
        """
        Take bytes from the network.

        Args:
            data: Any number of bytes; read only, not kept.
            now: Current time; seconds.

        What they mean is given by `events`; what they are answered with by `data_to_send`. This never raises
        because of the bytes. When a rule is broken, the events before it are there, the connection is failed
        with the right close code, and later bytes are discarded.

        Spec:
            RFC 6455 §5 to §7; §7.1.7 for failing.
        """
        if not data:
            return  # no byte is no sign of life
        self._received_at = now
        decoder = self._decoder
        if decoder is None:
            self._receive_handshake(data, now)
        else:
            self._take(decoder, decoder.feed(data), now)

    def _take(self, decoder: MessageDecoder, items: Sequence[Item], now: float) -> None:
        """Sort what the decoder made, and look whether it found something wrong."""
        if self._logger is not None:
            self._log_items(items)
        for item in items:
            if isinstance(item, _MESSAGES):
                self._events.append(item)
                self._active = True
            else:
                self._receive_control(item, now)
        if decoder.error is not None and self._error is None:
            if self.options.defer_failure and self.state is State.OPEN and any(map(_ends_message, items)):
                self._defer_failure(decoder.error, now)
            else:
                self._fail_frames(decoder.error, now)

    def events(self) -> list[Event]:
        """
        Take the events since the last call.

        Returns:
            In the order of the wire: messages as ``str`` or ``bytes``, parts of messages as `Fragment`, control
            frames as `Ping`, `Pong` and `Close`, and the other events; `Closed` is the last one.
        """
        events = self._events
        if events:
            self._events = []
        return events

    def send_text(self, data: str | Buffer, fin: bool = True, *, compress: bool | None = None) -> None:
        """
        Send a text message, or with ``fin=False`` its first frame.

        Args:
            data: Text, or its UTF-8; any length; not kept.
            fin: Whether the message ends with this frame.
            compress: Whether to compress the message; None lets the extension decide.

        Raises:
            ConnectionClosed: The connection is closing or closed.
            InvalidState: The connection is not open yet, or a fragmented message is being sent; a caller's bug.
            TypeError: ``data`` has the wrong type; a caller's bug.
            ValueError: ``data`` is not UTF-8; a caller's bug.

        Spec:
            RFC 6455 §5.6, §6.1.
        """
        self._start_message(_TEXT, data, fin, compress)

    def send_binary(self, data: Buffer, fin: bool = True, *, compress: bool | None = None) -> None:
        """
        Send a binary message, or with ``fin=False`` its first frame.

        Args:
            data: Any length, bytes; not kept.
            fin: Whether the message ends with this frame.
            compress: Whether to compress the message; None lets the extension decide.

        Raises:
            ConnectionClosed: The connection is closing or closed.
            InvalidState: The connection is not open yet, or a fragmented message is being sent; a caller's bug.
            TypeError: ``data`` has the wrong type; a caller's bug.

        Spec:
            RFC 6455 §5.6, §6.1.
        """
        self._start_message(_BINARY, data, fin, compress)

    def data_to_send(self) -> list[bytes]:
        """
        Take what is to be written to the network, in order.

        Returns:
            Buffers; none is empty. After they are written, look at `half_close` and `aborted`.
        """
        output = self._output
        if output:
            self._output = []
        return output

    # Helpers

    def _sending(self) -> MessageEncoder:
        if self.state is not _OPEN or self._encoder is None:
            if self.state is State.CONNECTING:
                raise InvalidState("the opening handshake is not finished")
            raise self.close_exc
        return self._encoder

    def _start_message(self, opcode: Opcode, data: str | Buffer, fin: bool, compress: bool | None) -> None:
        self._output.append(self._sending().start(opcode, data, fin, compress))
        self._active = True
        if not fin:
            self._note_way(False)
        if self._logger is not None:  # the name of an opcode takes time to find
            self._log_sent(opcode.name, data, fin)

    def _note_way(self, free: bool) -> None:
        """Note what a message goes through; only a `free` connection can take one, with no fragmented one under way."""
        self._plain = free and not self.extensions
        self._sole = self.extensions[0] if free and len(self.extensions) == 1 else None

    def _log_items(self, items: Sequence[Item]) -> None:
        for item in items:
            self._debug("< %s", _describe(item))

    def _log_sent(self, kind: str, data: str | Buffer, fin: bool) -> None:
        if self._logger is not None:
            text = data if isinstance(data, str) else bytes(data)
            self._debug("> %s%s %s", kind, "" if fin else " (to be continued)", shorten(text))

    def _debug(self, message: str, *args: object) -> None:
        if self._logger is not None:
            self._logger.debug(message, *args)


def _ends_message(item: Item) -> bool:
    return item.final if isinstance(item, Fragment) else isinstance(item, (str, bytes))


def _describe(item: Item) -> str:
    if isinstance(item, str):
        return f"TEXT {shorten(item)} [{len(item)} characters]"
    if isinstance(item, bytes):
        return f"BINARY {shorten(item)} [{len(item)} bytes]"
    if isinstance(item, Fragment):
        return f"FRAGMENT {shorten(item.data)}{' (end)' if item.final else ''}"
    return f"CLOSE {item}" if isinstance(item, Close) else f"{type(item).__name__.upper()} {shorten(item.data)}"
