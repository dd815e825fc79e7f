"""The options of commands that connect, and the connection that they come to."""

from __future__ import annotations

import asyncio
import math
import re
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import click

from twoway.asyncio import ClientConnection, InvalidHandshake, connect, unix_connect
from twoway.http import InvalidProxy, Proxy, ProxyLike, URIError, WebSocketURI, choose_proxy, parse_uri

from ._command import option, together
from ._exits import Exit
from ._failures import Failure, Stop, explain
from ._values import COOKIE, CREDENTIALS, DURATION, HEADER, SIZE, TOKEN

_Result = TypeVar("_Result")
_Function = TypeVar("_Function", bound=Callable[..., Any])
_OnRedirect = Callable[[WebSocketURI, WebSocketURI], object]

_FILE = click.Path(exists=True, dir_okay=False)
# What people paste from the address bar of a browser; the same mapping that browsers have.
_SCHEMES = {"http": "ws", "https": "wss"}
_LOCAL = "ws://localhost/"
# Time to open a connection, unless --timeout says more or less; seconds.
_OPEN_TIMEOUT = 10.0
# Nobody wants to look at a terminal for longer after the wish to leave; seconds.
_CLOSE_TIMEOUT = 3.0
_WAYS = ("auth", "digest", "bearer")


class _Secured(Exception):
    """Carry where a redirect leads from ``ws://`` to ``wss://``."""

    def __init__(self, target: WebSocketURI) -> None:
        super().__init__(target)
        self.target = target


address_argument = click.argument("uri", required=False)


def connecting_options(compress: bool = True) -> Callable[[_Function], _Function]:
    """
    Add the options about the connection to a command.

    Args:
        compress: Whether compression is offered unless an option says otherwise.

    Returns:
        A decorator.
    """
    return together(
        option("--header", "headers", type=HEADER, multiple=True, section="Handshake", metavar="'NAME: VALUE'",
               help="Further header of the request; may be repeated."),
        option("--cookie", "cookies", type=COOKIE, multiple=True, section="Handshake", metavar="NAME=VALUE",
               help="Cookie to send; may be repeated."),
        option("--origin", section="Handshake", metavar="ORIGIN",
               help="What a browser would say: the site whose page connects, such as https://example.com."),
        option("--subprotocol", "subprotocols", multiple=True, section="Handshake", metavar="NAME",
               help="Subprotocol to offer; may be repeated, preferred ones first."),
        option("--compress/--no-compress", default=compress, section="Handshake", show_default=True,
               help="Offer permessage-deflate."),
        option("--redirects/--no-redirects", default=True, section="Handshake", show_default=True,
               help="Follow redirects; headers, cookies and credentials stay with the first server."),
        option("--auth", type=CREDENTIALS, section="Credentials", metavar="USER[:PASSWORD]", envvar="TWOWAY_AUTH",
               help="Answer with Basic or Digest, whichever the server asks for."),
        option("--digest", type=CREDENTIALS, section="Credentials", metavar="USER[:PASSWORD]", envvar="TWOWAY_DIGEST",
               help="Answer with Digest only: the password is never sent."),
        option("--bearer", type=TOKEN, section="Credentials", metavar="TOKEN", envvar="TWOWAY_BEARER",
               help="Send a token. For all three, @FILE reads a file; a missing password is asked for."),
        option("--insecure", is_flag=True, section="TLS", help="Take any certificate. For tests only."),
        option("--ca", type=_FILE, section="TLS", metavar="FILE", help="Trust the authorities in this file only."),
        option("--cert", type=_FILE, section="TLS", metavar="FILE", help="Certificate of ours, if the server asks."),
        option("--key", type=_FILE, section="TLS", metavar="FILE", help="Its key, unless it is in the same file."),
        option("--proxy", default="auto", section="Way", metavar="URL", show_default=True,
               help="auto takes the settings of the environment, none connects directly; else http, https or socks5h."),
        option("--unix", type=click.Path(), section="Way", metavar="PATH",
               help="Connect to this Unix socket; URI may be left out."),
        option("--timeout", type=DURATION, section="Limits", metavar="TIME",
               help="For everything, from beginning to end. Without it, 10s to open the connection and no limit then."),
        option("--max-size", type=SIZE, default="1M", section="Limits", metavar="SIZE", show_default=True,
               help="Largest message to receive."),
        option("-v", "--verbose", is_flag=True, section="Help", help="Show request and response of the handshake."),
    )  # fmt: skip


