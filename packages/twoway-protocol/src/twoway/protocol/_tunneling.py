"""Through an HTTP proxy, with credentials if it asks for them: as many requests as that takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twoway.http import HTTPError, InvalidProxyStatus, Proxy, ProxyError, StatusError, Tunnel

from ._errors import convert_http_error
from ._proxy_errors import InvalidProxyMessage, convert_proxy_error

if TYPE_CHECKING:
    from twoway.http import HeadersLike, HTTPLimits


class Tunneling:
    """
    Ask an HTTP proxy for a tunnel, on one connection after the other.

    Send what `begin` gives on a new connection to the proxy, and give what comes to `receive`.

    Args:
        proxy: The proxy; not one for SOCKS.
        authority: Host and port of the server.
        headers: Headers for the proxy.
        user_agent_header: Value of User-Agent; None for none.
        limits: What the answer of the proxy may be at most.
        make_auth: Called for a ``twoway.auth.ProxyAuth``, when it is needed.
        eager: Whether it is needed from the first request on, and not only for an answer to a 407.

    Spec:
        RFC 9110 §9.3.6, §11.7.
    """

    __slots__ = ("_auth", "_make_auth", "_proxy", "_settings", "_tunnel")

    def __init__(
        self,
        proxy: Proxy,
        authority: str,
        *,
        headers: HeadersLike,
        user_agent_header: str | None,
        limits: HTTPLimits,
        make_auth: Callable[[], Any],
        eager: bool,
    ) -> None:
        self._proxy = proxy
        self._settings = authority, proxy, headers, user_agent_header, limits
        self._make_auth = make_auth
        self._auth = make_auth() if eager else None
        self._tunnel: Tunnel  # since `begin`

    def begin(self) -> bytes:
        """
        Begin on a new connection to the proxy.

        Returns:
            What to send; with credentials, if there are any.

        Raises:
            ValueError: The headers are not allowed in a request to a proxy; a caller's bug.
        """
        authority, proxy, headers, user_agent_header, limits = self._settings
        found = {} if self._auth is None else self._auth.headers()
        self._tunnel = Tunnel(
            authority,
            proxy,
            headers,
            user_agent_header=user_agent_header,
            authorization=found.get("Proxy-Authorization"),
            limits=limits,
        )
        return self._tunnel.request

    def receive(self, data: bytes) -> bool | None:
        """
        Take what the proxy sends.

        Args:
            data: Bytes; none at the end of the stream.

        Returns:
            None while the answer is not complete; True when the tunnel is open; False when the proxy wants other
            credentials, and there are some: `begin` on a new connection.

        Raises:
            ProxyError: The proxy refused, or broke a rule.
            InvalidHandshake: The proxy claims to know the password, and does not.
        """
        # Parsers keep their errors, whose tracebacks would keep the parsers, and whoever feeds us.
        try:
            return self._take(data)
        except InvalidProxyStatus as exc:
            self._refuse(exc.with_traceback(None))
            return False
        except ProxyError as exc:
            raise convert_proxy_error(exc.with_traceback(None)) from exc
        except HTTPError as exc:
            raise convert_http_error(exc) from exc

    def _take(self, data: bytes) -> bool | None:
        if not data:
            self._tunnel.receive_eof()  # raises, for the answer is not complete
            return None
        response = self._tunnel.receive_data(data)
        if response is None:
            return None
        if self._auth is not None:
            self._auth.accept(response)
        if self._tunnel.take_rest():  # nobody speaks before us in this tunnel
            raise InvalidProxyMessage("sent more than its answer", self._proxy.without_password())
        return True

    def _refuse(self, exc: InvalidProxyStatus) -> None:
        """Return if another request may do better."""
        try:
            if exc.response.status_code != 407:
                raise convert_proxy_error(exc) from exc
            if self._auth is None:
                self._auth = self._make_auth()
            self._auth.refuse(exc.response)
        except StatusError as error:
            raise convert_proxy_error(exc, getattr(error, "reason", None)) from error
        finally:
            del exc  # the errors have this frame in their tracebacks
