"""Listening sockets, and the connections that come from them."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import stat
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from os import PathLike, fspath
from time import monotonic

from twoway.protocol import LoggerLike

from ._dial import prepare
from ._io import DONE, Watched

# So many connections are taken before other sockets have their turn.
_BATCH = 64
# When the system has no more descriptors or memory, accepting rests for this time; seconds.
_REST = 1.0
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Listener(Watched):
    """
    Accept connections on one socket.

    Args:
        sock: A listening socket; closed at the end.
        accepted: Called with the socket of each connection, non-blocking.
        ended: Called when the socket is closed.
        disowned: Called instead after a fork, in the child.
        logger: Gets what goes wrong.

    Attributes:
        serving: Whether connections are accepted.
        closing: Whether the socket is to be closed.
    """

    __slots__ = (
        "_accepted", "_disowned", "_ended", "_logger", "_path", "_rests_until", "applied", "closing", "entry",
        "serving", "socket",
    )  # fmt: skip

    def __init__(
        self,
        sock: socket.socket,
        accepted: Callable[[socket.socket], object],
        ended: Callable[[Listener], object],
        disowned: Callable[[], object],
        logger: LoggerLike,
    ) -> None:
        self.socket = sock
        self.applied = 0
        self.entry: list[object] | None = None
        self.serving = False
        self.closing = False
        self._accepted = accepted
        self._ended = ended
        self._disowned = disowned
        self._logger = logger
        self._rests_until: float | None = None
        self._path = _identify(sock)

    def interest(self) -> int:
        """
        Say what to wait for.

        Returns:
            A mask of ``selectors``, or `DONE`.
        """
        if self.closing:
            return DONE
        return selectors.EVENT_READ if self.serving and self._rests_until is None else 0

    def ready(self, mask: int) -> None:
        """
        Accept the connections that wait.

        Args:
            mask: Not looked at.
        """
        for _ in range(_BATCH):
            try:
                sock, _ = self.socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:  # it has gone again
                continue
            except OSError as exc:
                if exc.errno not in _SHORTAGES:
                    raise
                self._logger.error("%s", f"accepting rests for {_REST:.0f} s: {exc.strerror}")
                self._rests_until = monotonic() + _REST
                return
            try:
                prepare(sock)
                self._accepted(sock)
            except BaseException:
                sock.close()
                raise

    def deadline(self) -> float | None:
        """
        Say when `tick` is to be called.

        Returns:
            Time on the clock of ``monotonic``; None for never.
        """
        return self._rests_until

    def tick(self) -> None:
        """Accept again."""
        self._rests_until = None

    def idle(self) -> bool:
        """
        Look whether somebody else uses the socket; nobody does.

        Returns:
            True.
        """
        return True

    def release(self) -> None:
        """Close the socket, and remove that of a Unix server."""
        self.socket.close()
        if self._path is not None:
            path, inode = self._path
            with suppress(OSError):
                if os.stat(path).st_ino == inode:  # else it is another server's
                    os.unlink(path)
        self._ended(self)

    def disown(self) -> None:
        """Forget the socket, which belongs to the parent process."""
        self.closing = True
        self.socket.close()
        self._disowned()

    def break_off(self, error: BaseException) -> None:
        """
        Go on after a while.

        Args:
            error: What was raised; logged already.
        """
        self._rests_until = monotonic() + _REST


def _identify(sock: socket.socket) -> tuple[str, int] | None:
    """Give path and inode of a Unix socket, None for others."""
    if sock.family != getattr(socket, "AF_UNIX", None):
        return None
    path = sock.getsockname()
    if not isinstance(path, str) or not path:
        return None
    with suppress(OSError):
        return path, os.stat(path).st_ino
    return None


def listen(host: str | Iterable[str] | None, port: int | None, *, family: int, reuse_port: bool) -> list[socket.socket]:
    """
    Listen on TCP.

    Args:
        host: Names or addresses; None or an empty one for all interfaces.
        port: Port; 0 or None takes a free one, the same for all addresses if possible.
        family: Of the addresses; 0 for any.
        reuse_port: Whether other processes may listen there, too.

    Returns:
        At least one socket, non-blocking; not listening yet.

    Raises:
        OSError: That is not possible.
    """
    hosts = [host] if host is None or isinstance(host, str) else list(host)
    found: dict[tuple[int, object], int] = {}
    for one in hosts:
        for item in socket.getaddrinfo(one or None, port or 0, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE):
            found[item[0], item[4]] = item[2]
    sockets: list[socket.socket] = []
    try:
        for (kind, address), proto in found.items():
            with suppress(_NotSupported):
                sockets.append(_bind(kind, proto, address, sockets, reuse_port))
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, f"there is no address to listen on for {host!r}")
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    for sock in sockets:
        sock.setblocking(False)
    return sockets


class _NotSupported(Exception):
    """Say that this machine has no such addresses."""


def _bind(kind: int, proto: int, address: object, others: list[socket.socket], reuse_port: bool) -> socket.socket:
    assert isinstance(address, tuple)
    host, port, *rest = address
    if not port and others:
        port = others[0].getsockname()[1]
    try:
        sock = socket.socket(kind, socket.SOCK_STREAM, proto)
    except OSError:
        raise _NotSupported from None
    try:
        if sys.platform not in ("win32", "cygwin"):  # there it means something else
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if kind == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port, *rest))
    except OSError as exc:
        sock.close()
        if exc.errno == errno.EADDRNOTAVAIL and kind == socket.AF_INET6:  # a machine without IPv6 may know its names
            raise _NotSupported from None
        raise OSError(exc.errno, f"listening on {address!r} failed: {exc.strerror}") from None
    return sock


def listen_unix(path: str | PathLike[str]) -> socket.socket:
    """
    Listen on a Unix socket.

    Args:
        path: Where it is made; a socket that is left there is replaced. After a NUL character, an abstract name.

    Returns:
        A socket, non-blocking; not listening yet.

    Raises:
        OSError: That is not possible.
    """
    name = fspath(path)
    if not name.startswith("\0"):
        with suppress(OSError):
            if stat.S_ISSOCK(os.stat(name).st_mode):
                os.unlink(name)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(name)
        sock.setblocking(False)
    except OSError as exc:
        sock.close()
        raise OSError(exc.errno, f"listening on {name!r} failed: {exc.strerror}") from None
    return sock
