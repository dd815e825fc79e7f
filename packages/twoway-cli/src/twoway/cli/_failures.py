"""What went wrong, in one sentence, with the exit status that tells it apart and a hint what to do."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import IO, Any

import click

from twoway.asyncio import (
    Cause,
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    ProxyError,
    Response,
)

from ._exits import Exit
from ._text import escape, shorten


@dataclass(frozen=True)
class Failure:
    """
    Say how something failed.

    Args:
        exit: The exit status.
        sentence: What happened; one sentence, harmless for a terminal.
        hint: What to do about it; empty where nobody knows.
    """

    exit: Exit
    sentence: str
    hint: str = ""


class Stop(click.ClickException):
    """
    End the command with a failure.

    Args:
        failure: What to tell; nothing is written if its sentence is empty.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.sentence)
        self.failure = failure
        self.exit_code = failure.exit  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the sentence, and the hint below."""
        if self.failure.sentence:
            click.secho(self.failure.sentence, fg="red", err=True)
        if self.failure.hint:
            click.secho(f"Hint: {self.failure.hint}", dim=True, err=True)


def explain(exc: BaseException, place: str) -> Failure:
    """
    Say what an exception means that came out of connecting, or of a connection.

    Args:
        exc: What was raised.
        place: Host and port, or a path, for the sentence.

    Returns:
        The failure.
    """
    for kind, tell in _KINDS:
        if isinstance(exc, kind):
            return tell(exc, place)
    return Failure(Exit.FAILED, f"{type(exc).__name__}: {_phrase_of(exc)}.")


def _phrase_of(words: object) -> str:
    """Bring what somebody else says into a sentence of ours, which has a full stop of its own."""
    return shorten(str(words)).rstrip(".")


# Connecting


def _not_known(exc: Any, place: str) -> Failure:
    host = place.rpartition(":")[0]
    again = " now; try again later" if exc.errno == socket.EAI_AGAIN else ""
    return Failure(
        Exit.NO_NAME,
        f"The name {host} is not known{again}.",
        "check the spelling, and whether this machine can resolve names",
    )


def _bad_certificate(exc: Any, place: str) -> Failure:
    why = _phrase_of(getattr(exc, "verify_message", "") or exc)
    remedy = next((remedy for part, remedy in _REMEDIES if part in why), "--ca FILE trusts another authority")
    hint = f"{remedy}; --insecure looks away, which is for tests only"
    return Failure(Exit.TLS, f"The certificate of {place} was not accepted: {why}.", hint)


# Part of what OpenSSL says about a certificate -> what to do.
_REMEDIES = (
    ("mismatch", "connect by a name that it has"),
    ("expired", "the server needs a new one, unless the clock of this machine is wrong"),
    ("not yet valid", "is the clock of this machine right?"),
)
_IS_IT_PLAIN = "is it a server without TLS? then the address begins with ws://"
_OURS_IS_WANTED = "the server wants a certificate of ours: --cert FILE gives it"


def _no_tls(exc: Any, place: str) -> Failure:
    why = (exc.reason or str(exc)).replace("_", " ").lower()
    hint = _IS_IT_PLAIN if "wrong version" in why else _OURS_IS_WANTED if "certificate required" in why else ""
    return Failure(Exit.TLS, f"TLS with {place} failed: {shorten(why)}.", hint)


def _timed_out(exc: Any, place: str) -> Failure:
    return Failure(
        Exit.OPEN_TIMEOUT,
        f"{place} did not answer in time.",
        "twoway probe tells how far it came; --timeout gives it more time",
    )


def _cut(exc: Any, place: str) -> Failure:
    if exc.errno is not None:
        return _no_connection(exc, place)
    # asyncio has no number for a server that hangs up instead of shaking hands.
    return Failure(Exit.TLS, f"TLS with {place} failed: the server hung up.", _IS_IT_PLAIN)


def _no_connection(exc: Any, place: str) -> Failure:
    why = find_reason(exc)
    hint = "does the server run, and on this port?" if "refused" in why.lower() else ""
    return Failure(Exit.NO_CONNECTION, f"No connection to {place}: {why}.", hint)


def find_reason(exc: OSError) -> str:
    """
    Say in words what the operating system had to say.

    Args:
        exc: An error; asyncio puts those of several addresses into the text of one.

    Returns:
        A phrase, such as ``Connection refused``.
    """
    if isinstance(exc, socket.gaierror):  # with numbers of its own
        return shorten(exc.strerror or str(exc))
    numbers = {exc.errno} if exc.errno else {int(number) for number in re.findall(r"\[Errno (\d+)\]", str(exc))}
    phrases = sorted(os.strerror(number) for number in numbers)
    return " and ".join(phrases) or shorten(str(exc)) or type(exc).__name__


def _bad_proxy_setting(exc: Any, place: str) -> Failure:
    return Failure(Exit.USAGE, f"The proxy cannot be used: {_phrase_of(exc)}.", "--proxy none connects directly")


def _proxy(exc: Any, place: str) -> Failure:
    cause, why = exc.__cause__, str(exc)
    if isinstance(cause, OSError):
        why = why.replace(str(cause), find_reason(cause))
    return Failure(
        Exit.PROXY, f"The proxy did not connect us with {place}: {_phrase_of(why)}.", "--proxy none connects directly"
    )


def _bad_address(exc: Any, place: str) -> Failure:
    return Failure(Exit.USAGE, f"{_phrase_of(exc)}.", "ws://localhost:8765/ is one, wss://example.com/ is another")


def _no_websocket(exc: Any, place: str) -> Failure:
    why = _phrase_of(exc)
    hint = next((hint for part, hint in _GUESSES if part in why), "")
    return Failure(Exit.NO_WEBSOCKET, f"{place} did not shake hands: {why}.", hint)


# Part of what is said about a response that is none -> what may be the reason.
_GUESSES = (
    (
        "closed while reading HTTP status line",
        "does the server want TLS, as in wss://, or over TLS a certificate of ours, as --cert gives it?",
    ),
    ("malformed HTTP status line", "something else than a web server listens there: is it the right port?"),
    ("Sec-WebSocket-Accept", "somebody answered who had not read the request, such as a cache"),
)


def _no_library(exc: Any, place: str) -> Failure:
    return Failure(Exit.PROXY, f"{exc}.", 'pip install "twoway-cli[socks]" brings it')


# Status -> exit status, and a hint. What is not here is found by its hundreds.
_STATUSES: dict[int, tuple[Exit, str]] = {
    2: (Exit.NO_WEBSOCKET, "that is a web page or a service: nothing speaks WebSocket at this path"),
    3: (Exit.REDIRECTED, ""),
    4: (Exit.REFUSED, ""),
    5: (Exit.SERVER_ERROR, "look into the log of the server"),
    400: (Exit.REFUSED, "the server, or a proxy in front of it, does not like the request; -v shows it"),
    401: (Exit.UNAUTHORIZED, "--auth USER and --bearer TOKEN give credentials"),
    403: (Exit.FORBIDDEN, "servers check the origin: --origin https://example.com says what a browser would say"),
    404: (Exit.NOT_FOUND, "check the path: /ws and /socket are frequent ones"),
    407: (Exit.PROXY, "--proxy http://user:password@proxy:3128 gives credentials"),
    426: (Exit.REFUSED, "the server wants another version of the protocol, or a proxy took the Upgrade header away"),
    429: (Exit.REFUSED, "too many connections or attempts; try again later"),
    502: (Exit.SERVER_ERROR, "a reverse proxy answered: the server behind it is down, or speaks no WebSocket"),
    503: (Exit.SERVER_ERROR, "the server is starting, stopping or full"),
    504: (Exit.SERVER_ERROR, "a reverse proxy answered: the server behind it did not, in time"),
}


def _refused(exc: Any, place: str) -> Failure:
    response: Response = exc.response
    code = response.status_code
    exit, hint = _STATUSES.get(code) or _STATUSES.get(code // 100) or (Exit.NO_WEBSOCKET, "")
    name = f"{code} {_phrase(code)}".rstrip()
    if exit is Exit.REDIRECTED:
        return Failure(exit, f"{place} answered {name}, which was not followed: {_redirect(exc)}.", hint)
    if code == 401 and exc.reason and "no credentials" not in exc.reason:
        hint = ""  # they were given, and the reason says what is wrong with them
    extra = f"; {_phrase_of(exc.reason)}" if exc.reason else ""
    return Failure(exit, f"{place} answered {name} instead of opening a WebSocket{extra}{_body(response)}.", hint)


def _phrase(code: int) -> str:
    # Not the server's own phrase: it may say anything.
    return HTTPStatus(code).phrase if code in HTTPStatus._value2member_map_ else ""


def _redirect(exc: Any) -> str:
    if exc.reason:
        return shorten(exc.reason)
    target = shorten(" ".join(exc.response.headers.get_all("Location")))
    return f"to {target}" if target else "it has no Location header"


def _body(response: Response) -> str:
    kind = "".join(response.headers.get_all("Content-Type")) or "text/plain"
    text = shorten(response.body.decode("utf-8", "replace"), 80).rstrip(".") if response.body else ""
    return f", saying “{text}”" if text and kind.startswith(("text/plain", "application/json")) else ""


# Connections that were open

_CAUSES: dict[Cause, tuple[Exit, str]] = {
    Cause.LOCAL_CLOSE: (Exit.CLOSED, "The connection was closed by us"),
    Cause.REMOTE_CLOSE: (Exit.CLOSED, "The server closed the connection"),
    Cause.REMOTE_ERROR: (Exit.PEER_BROKE, "The server broke a rule or a limit of ours"),
    Cause.LOCAL_ERROR: (Exit.WE_BROKE, "The server says that we broke a rule or a limit of its"),
    Cause.FAILED: (Exit.FAILED, "The connection was given up by us"),
    Cause.VANISHED: (Exit.LOST, "The connection was lost: the server hung up without a Close frame"),
    Cause.OS_ERROR: (Exit.LOST, "The connection was lost"),
    Cause.HEARTBEAT: (Exit.SILENT, "The connection was given up: the server did not answer a ping in time"),
    Cause.CLOSE_TIMEOUT: (Exit.SILENT, "The server did not answer our Close frame in time"),
    Cause.ABORTED: (Exit.FAILED, "The connection was dropped by us"),
}


def _closed(exc: Any, place: str) -> Failure:
    exit, sentence = _CAUSES.get(exc.cause, (Exit.LOST, f"The connection has ended: {exc.cause.value}"))
    # Which Close frame tells more: that of who was first.
    frame = exc.sent if exc.cause in (Cause.LOCAL_CLOSE, Cause.REMOTE_ERROR, Cause.FAILED) else exc.rcvd
    if frame is not None:
        sentence += f": {escape(str(frame))}"
    elif isinstance(exc.__cause__, OSError):
        sentence += f": {find_reason(exc.__cause__)}"
    too_big = exc.cause is Cause.REMOTE_ERROR and exc.sent is not None and exc.sent.code == 1009
    hint = "--max-size SIZE allows larger messages" if too_big else ""
    return Failure(exit, f"{sentence}.", hint)


def judge(exc: ConnectionClosed) -> Failure:
    """
    Say how a connection ended.

    Args:
        exc: What told of the end.

    Returns:
        The failure; with `Exit.OK` if it was none.
    """
    failure = _closed(exc, "")
    if exc.cause is Cause.LOCAL_CLOSE:  # whatever the code is, we chose it
        return Failure(Exit.OK, failure.sentence)
    orderly = exc.cause is Cause.REMOTE_CLOSE and exc.code in _ORDERLY
    return Failure(Exit.OK, failure.sentence) if orderly else failure


# 1005 stands for a Close frame without a code.
_ORDERLY = (1000, 1001, 1005)

# More specific classes stand first: most of these are an OSError, too.
_KINDS: tuple[tuple[type[BaseException], Callable[[Any, str], Failure]], ...] = (
    (Stop, lambda exc, place: exc.failure),
    (ConnectionClosed, _closed),
    (InvalidURI, _bad_address),
    (InvalidProxy, _bad_proxy_setting),
    (ProxyError, _proxy),
    (InvalidStatus, _refused),
    (InvalidHandshake, _no_websocket),
    (socket.gaierror, _not_known),
    (ssl.SSLCertVerificationError, _bad_certificate),
    (ssl.SSLError, _no_tls),
    (TimeoutError, _timed_out),
    (ConnectionResetError, _cut),
    (OSError, _no_connection),
    (ImportError, _no_library),
    (ValueError, lambda exc, place: Failure(Exit.USAGE, f"{_phrase_of(exc)}.")),
)
