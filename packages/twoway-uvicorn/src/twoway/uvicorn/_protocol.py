"""What uvicorn and the transport call."""

from __future__ import annotations

import asyncio
from contextvars import Context
from typing import TYPE_CHECKING, Any, cast

from twoway.http import Request
from twoway.protocol import Cause, Event, ServerProtocol, State, TimerLate, describe_failure

from ._conversation import Application, Conversation
from ._headers import complete, read_fields
from ._inbox import Inbox
from ._options import CLOSE_TIMEOUT, logger, make_options
from ._output import Output
from ._scope import make_scope

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState


class WebSocketProtocol(asyncio.Protocol):
    """
    Be the WebSocket protocol of uvicorn: ``uvicorn app:app --ws twoway.uvicorn:WebSocketProtocol``.

    uvicorn makes an instance for each request that asks for WebSocket, gives it the transport and, as the first data,
    the request.

    Args:
        config: Settings of uvicorn; kept.
        server_state: Where connections and tasks are registered; changed.
        app_state: What the lifespan of the application has left; copied for each connection.

    Spec:
        RFC 6455; RFC 7692; ASGI, WebSocket.
    """

    __slots__ = (
        "__weakref__", "_app_state", "_config", "_conversation", "_inbox", "_last_timer", "_loop", "_output",
        "_protocol", "_server_state", "_shut", "_timer", "_transport",
    )  # fmt: skip

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._protocol = ServerProtocol(make_options(config), self._loop.time())
        self._inbox = Inbox(config.ws_max_queue, self._resume_reading, self._fail)
        self._conversation: Conversation | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_timer: asyncio.TimerHandle | None = None
        self._shut = False  # whether the sending side is closed

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a transport, which has delivered the request already."""
        self._transport = cast(asyncio.Transport, transport)  # those of uvloop only look like one
        self._output = Output(self._loop, self._protocol, self._inbox, self._transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes; the first ones are the request, as uvicorn has written it down again."""
        protocol = self._protocol
        crowded = self._inbox.full
        protocol.receive_data(data, self._loop.time())
        self._handle_events()
        if protocol.state is State.OPEN:
            self._output.flush()  # pongs
            # What came with the last read still waits: that the application is busy with this one tells nothing.
            if crowded:
                self._pause_reading()
            if not protocol.failing:
                return
            self._inbox.last = True
        self._settle()

    def eof_received(self) -> None:
        """Take the end of the stream; the transport is closed then."""
        self._protocol.receive_eof(self._loop.time())
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the loss of the transport."""
        error = exc if isinstance(exc, OSError) else None
        self._protocol.receive_eof(self._loop.time(), error)
        self._handle_events()
        self._tell_end()
        self._output.resume()  # who waits to send is told that there is nobody
        for timer in (self._timer, self._last_timer):
            if timer is not None:
                timer.cancel()
        self._connections.discard(self)
        # Both lead back to us: whoever serves many short connections need not wait for the garbage collector.
        self._inbox.release()
        self._conversation = None

    def pause_writing(self) -> None:
        """Take note that the write buffer is full."""
        self._output.pause()
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Take note that the write buffer has room."""
        self._protocol.resume_writing()
        self._output.resume()
        # Not at once: asyncio calls this while it writes, and if we write and that fails, it ends the connection twice.
        self._output.flush_soon()

    # What uvicorn calls

    def shutdown(self) -> None:
        """Close the connection with 1012, or refuse the request with 503: the server shuts down."""
        if self._conversation is not None:
            self._conversation.shut_down()

    # Events

    def _handle_events(self) -> None:
        for event in self._protocol.events():
            if isinstance(event, str):
                self._inbox.put("text", event)
            elif isinstance(event, bytes):
                self._inbox.put("bytes", event)
            elif isinstance(event, Request):
                self._start(event)
            else:
                self._log(event)

    def _start(self, request: Request) -> None:
        """Call the application, unless the request is no handshake."""
        acceptance = self._protocol.accept(request)
        defaults = read_fields(self._server_state.default_headers)
        if acceptance.status_code != 101:
            complete(acceptance, defaults)
            self._protocol.send_response(acceptance, self._loop.time())
            return
        scope = make_scope(request, self._transport, self._config, self._app_state)
        self._conversation = Conversation(
            self._protocol, acceptance, scope, defaults, self._inbox, self._output, self._settle
        )
        self._run(self._conversation)

    def _run(self, conversation: Conversation) -> None:
        app: Application = self._config.loaded_app
        context = Context() if getattr(self._config, "reset_contextvars", False) else None
        task = self._loop.create_task(conversation.run(app), context=context)
        self._server_state.tasks.add(task)
        task.add_done_callback(self._server_state.tasks.discard)

    def _log(self, event: Event) -> None:
        if isinstance(event, TimerLate):
            logger.warning("keepalive ran %.1f s late: the event loop was blocked", event.lag)
        line = describe_failure(event, self._protocol, False)
        if line is not None:
            logger.info("%s", line)

    # From one state to the next

    def _settle(self) -> None:
        """Bring transport, timer and application in line with the connection."""
        self._handle_events()
        self._output.flush()
        if self._protocol.state in (State.CLOSING, State.CLOSED):
            self._resume_reading()  # else the client's Close frame would not come through
            self._tell_end()
            if self._protocol.half_close or self._protocol.aborted:
                self._shut_down()
        self._set_timer()

    def _tell_end(self) -> None:
        protocol = self._protocol
        if self._conversation is None:
            return
        close, reason = protocol.close_rcvd, ""
        if close is None and protocol.close_sent is not None:
            reason = protocol.close_sent.reason
            if protocol.cause is Cause.REMOTE_ERROR:
                close = protocol.close_sent  # what we have told the client about its mistake
        if close is None:
            self._conversation.end(1006, reason)
        else:
            self._conversation.end(close.code, close.reason)

    def _shut_down(self) -> None:
        """Close the sending side, or all (RFC 6455 §7.1.1)."""
        transport = self._transport
        if self._protocol.aborted:
            transport.abort()
        elif transport.is_closing() or self._shut:
            return
        elif self._protocol.state is State.CLOSED or not transport.can_write_eof():
            transport.close()
            # What is written may never be read, and TLS may never be shut down: that ends, too.
            self._last_timer = self._loop.call_later(CLOSE_TIMEOUT, transport.abort)
        else:
            # The client's side has to end, too: with bytes that nobody has read, TCP would reset all.
            self._shut = True
            try:
                transport.write_eof()
            except OSError:  # the client has reset the connection, and asyncio did not notice yet
                transport.abort()

    def _pause_reading(self) -> None:
        if not self._inbox.pressed and not self._transport.is_closing():
            self._inbox.pressed = True
            self._protocol.pause_reading(self._loop.time())
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._inbox.pressed and not self._transport.is_closing():
            self._inbox.pressed = False
            self._protocol.resume_reading(self._loop.time())
            self._transport.resume_reading()
            self._set_timer()

    def _fail(self) -> None:
        """Fail the connection for what the client did: the application has answered what came before."""
        self._protocol.fail_deferred(self._loop.time())
        self._settle()

    def _set_timer(self) -> None:
        deadline = self._protocol.next_deadline()
        # A timer that fires too early does no harm: it is moved to an earlier time only.
        if deadline is None or (self._timer is not None and self._timer.when() <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._handle_deadline)

    def _handle_deadline(self) -> None:
        self._timer = None
        self._protocol.handle_deadline(self._loop.time())
        self._settle()

    @property
    def _connections(self) -> set[Any]:
        return self._server_state.connections  # uvicorn's annotation knows its own protocols only
