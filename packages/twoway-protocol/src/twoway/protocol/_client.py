"""The client's side: the opening handshake of RFC 6455 §4.1."""

from __future__ import annotations

from collections.abc import Sequence

from twoway.frames import Buffer, ClientExtensionFactory, Extension, ExtensionParameter, NegotiationError
from twoway.http import (
    HTTPError,
    Request,
    Response,
    ResponseParser,
    URIError,
    WebSocketURI,
    build_extensions,
    build_request,
    check_response,
    check_subprotocol,
    generate_key,
    parse_extensions,
    parse_uri,
)

from ._connection import Protocol
from ._errors import InvalidHandshake, InvalidNegotiation, InvalidState, InvalidURI
from ._negotiation import shares_bits
from ._options import ClientOptions
from ._state import Cause, State

_DEFAULT_OPTIONS = ClientOptions()


class ClientProtocol(Protocol):
    """
    Be the client's side of a connection.

    Make the request with `connect`, give it to `send_request`; the `Response` event comes, and the connection is
    OPEN, or a `HandshakeFailed` event comes and it is closing.

    Args:
        uri: Where to connect to.
        options: The settings; shared, not copied. None takes the defaults.
        now: Current time; seconds. The opening timeout begins here.

    Attributes:
        uri: Where to connect to.
        key: ``Sec-WebSocket-Key`` of the request.

    Raises:
        InvalidURI: ``uri`` is not a WebSocket URI; a caller's bug.

    Spec:
        RFC 6455 §4.1.
    """

    __slots__ = ("key", "uri")

    _client = True
    options: ClientOptions
    uri: WebSocketURI
    key: str
    # As in `Protocol`, again for type checkers that look at one class at a time.
    request: Request | None
    response: Response | None
    extensions: Sequence[Extension]
    subprotocol: str | None

    def __init__(self, uri: WebSocketURI | str, options: ClientOptions | None = None, now: float = 0.0) -> None:
        super().__init__(options or _DEFAULT_OPTIONS, now)
        self.uri = uri if isinstance(uri, WebSocketURI) else read_uri(uri)
        self.key = generate_key()
        self._parser: ResponseParser | None = ResponseParser(self.options.limits)

    def connect(self) -> Request:
        """
        Make the request of the opening handshake.

        Returns:
            A request that may be altered before `send_request`.

        Raises:
            ValueError: An option cannot be put into a header; a caller's bug.

        Spec:
            RFC 6455 §4.1.
        """
        options = self.options
        offers = [(factory.name, list(factory.get_request_params())) for factory in options.extensions]
        return build_request(
            self.uri,
            self.key,
            origin=options.origin,
            extensions=build_extensions(offers) if offers else None,
            subprotocols=options.subprotocols,
            additional_headers=options.additional_headers,
            user_agent_header=options.user_agent_header,
            host=options.host,
        )

    def send_request(self, request: Request) -> None:
        """
        Send the request.

        Args:
            request: What `connect` made; kept.

        Raises:
            InvalidState: A request was sent already, or the connection is over; a caller's bug.
            ValueError: Something in ``request`` is not allowed in HTTP; a caller's bug.

        Spec:
            RFC 6455 §4.1.
        """
        if self.state is not State.CONNECTING or self.request is not None:
            raise InvalidState("the opening handshake has begun already")
        self._output.append(request.serialize())
        self.request = request
        self._debug("> %s %s", request.method, request.path)

    def _receive_handshake(self, data: Buffer, now: float) -> None:
        if self.state is not State.CONNECTING or self._parser is None:
            return
        try:
            self._take_response(self._parser.receive_data(data), self._parser.take_rest(), now)
        except (HTTPError, InvalidHandshake) as exc:
            self._fail_handshake(exc, Cause.REMOTE_ERROR, now)

    def _finish_parser(self, now: float) -> None:
        self._take_response(None if self._parser is None else self._parser.receive_eof(), b"", now)

    def _take_response(self, response: Response | None, rest: bytes, now: float) -> None:
        if response is None:
            return
        if self.request is None:
            raise InvalidHandshake("server answered before the request was sent")
        self.response = response
        self._events.append(response)
        self._debug("< HTTP/1.1 %d %a", response.status_code, response.reason_phrase)
        check_response(response, self.key)
        headers = response.headers
        answers = parse_extensions(headers.get_all("Sec-WebSocket-Extensions"))
        self.extensions = self._take_extensions(answers)
        self.subprotocol = check_subprotocol(headers.get_all("Sec-WebSocket-Protocol"), self.options.subprotocols)
        self._open(now, rest)

    def _take_extensions(self, answers: Sequence[tuple[str, Sequence[tuple[str, str | None]]]]) -> Sequence[Extension]:
        """Make what the server chose; RFC 6455 §9.1: fail when it was not offered."""
        offers: dict[str, list[ClientExtensionFactory]] = {}
        for factory in self.options.extensions:
            offers.setdefault(factory.name, []).append(factory)
        accepted: list[Extension] = []
        for name, params in answers:
            if name not in offers:
                raise InvalidNegotiation(f"server chose extension {name!r}, which was not offered, or chose it twice")
            extension = _take_answer(name, params, offers.pop(name), accepted)
            if shares_bits(extension, accepted):
                reason = "beside another one with the same reserved bits"
                raise InvalidNegotiation(f"server chose extension {name!r} {reason}")
            accepted.append(extension)
        return accepted or ()

    def _open_overdue(self, now: float) -> None:
        self._abort(Cause.OPEN_TIMEOUT)


def _take_answer(
    name: str,
    params: Sequence[ExtensionParameter],
    factories: Sequence[ClientExtensionFactory],
    accepted: Sequence[Extension],
) -> Extension:
    """Find which offer of an extension the answer fits; RFC 7692 §5 lets a client make several."""
    error = None
    for factory in factories:
        try:
            return factory.process_response_params(params, accepted)
        except NegotiationError as exc:
            error = exc
    raise InvalidNegotiation(f"server chose extension {name!r} with bad parameters: {error}") from error


def read_uri(uri: str) -> WebSocketURI:
    """
    Read a WebSocket URI.

    Args:
        uri: ``ws://`` or ``wss://``; IRIs are converted.

    Returns:
        Its parts.

    Raises:
        InvalidURI: ``uri`` is not a WebSocket URI; a caller's bug.

    Spec:
        RFC 6455 §3.
    """
    try:
        return parse_uri(uri)
    except URIError as exc:
        raise InvalidURI(exc.uri, exc.reason) from exc
