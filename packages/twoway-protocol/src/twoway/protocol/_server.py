"""The server's side: the opening handshake of RFC 6455 §4.2, answers to plain HTTP, refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twoway.frames import Buffer, Extension, NegotiationError
from twoway.http import (
    ExtensionHeader,
    HTTPError,
    LimitError,
    Request,
    RequestParser,
    Response,
    build_extensions,
    build_response,
    check_host,
    check_origin,
    check_request,
    error_response,
    parse_extensions,
    parse_subprotocols,
    select_subprotocol,
)

from ._connection import Protocol
from ._errors import InvalidHandshake, InvalidState, InvalidStatus, convert_http_error
from ._negotiation import shares_bits
from ._options import ServerOptions
from ._state import Cause, State

#: What may come right after a request, before its answer; bytes.
_MAX_EARLY = 65536
_BODILESS = (204, 304)  # RFC 9110 §15.3.5, §15.4.5
_DEFAULT_OPTIONS = ServerOptions()


class ServerProtocol(Protocol):
    """
    Be the server's side of a connection.

    When the `Request` event comes, make an answer with `accept` or `reject`, or build one, and give it to
    `send_response`. A request that cannot be understood is answered without being asked.

    Args:
        options: The settings; shared, not copied. None takes the defaults.
        now: Current time; seconds. The opening timeout begins here.

    Attributes:
        origin: Value of the ``Origin`` header, None before `accept` and without one.

    Spec:
        RFC 6455 §4.2.
    """

    __slots__ = ("_early", "_ended", "origin")

    _client = False
    options: ServerOptions
    origin: str | None
    # As in `Protocol`, again for type checkers that look at one class at a time.
    request: Request | None
    response: Response | None
    handshake_exc: InvalidHandshake | None
    extensions: Sequence[Extension]
    subprotocol: str | None

    def __init__(self, options: ServerOptions | None = None, now: float = 0.0) -> None:
        super().__init__(options or _DEFAULT_OPTIONS, now)
        self._parser: RequestParser | None = RequestParser(self.options.limits)
        self._early = bytearray()
        self._ended = False  # whether the client has closed its side
        self.origin = None

    def accept(
        self,
        request: Request,
        *,
        select_subprotocol: Callable[[Sequence[str]], str | None] | None = None,
    ) -> Response:
        """
        Make the answer to an opening handshake.

        Args:
            request: What the client sent; not kept.
            select_subprotocol: Called with the offered subprotocols, in order; returns one of them or None.
                Replaces the choice by the ``subprotocols`` option.

        Returns:
            101 Switching Protocols, or the refusal for what is wrong with the request: 400, 403, 405, 421, 426
            or 505. It may be altered before `send_response`.

        Raises:
            ValueError: ``select_subprotocol`` returned something that was not offered; a caller's bug.

        Spec:
            RFC 6455 §4.2.1, §4.2.2, §9.1, §10.2.
        """
        options = self.options
        self.handshake_exc = None
        try:
            key = check_request(request)
            self.origin = check_origin(request, options.origins)
            offers = parse_extensions(request.headers.get_all("Sec-WebSocket-Extensions"))
            offered = parse_subprotocols(request.headers.get_all("Sec-WebSocket-Protocol"))
        except HTTPError as exc:
            self.handshake_exc = convert_http_error(exc.with_traceback(None))
            return error_response(exc)
        answer, self.extensions = _accept_offers(offers, options)
        self.subprotocol = self._choose_subprotocol(offered, select_subprotocol)
        return build_response(
            key,
            extensions=build_extensions(answer) if answer else None,
            subprotocol=self.subprotocol,
            server_header=options.server_header,
        )

    def reject(self, status: int, text: str) -> Response:
        """
        Make a refusal in plain text.

        Args:
            status: HTTP status; 200-599.
            text: Body, for people.

        Returns:
            An answer that may be altered before `send_response`.

        Raises:
            ValueError: ``status`` is out of range; a caller's bug.

        Spec:
            RFC 6455 §4.2.2.
        """
        if not 200 <= status <= 599:
            raise ValueError(f"status must be 200-599, not {status}")
        return Response.text(status, text)

    def send_response(self, response: Response, now: float) -> None:
        """
        Send the answer; with 101 the connection is OPEN, with any other it is closing.

        Args:
            response: The answer; kept. Headers that HTTP requires are added where they are missing.
            now: Current time; seconds.

        Raises:
            InvalidState: The opening handshake is over, or no request has come; a caller's bug.
            ValueError: Something in ``response`` is not allowed in HTTP, or its status is neither 101 nor 200-599; a
                caller's bug.

        Spec:
            RFC 6455 §4.2.2, RFC 9110 §6.6.1, §9.3.2; RFC 9112 §9.6.
        """
        if self.state is not State.CONNECTING or self.request is None:
            raise InvalidState("there is no request to answer")
        if response.status_code == 101:
            self._send_acceptance(response, now)
        elif 200 <= response.status_code <= 599:
            self._send_refusal(response)
            self._fail_handshake(self.handshake_exc or InvalidStatus(response), Cause.REFUSED, now)
        else:
            raise ValueError(f"status_code of response must be 101 or 200-599, not {response.status_code}")
        if self._ended:
            super().receive_eof(now)

    def receive_eof(self, now: float, error: OSError | None = None) -> None:
        """
        Take note that nothing more will come from the network.

        A client that has sent a plain HTTP request and then closed its side still gets the answer. In any other
        case nothing more can be sent.

        Args:
            now: Current time; seconds.
            error: What the operating system says, None for a clean end of the stream. A second call says that the
                connection is lost.

        Spec:
            RFC 6455 §7.1.4, §7.1.5: without a Close frame the code is 1006.
        """
        request = self.request
        plain = self.state is State.CONNECTING and request is not None and "Upgrade" not in request.headers
        if plain and error is None and not self._ended:
            self._ended = True
        else:
            super().receive_eof(now, error)

    def _send_acceptance(self, response: Response, now: float) -> None:
        # What the answer says counts, not what `accept` had in mind: the application may have altered it.
        subprotocols = response.headers.get_all("Sec-WebSocket-Protocol")
        self._put_response(response, response.serialize())
        if "Sec-WebSocket-Extensions" not in response.headers:
            self.extensions = ()
        self.subprotocol = subprotocols[0] if subprotocols else None
        early, self._early = bytes(self._early), bytearray()
        self._open(now, early)

    def _receive_handshake(self, data: Buffer, now: float) -> None:
        if self.state is not State.CONNECTING:
            return
        try:
            if self._parser is None:
                self._keep_early(data)
                return
            request = self._parser.receive_data(data)
            if request is None:
                return
            self.request = request
            rest, self._parser = self._parser.take_rest(), None
            self._keep_early(rest)
            self._debug("< %s %s", request.method, request.path)
            check_host(request, self.options.allowed_hosts)
        except HTTPError as exc:
            self._answer_error(exc, now)
        else:
            self._events.append(request)

    def _keep_early(self, data: Buffer) -> None:
        # A client has to wait for the answer (RFC 6455 §4.1), but some send at once; what they send is bounded.
        if len(self._early) + len(data) > _MAX_EARLY:
            raise LimitError("data after the request", _MAX_EARLY, 400)
        self._early += data

    def _answer_error(self, error: HTTPError, now: float) -> None:
        self._send_refusal(error_response(error))
        self._fail_handshake(error, Cause.REMOTE_ERROR, now)

    def _send_refusal(self, response: Response) -> None:
        headers = response.headers
        options = ",".join(headers.get_all("Connection")).lower().split(",")
        if "close" not in map(str.strip, options):
            headers.add("Connection", "close")  # RFC 9112 §9.6: one request per connection
        bodiless = response.status_code in _BODILESS
        if not bodiless and "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            headers["Content-Length"] = str(len(response.body))  # RFC 9112 §6.2: not beside Transfer-Encoding
        if self.options.date is not None and "Date" not in headers:
            headers["Date"] = self.options.date()
        if self.options.server_header is not None and "Server" not in headers:
            headers["Server"] = self.options.server_header
        head = self.request is not None and self.request.method == "HEAD"
        self._put_response(response, response.serialize(head=head or bodiless))

    def _put_response(self, response: Response, data: bytes) -> None:
        self._output.append(data)
        self.response = response
        self._debug("> HTTP/1.1 %d %a", response.status_code, response.reason_phrase)

    def _open_overdue(self, now: float) -> None:
        # RFC 9110 §15.5.9: the client was too slow; §15.6.4: the answer to a whole request was.
        status, text = (408, "Request Timeout") if self.request is None else (503, "Service Unavailable")
        self._send_refusal(Response.text(status, f"{text}.\n"))
        self._fail_handshake(InvalidHandshake("opening handshake took too long"), Cause.OPEN_TIMEOUT, now)
        if self._ended:
            super().receive_eof(now)

    def _choose_subprotocol(
        self, offered: Sequence[str], select: Callable[[Sequence[str]], str | None] | None
    ) -> str | None:
        if select is None:
            return select_subprotocol(offered, self.options.subprotocols)
        chosen = select(offered)
        if chosen is not None and chosen not in offered:
            raise ValueError(f"select_subprotocol must return one of {list(offered)} or None, not {chosen!r}")
        return chosen


def _accept_offers(
    offers: Sequence[ExtensionHeader], options: ServerOptions
) -> tuple[list[ExtensionHeader], Sequence[Extension]]:
    """Take the first offer that a factory accepts, for each name (RFC 6455 §9.1)."""
    answer: list[ExtensionHeader] = []
    accepted: list[Extension] = []
    taken: set[str] = set()
    for name, params in offers:
        for factory in options.extensions:
            if factory.name != name or name in taken:
                continue
            try:
                answer_params, extension = factory.process_request_params(params, accepted)
            except NegotiationError:
                continue
            if shares_bits(extension, accepted):
                extension.close()
                continue
            taken.add(name)
            answer.append((name, list(answer_params)))
            accepted.append(extension)
            break
    return answer, accepted or ()
