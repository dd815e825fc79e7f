"""The exit statuses: a script can tell by them what happened."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Name an exit status; `MEANINGS` says what it stands for."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NO_NAME = 10
    NO_CONNECTION = 11
    OPEN_TIMEOUT = 12
    TLS = 13
    PROXY = 14
    NO_WEBSOCKET = 20
    UNAUTHORIZED = 21
    FORBIDDEN = 22
    NOT_FOUND = 23
    REFUSED = 24
    SERVER_ERROR = 25
    REDIRECTED = 26
    LOST = 30
    CLOSED = 31
    PEER_BROKE = 32
    WE_BROKE = 33
    SILENT = 34
    TIMEOUT = 40
    INTERRUPTED = 130


#: What each status stands for, for people.
MEANINGS = {
    Exit.OK: "all was done, and the connection ended in order",
    Exit.FAILED: "something else failed, such as a file that cannot be read",
    Exit.USAGE: "wrong arguments",
    Exit.NO_NAME: "the name of the host is not known",
    Exit.NO_CONNECTION: "no connection: refused, unreachable, no such Unix socket",
    Exit.OPEN_TIMEOUT: "the connection was not open in time",
    Exit.TLS: "TLS failed: the certificate, or no TLS at all",
    Exit.PROXY: "the proxy cannot be reached, or refused",
    Exit.NO_WEBSOCKET: "the server does not speak WebSocket there",
    Exit.UNAUTHORIZED: "the server wants credentials: 401",
    Exit.FORBIDDEN: "the server forbids it: 403",
    Exit.NOT_FOUND: "the server has nothing there: 404",
    Exit.REFUSED: "the server refused with another status",
    Exit.SERVER_ERROR: "the server failed: 5xx, such as a 502 of a reverse proxy",
    Exit.REDIRECTED: "a redirect was not followed",
    Exit.LOST: "the connection was lost, without a Close frame",
    Exit.CLOSED: "closed with another code than 1000 or 1001",
    Exit.PEER_BROKE: "the server broke a rule or one of our limits",
    Exit.WE_BROKE: "the server says that we broke a rule or one of its limits",
    Exit.SILENT: "the server did not answer a ping or the Close frame in time",
    Exit.TIMEOUT: "the time of --timeout is over",
    Exit.INTERRUPTED: "interrupted, with Ctrl-C",
}


def show_exits() -> list[tuple[str, str]]:
    """
    List all statuses, for help.

    Returns:
        Pairs of number and meaning.
    """
    return [(str(status.value), MEANINGS[status]) for status in Exit]
