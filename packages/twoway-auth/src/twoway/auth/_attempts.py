"""All requests that one opening handshake may need: redirects, challenges, cookies."""

from __future__ import annotations

from twoway.http import Headers, HeadersLike, Response, StatusError, WebSocketURI

from ._cookies import CookieJarLike, keep_cookies, read_cookie
from ._errors import RedirectError
from ._exchange import AuthLike, Exchange, read_auth
from ._password import PasswordAuth
from ._redirect import (
    REDIRECT_STATUSES,
    Redirects,
    RedirectsLike,
    Unfollowed,
    check_redirect,
    read_location,
    read_redirects,
    show,
    strip_headers,
    without_credentials,
)
from ._scheme import SERVER, Auth, Target

_SHOWN = 3


class Attempts:
    """
    Plan the requests that lead to one connection.

    Send a request for ``uri`` with `headers`. Give the answer to `accept` if it is 101; else give it to `refuse`, which
    either returns, and the next request can be sent on a new connection, or raises, and there is none.

    Whatever the servers do, there are at most ``limit`` redirects and, for each target, three requests.

    Args:
        uri: Where to connect to. User name and password in it are sent with Basic, as `PasswordAuth` with
            ``preemptive``, unless ``auth`` or an Authorization header is given.
        auth: Credentials for the origin of ``uri``, or a pair of user name and password; ``None`` for none.
        headers: Headers of the caller; copied. A redirect to another origin removes Authorization, Cookie,
            Proxy-Authorization and Host from them, for good.
        redirects: Policy; ``True`` for the usual one, ``False`` or ``None`` to follow none.
        cookies: Cookie jar, such as ``http.cookiejar.CookieJar()``; altered. ``None`` for no cookies.

    Attributes:
        uri: Target of the next request, without user name and password.

    Raises:
        TypeError: An argument has the wrong type. A caller's bug.
        ValueError: A user name or password holds what is not allowed, or ``headers`` has an Authorization beside
            ``auth``. A caller's bug.

    Spec:
        RFC 6455 §4.1, checks of the client, item 1; RFC 9110 §11, §15.4.
    """

    __slots__ = ("_auth", "_cookies", "_exchange", "_first", "_headers", "_hint", "_policy", "_visited", "uri")

    uri: WebSocketURI

    def __init__(
        self,
        uri: WebSocketURI,
        *,
        auth: AuthLike | None = None,
        headers: HeadersLike = (),
        redirects: RedirectsLike = True,
        cookies: CookieJarLike | None = None,
    ) -> None:
        self._headers = Headers(headers)
        self._auth = self._choose_auth(uri, read_auth(auth))
        self._policy = read_redirects(redirects)
        self._cookies = cookies
        self._first = self.uri = without_credentials(uri)
        self._visited = [self.uri]
        self._exchange = self._begin()

    @property
    def same_origin(self) -> bool:
        """Tell whether ``uri`` has scheme, host and port of the first one: settings for that place still fit."""
        return self.uri.origin == self._first.origin

    @property
    def history(self) -> tuple[WebSocketURI, ...]:
        """Return the targets so far, the first one and the present one included."""
        return tuple(self._visited)

    def headers(self) -> Headers:
        """
        Return the headers of the caller for the next request, with Authorization and Cookie.

        Returns:
            New headers; the same until the next `refuse`, and for one request only.
        """
        headers = self._headers.copy()
        if self._cookies is not None:
            found = read_cookie(self._cookies, self.uri, self._first.host)
            values = [*headers.get_all("Cookie"), *([] if found is None else [found])]
            if values:  # RFC 6265 §5.4: there MUST NOT be more than one
                headers["Cookie"] = "; ".join(values)
        if self._exchange.value is not None:
            headers[SERVER.credentials] = self._exchange.value
        return headers

    def refuse(self, response: Response) -> None:
        """
        Take an answer that is not 101; return if the next request may do better.

        Args:
            response: Response; kept by the error.

        Raises:
            AuthError: The status is 401, and there is nothing else to send.
            RedirectError: The status is 301, 302, 303, 307 or 308, and the redirect is malformed, or the policy does
                not allow to follow it.
            StatusError: The status is another one, or redirects are not followed at all.
            HeaderError: The server claims to know the password, and does not.
        """
        self._keep_cookies(response)
        if response.status_code == 401:
            self._exchange.refuse(response)
        elif response.status_code in REDIRECT_STATUSES and self._policy is not None:
            self._exchange.confirm(response.headers)
            try:
                self._follow(response, self._policy)
            except Unfollowed as exc:
                raise RedirectError(response, str(exc), tuple(map(show, self._visited))) from None
        else:
            raise StatusError(response)

    def accept(self, response: Response) -> None:
        """
        Take the answer that opened the connection.

        Args:
            response: Response, 101; not kept.

        Raises:
            HeaderError: The server claims to know the password, and does not: close the connection.

        Spec:
            RFC 7616 §3.5.
        """
        self._exchange.confirm(response.headers)
        self._keep_cookies(response)

    def _choose_auth(self, uri: WebSocketURI, auth: Auth | None) -> Auth | None:
        self._hint = "there are no credentials"
        if SERVER.credentials in self._headers:
            if auth is not None:
                raise ValueError("headers must not hold Authorization beside auth")
            self._hint = "the Authorization header that was given was refused"
        elif auth is None and uri.username is not None:
            return PasswordAuth(uri.username, uri.password or "", preemptive=True)
        return auth

    def _begin(self) -> Exchange:
        return Exchange(self._auth, Target(SERVER, "GET", self.uri.resource_name, self.uri.origin), self._hint)

    def _follow(self, response: Response, policy: Redirects) -> None:
        target = read_location(response, self.uri)
        if target in self._visited and self._cookies is None:  # with cookies, the same address may answer otherwise
            raise Unfollowed(f"it leads in a loop, {self._describe_path(target)}")
        if len(self._visited) > policy.limit:
            loop = "in a loop, " if target in self._visited else ""
            raise Unfollowed(f"there are more than {policy.limit} redirects, {loop}{self._describe_path(target)}")
        check_redirect(policy, self.uri, target)
        if policy.on_redirect is not None:
            policy.on_redirect(self.uri, target)
        if target.origin != self.uri.origin:
            self._forget(policy)
        self.uri = target
        self._visited.append(target)
        self._exchange = self._begin()

    def _forget(self, policy: Redirects) -> None:
        # For good: whoever redirects back to the first origin has chosen what is asked of it there.
        if self._auth is not None or SERVER.credentials in self._headers:
            self._auth = None
            self._hint = f"the credentials are for {self._first.origin[0]}://{self._first.host_header} only"
        strip_headers(self._headers, policy.sensitive_headers)

    def _describe_path(self, target: WebSocketURI) -> str:
        last = " -> ".join(map(show, [*self._visited[-_SHOWN:], target]))
        return last if len(self._visited) <= _SHOWN else f"... -> {last}"

    def _keep_cookies(self, response: Response) -> None:
        if self._cookies is not None:
            keep_cookies(self._cookies, self.uri, self._first.host, response)
