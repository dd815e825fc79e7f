"""A tunnel through an HTTP proxy: what to ask for, and what the answer means."""

from __future__ import annotations

from contextlib import suppress

from ._body import read_body
from ._buffer import Buffer, Steps
from ._errors import HTTPError
from ._grammar import shorten, split_host
from ._headers import Headers, HeadersLike
from ._limits import DEFAULT_LIMITS, HTTPLimits
from ._message import Response
from ._parser import Parser, has_body, read_head
from ._proxy import Proxy
from ._proxy_errors import InvalidProxyMessage, InvalidProxyStatus

_RESERVED = ("Host", "Content-Length", "Transfer-Encoding")


class Tunnel:
    """
    Ask an HTTP proxy for a tunnel to a server, as a client.

    Send `request` on a connection to the proxy, for ``https`` proxies one with TLS, and feed what comes back. Once the
    tunnel is open, the connection is that of the server. A tunnel that is refused is over; after a 407, make a new
    connection and a new one with ``authorization``.

    Args:
        authority: Host and port of the server: `WebSocketURI.authority`.
        proxy: The proxy; for errors, which name it.
        headers: More fields for the proxy; User-Agent in them replaces the other. The server never sees them.
        user_agent_header: Value of User-Agent.
        authorization: Value of Proxy-Authorization; ``None`` for none, or if ``headers`` have it.
        limits: Limits on the answer; kept.

    Attributes:
        request: What to send first; bytes. It holds credentials, if there are any.

    Raises:
        ValueError: ``authority`` has no port or is malformed, ``proxy`` speaks SOCKS, or ``headers`` are not allowed.
            A caller's bug.

    Spec:
        RFC 9110 §9.3.6, §7.3.3; RFC 6455 §4.1 item 3.
    """

    __slots__ = ("_parser", "request")

    request: bytes

    def __init__(
        self,
        authority: str,
        proxy: Proxy,
        headers: HeadersLike = (),
        *,
        user_agent_header: str | None = None,
        authorization: str | None = None,
        limits: HTTPLimits = DEFAULT_LIMITS,
    ) -> None:
        if proxy.is_socks:
            raise ValueError(f"proxy must be http or https, not {proxy.scheme}")
        self.request = _build_request(authority, headers, user_agent_header, authorization)
        buffer = Buffer()
        self._parser = Parser(_read_answer(buffer, limits, proxy), buffer)

    def receive_data(self, data: bytes | bytearray | memoryview) -> Response | None:
        """
        Feed bytes from the proxy.

        Args:
            data: Any number of bytes; copied.

        Returns:
            The proxy's answer, once, when the tunnel is open; ``None`` before and afterwards.

        Raises:
            InvalidProxyStatus: The proxy refused. What comes afterwards is dropped.
            InvalidProxyMessage: The proxy broke HTTP or a limit. What comes afterwards is dropped.
            TypeError: ``data`` is not bytes-like. A caller's bug.
        """
        return self._parser.receive_data(data)

    def receive_eof(self) -> None:
        """
        Say that the proxy has closed its side; no error once the tunnel is open.

        Raises:
            InvalidProxyStatus: The proxy refused; the end of its answer was the end of the connection.
            InvalidProxyMessage: The proxy has not answered.
        """
        self._parser.receive_eof()

    def take_rest(self) -> bytes:
        """
        Take the bytes that came after the answer.

        They are the server's, or a proxy's that adds a body to its answer. As a client of WebSocket, with or without
        TLS, speaks first, an honest peer sends none before that.

        Returns:
            Those bytes; empty while the tunnel is not open.
        """
        return self._parser.take_rest()


def _build_request(
    authority: str, headers: HeadersLike, user_agent_header: str | None, authorization: str | None
) -> bytes:
    if (parts := split_host(authority)) is None or not parts[1]:
        raise ValueError(f"authority must be a host with its port, not {shorten(authority)}")
    more = Headers(headers)
    for name in _RESERVED if authorization is None else (*_RESERVED, "Proxy-Authorization"):
        if name in more:
            raise ValueError(f"headers must not hold {name}")
    # RFC 9112 §3.2.3: the target is the authority; §3.2: Host MUST be the same.
    fields = Headers([("Host", authority)])
    optional = {"User-Agent": user_agent_header, "Proxy-Authorization": authorization}
    fields.update({name: value for name, value in optional.items() if value is not None})
    fields.update(more)
    return b"CONNECT %b HTTP/1.1\r\n%b\r\n" % (authority.encode("ascii"), fields.serialize())


def _read_answer(buffer: Buffer, limits: HTTPLimits, proxy: Proxy) -> Steps[Response | None]:
    try:
        version, response = yield from read_head(buffer, limits)
    except HTTPError as exc:
        if buffer.eof:  # who connects again looks for this
            exc.__cause__ = EOFError("connection closed by the proxy")
        raise InvalidProxyMessage(f"gave no valid answer: {exc}", proxy) from exc
    if 200 <= response.status_code <= 299:  # RFC 9110 §9.3.6: Content-Length and Transfer-Encoding MUST be ignored
        return response
    if has_body(response.status_code, "CONNECT"):
        with suppress(HTTPError):  # refused is refused, whatever becomes of the explanation
            response.body = yield from read_body(buffer, response.headers, version, limits, until_eof=True)
    raise InvalidProxyStatus(response, proxy)