@dataclass(frozen=True)
class Connecting:
    """
    Hold what the options of a command say about the connection; attributes are named as the options.

    Args:
        uri: As given; None with ``unix`` only.

    Attributes:
        target: The parts of the URI.

    Raises:
        click.UsageError: Options do not fit each other; the user's mistake.
    """

    uri: str | None
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()
    origin: str | None = None
    subprotocols: tuple[str, ...] = ()
    compress: bool = True
    redirects: bool = True
    auth: tuple[str, str] | None = None
    digest: tuple[str, str] | None = None
    bearer: str | None = None
    insecure: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    proxy: str = "auto"
    unix: str | None = None
    timeout: float | None = None
    max_size: int = 1 << 20
    verbose: bool = False
    target: WebSocketURI = field(init=False)

    def __post_init__(self) -> None:
        if self.uri is None and self.unix is None:
            raise click.UsageError("Which server? Give a URI, such as ws://localhost:8765/, or --unix PATH.")
        if sum(getattr(self, way) is not None for way in _WAYS) > 1:
            raise click.UsageError("--auth, --digest and --bearer are different ways to log in: give one of them.")
        if self.key is not None and self.cert is None:
            raise click.UsageError("--key is the key of a certificate: give --cert, too.")
        object.__setattr__(self, "target", read_address(self.uri or _LOCAL))

    @property
    def place(self) -> str:
        """Give host and port, or the path of the socket, for people."""
        return self.unix or f"{self.target.host}:{self.target.port}"

    @property
    def open_timeout(self) -> float | None:
        """Give the time to open the connection; seconds, None for no limit."""
        timeout = _OPEN_TIMEOUT if self.timeout is None else self.timeout
        return None if timeout == math.inf else timeout

    @property
    def proxy_setting(self) -> ProxyLike:
        """Give what ``--proxy`` stands for, for the library."""
        if self.proxy == "auto" and self.unix is None:
            return True
        return None if self.proxy in ("auto", "none") else self.proxy

    async def open(self, on_redirect: _OnRedirect | None = None) -> ClientConnection:
        """
        Connect; each call is for another connection.

        Args:
            on_redirect: Called with source and target of each redirect that is followed.

        Returns:
            The connection, open.

        Raises:
            Stop: An argument is wrong; the user's mistake.
            Exception: There is no connection; `explain` knows what it means.
        """
        async with asyncio.timeout(self.open_timeout):
            try:
                return await self._connector(on_redirect)
            except _Secured as exc:
                return await self._without_secrets(exc.target)._connector(on_redirect)

    def _without_secrets(self, target: WebSocketURI) -> Connecting:
        """Lead elsewhere, with nothing that was for the first server, but with all that the options say about TLS."""
        return replace(self, uri=str(target), headers=(), cookies=(), auth=None, digest=None, bearer=None)

    def find_proxy(self) -> Proxy | None:
        """
        Find the proxy on the way to the server.

        Returns:
            The proxy, None if the connection is direct.

        Raises:
            InvalidProxy: What ``--proxy`` or the environment says is none.
        """
        return None if self.unix is not None else choose_proxy(self.proxy_setting, self.target)

    def explain(self, exc: BaseException, place: str) -> Failure:
        """
        Say why there is no connection.

        Args:
            exc: As from `open`.
            place: Where to it was on its way.

        Returns:
            The failure; who does not answer may be the proxy, so that it is named then.
        """
        with suppress(InvalidProxy):
            if isinstance(exc, TimeoutError) and (proxy := self.find_proxy()) is not None:
                place = f"{place}, through the proxy {proxy},"
        return explain(exc, place)

    @asynccontextmanager
    async def limited(self, begin: float) -> AsyncIterator[None]:
        """
        Allow what is done inside, opening excepted, the time of ``--timeout``.

        Args:
            begin: When it all began; seconds, in the time of the event loop.

        Raises:
            Stop: The time is over.
        """
        limit = asyncio.timeout_at(None if self.timeout in (None, math.inf) else begin + self.timeout)
        try:
            async with limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise Stop(Failure(Exit.TIMEOUT, "The time of --timeout is over.")) from None

    def _connector(self, on_redirect: _OnRedirect | None) -> connect:
        try:
            arguments = self._arguments(self._stop_at_tls(on_redirect))
            uri = self._written()
            return connect(uri, **arguments) if self.unix is None else unix_connect(self.unix, uri, **arguments)
        except (InvalidHandshake, ValueError, TypeError) as exc:
            raise Stop(Failure(Exit.USAGE, explain(exc, self.place).sentence)) from exc

    def _written(self) -> str:
        return _normalize(self.uri or _LOCAL)

    def _stop_at_tls(self, on_redirect: _OnRedirect | None) -> _OnRedirect:
        """Stop where a redirect leads to TLS, once and for all: none leads back. The driver has no context for it."""

        def tell(source: WebSocketURI, target: WebSocketURI) -> None:
            if on_redirect is not None:
                on_redirect(source, target)
            if target.secure and not self.target.secure:
                raise _Secured(target)

        return tell

    def _arguments(self, on_redirect: _OnRedirect) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "additional_headers": self._headers(),
            "origin": self.origin,
            "subprotocols": self.subprotocols,
            "compression": "deflate" if self.compress else None,
            "auth": self._credentials(),
            "redirects": self._policy(on_redirect),
            "proxy": self.proxy_setting,
            "open_timeout": self.open_timeout,
            "close_timeout": _CLOSE_TIMEOUT,
            "max_size": self.max_size,
        }
        if self.target.secure:
            arguments["ssl"] = self.context()
        return arguments

    def _headers(self) -> list[tuple[str, str]]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies)
        return [*self.headers, ("Cookie", cookies)] if cookies else list(self.headers)

    def _credentials(self) -> Any:
        from twoway.auth import BearerAuth, DigestAuth

        if self.digest is not None:
            return DigestAuth(*self.digest)
        return self.auth if self.bearer is None else BearerAuth(self.bearer)

    def _policy(self, on_redirect: _OnRedirect) -> Any:
        from twoway.auth import Redirects

        # Nobody knows which of the headers are secret: all of them are for the server that they were given for.
        names = tuple(name for name, _ in self.headers)
        return Redirects(sensitive_headers=names, on_redirect=on_redirect) if self.redirects else None

    def context(self, verify: bool = True) -> ssl.SSLContext:
        """
        Make the settings of TLS.

        Args:
            verify: False takes any certificate, as ``--insecure`` does.

        Returns:
            A new context.

        Raises:
            Stop: A file holds no certificate, or no key; the user's mistake.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.cert is not None:
                context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as exc:
            files = " or ".join(filter(None, (self.ca, self.cert, self.key)))
            raise Stop(Failure(Exit.USAGE, f"TLS cannot use {files}: {exc}.")) from exc
        if self.insecure or not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _normalize(uri: str) -> str:
    scheme, found, rest = uri.partition("://")
    return f"{_SCHEMES.get(scheme.lower(), scheme)}://{rest}" if found else uri


def read_address(uri: str) -> WebSocketURI:
    """
    Read the address of a server.

    Args:
        uri: ``ws://`` or ``wss://``; ``http://`` and ``https://`` mean the same, as in browsers.

    Returns:
        Its parts.

    Raises:
        click.UsageError: It is none; the user's mistake.
    """
    try:
        return parse_uri(_normalize(uri))
    except URIError as exc:
        guess = "" if "://" in uri or not re.match(r"[\w.\-\[:]", uri) else f" Did you mean ws://{uri}?"
        raise click.UsageError(f"{exc}.{guess}") from exc


def run(main: Coroutine[Any, Any, _Result]) -> _Result:
    """
    Run a command to its end.

    Args:
        main: What it does.

    Returns:
        What it gives.

    Raises:
        Stop: It was interrupted.
    """
    try:
        return asyncio.run(main)
    except KeyboardInterrupt:
        raise Stop(Failure(Exit.INTERRUPTED, "")) from None
