"""What the application is told and may say, phase by phase."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, TypeAlias

from uvicorn.protocols.utils import ClientDisconnected

from twoway.http import Response
from twoway.protocol import ServerProtocol

from ._headers import accept_with, complete, make_denial, read_fields
from ._inbox import Inbox
from ._options import logger
from ._output import Output
from ._scope import Scope, describe

Message: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[object]]


class Phase(Enum):
    """Name what the application may say next; the value is what an error says about it."""

    CONNECTING = "before the handshake is answered"
    DENYING = "after 'websocket.http.response.start'"
    OPEN = "after 'websocket.accept'"
    CLOSED = "after the connection was closed or refused by the application"
    LOST = "after the client has disconnected"


class Conversation:
    """
    Be the ``receive`` and ``send`` of one call of an application.

    Args:
        protocol: The connection, which has a request to answer.
        acceptance: The answer that accepts it.
        scope: What the application is called with.
        defaults: Fields that all answers have.
        inbox: What the application will receive.
        output: Told of each message that is sent.
        settle: Called when more than a message has changed: writes, closes, sets timers.

    Attributes:
        phase: What the application may say next.

    Spec:
        ASGI, WebSocket.
    """

    __slots__ = (
        "_acceptance", "_body", "_defaults", "_denial", "_inbox", "_loop", "_output", "_protocol", "_scope",
        "_settle", "_steps", "phase",
    )  # fmt: skip

    phase: Phase

    def __init__(
        self,
        protocol: ServerProtocol,
        acceptance: Response,
        scope: Scope,
        defaults: list[tuple[str, str]],
        inbox: Inbox,
        output: Output,
        settle: Callable[[], None],
    ) -> None:
        self._protocol = protocol
        self._acceptance = acceptance
        self._scope = scope
        self._defaults = defaults
        self._inbox = inbox
        self._output = output
        self._settle = settle
        self._loop = asyncio.get_running_loop()
        self._denial: tuple[Response, list[tuple[str, str]]] = (acceptance, [])
        self._body: list[bytes] = []
        self._enter(Phase.CONNECTING)

    async def run(self, app: Application) -> None:
        """
        Call the application, and end the connection when it has ended.

        Args:
            app: The application.
        """
        failed = True
        try:
            result = await app(self._scope, self._inbox.get, self.send)
            failed = False
            if result is not None:
                logger.error("ASGI callable should return None, but returned '%s'.", result)
        except Exception as exc:
            # That this client is gone may be let through: nothing is wrong with that.
            if not (isinstance(exc, ClientDisconnected) and self.phase is Phase.LOST):
                logger.exception("Exception in ASGI application\n")
        finally:
            self._finish(failed)

    async def send(self, message: Message) -> None:
        """
        Take what the application says.

        Args:
            message: An event of ASGI; not kept.

        Raises:
            OSError: The client is gone; a ``ClientDisconnected`` of uvicorn.
            RuntimeError: The event is not for this phase; the application's fault.
            TypeError: Something in it has the wrong type; the application's fault.
            ValueError: Something in it is out of range; the application's fault.
        """
        if not self._output.writable and self.phase is Phase.OPEN:
            await self._output.drain()
        step = self._steps.get(message["type"])
        if step is None:
            raise self._refuse(message["type"])
        step(self, message)

    def end(self, code: int, reason: str = "") -> None:
        """
        Take note that the connection ends, by no wish of the application.

        Args:
            code: Close code; told to the application.
            reason: Close reason; told to the application.
        """
        self._inbox.end(code, reason)
        if self.phase is not Phase.CLOSED:
            self._enter(Phase.LOST)
        self._output.resume()  # who waits to send need not wait for the transport

    def shut_down(self) -> None:
        """Close the connection because the server does."""
        if self.phase is Phase.OPEN:
            self._protocol.close(1012, now=self._loop.time())  # Service Restart, of the registry of RFC 6455 §11.7
            self.end(1012)
        elif self.phase in (Phase.CONNECTING, Phase.DENYING):
            self._respond(self._protocol.reject(503, "The server is shutting down.\n"), Phase.LOST)
        self._settle()

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._steps = _STEPS[phase]

    def _refuse(self, kind: str) -> Exception:
        """Say why something cannot be said now."""
        if self.phase is Phase.LOST:
            return ClientDisconnected()
        expected = " or ".join(map(repr, self._steps)) or "nothing"
        return RuntimeError(f"Expected {expected} {self.phase.value}, but got ASGI message {kind!r}.")

    def _finish(self, failed: bool) -> None:
        """Do what the application has left undone."""
        if self.phase in (Phase.CONNECTING, Phase.DENYING):
            if not failed:
                logger.error("ASGI callable returned without completing handshake.")
            self._respond(self._protocol.reject(500, "Internal Server Error"), Phase.CLOSED)
        elif self.phase is Phase.OPEN:
            self._close({"code": 1011 if failed else 1000})
        self._settle()

    def _respond(self, response: Response, phase: Phase) -> None:
        """Answer the request with a refusal."""
        complete(response, self._defaults)
        self._protocol.send_response(response, self._loop.time())
        logger.info("%s %d", describe(self._scope), response.status_code)
        self._inbox.end(1006, "")
        self._enter(phase)

    # What the application says

    def _accept(self, message: Message) -> None:
        subprotocol = message.get("subprotocol")
        if subprotocol and subprotocol not in self._scope["subprotocols"]:
            # RFC 6455 §4.2.2: the client must fail such a connection.
            raise ValueError(f"subprotocol must be one of {self._scope['subprotocols']} or None, not {subprotocol!r}")
        response = accept_with(self._acceptance, read_fields(message.get("headers") or ()), subprotocol)
        complete(response, self._defaults)
        self._protocol.send_response(response, self._loop.time())
        self._enter(Phase.OPEN)
        logger.info("%s [accepted]", describe(self._scope))
        self._settle()

    def _send(self, message: Message) -> None:
        data = message.get("bytes")
        if data is not None:
            self._protocol.send_binary(data)
        else:
            data = message.get("text")
            if data is None:
                raise ValueError("'websocket.send' must have text or bytes")
            self._protocol.send_text(data)
        self._output.added(len(data))

    def _close(self, message: Message) -> None:
        code, reason = message.get("code", 1000), message.get("reason") or ""
        self._protocol.close(code, reason, now=self._loop.time())
        self._inbox.end(code, reason)
        self._enter(Phase.CLOSED)
        self._settle()

    def _deny(self, message: Message) -> None:
        self._respond(self._protocol.reject(403, ""), Phase.CLOSED)
        self._settle()

    def _start_denial(self, message: Message) -> None:
        # `reject` says which statuses may be: none that has the connection go on.
        refusal = self._protocol.reject(message["status"], "")
        self._denial = (refusal, read_fields(message.get("headers") or ()))
        self._enter(Phase.DENYING)

    def _add_denial_body(self, message: Message) -> None:
        # It is kept until it is whole: then a body that cannot be finished is still answered with 500.
        self._body.append(message.get("body", b""))
        if not message.get("more_body", False):
            response, fields = self._denial
            self._respond(make_denial(response, fields, b"".join(self._body)), Phase.CLOSED)
            self._settle()


_Step: TypeAlias = Callable[[Conversation, Message], None]

#: Phase -> type of event -> what it does; anything else is an error.
_STEPS: Mapping[Phase, Mapping[str, _Step]] = MappingProxyType(
    {
        Phase.CONNECTING: {
            "websocket.accept": Conversation._accept,
            "websocket.close": Conversation._deny,
            "websocket.http.response.start": Conversation._start_denial,
        },
        Phase.DENYING: {"websocket.http.response.body": Conversation._add_denial_body},
        Phase.OPEN: {"websocket.send": Conversation._send, "websocket.close": Conversation._close},
        Phase.CLOSED: {},
        Phase.LOST: {},
    }
)
