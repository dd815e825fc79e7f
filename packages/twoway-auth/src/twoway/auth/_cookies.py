"""Between WebSocket and the cookie jars of the standard library, which expect requests of urllib."""

from __future__ import annotations

from typing import Any, Protocol

from twoway.http import Headers, Response, WebSocketURI


class CookieJarLike(Protocol):
    """
    Be a ``http.cookiejar.CookieJar``, or have these two of its methods.

    Spec:
        RFC 6265.
    """

    def add_cookie_header(self, request: Any) -> None:
        """
        Add Cookie to a request.

        Args:
            request: Has what ``CookieJar`` needs of ``urllib.request.Request``.
        """

    def extract_cookies(self, response: Any, request: Any) -> None:
        """
        Take the cookies of a response.

        Args:
            response: Has ``info()`` with ``get_all(name, default)``.
            request: As for `add_cookie_header`.
        """


class _CookieRequest:
    """Be what a cookie jar needs to know of a request; ws is http to it, and wss is https."""

    def __init__(self, uri: WebSocketURI, first_host: str) -> None:
        self.type = "https" if uri.secure else "http"
        self.host = uri.host_header
        self.origin_req_host = first_host
        self.unverifiable = uri.host != first_host  # RFC 2965 §3.3.6: a redirect leads to a third party
        self._url = f"{self.type}://{self.host}{uri.resource_name}"
        self.cookie: str | None = None

    def get_full_url(self) -> str:
        return self._url

    def has_header(self, name: str) -> bool:
        return False

    def add_unredirected_header(self, name: str, value: str) -> None:
        if name.lower() == "cookie":  # the other one is Cookie2, which RFC 6265 §9.3 has made historic
            self.cookie = value


class _CookieResponse:
    """Be what a cookie jar needs to know of a response."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def info(self) -> _CookieResponse:
        return self

    def get_all(self, name: str, default: list[str]) -> list[str]:
        return self._headers.get_all(name) or default


def read_cookie(jar: CookieJarLike, uri: WebSocketURI, first_host: str) -> str | None:
    """
    Ask a jar which cookies to send.

    Args:
        jar: Cookie jar.
        uri: Target of the request.
        first_host: Host of the first URI, before redirects.

    Returns:
        Value of Cookie; ``None`` for no cookies.

    Spec:
        RFC 6265 §5.4.
    """
    request = _CookieRequest(uri, first_host)
    jar.add_cookie_header(request)
    return request.cookie


def keep_cookies(jar: CookieJarLike, uri: WebSocketURI, first_host: str, response: Response) -> None:
    """
    Put the cookies of a response into a jar, as far as its policy allows.

    Args:
        jar: Cookie jar; altered.
        uri: Target of the request.
        first_host: Host of the first URI, before redirects.
        response: Response; read only.

    Spec:
        RFC 6265 §5.3.
    """
    jar.extract_cookies(_CookieResponse(response.headers), _CookieRequest(uri, first_host))
