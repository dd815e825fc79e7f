"""Connecting again and again: the iterator that does it."""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep
from typing import TYPE_CHECKING

from twoway.protocol import OWN_WISHES, Policy, Retries, describe_error

if TYPE_CHECKING:
    from ._client import ClientConnection, connect


class Reconnections(Iterator["ClientConnection"]):
    """
    Give one connection after the other.

    No generator: when a loop is left, its last reference goes, and the connection begins to close right then.

    Args:
        connector: Makes the connections.
        policy: How to go on after a failure.
    """

    def __init__(self, connector: connect, policy: Policy) -> None:
        self._connector = connector
        self._retries = Retries(policy)
        self._connection: ClientConnection | None = None

    def __next__(self) -> ClientConnection:
        """Close the connection that there is, and connect."""
        self._leave()
        while True:
            try:
                self._connection = self._connector.connect()
            except Exception as exc:
                delay = self._retries.failed(exc)
                if delay is None:
                    raise
                self._connector._announce(
                    f"connecting failed ({describe_error(exc)}); next attempt in {delay:.1f} s", exc
                )
            else:
                self._retries.connected()
                return self._connection
            sleep(delay)

    def close(self) -> None:
        """Close the connection that there is, and wait until it is closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            connection._tell_ending()

    def __del__(self) -> None:
        if self._connection is not None:
            self._connection._close_in_background()

    def _leave(self) -> None:
        """Close the connection; if it is not we who ended it, wait before the next one (RFC 6455 §7.2.3)."""
        connection = self._connection
        self.close()
        if connection is None or connection.protocol.cause in OWN_WISHES:
            return
        delay = self._retries.lost(connection.protocol.cause)
        exc = connection.protocol.close_exc
        del connection
        try:
            if delay is None:
                raise exc
            self._connector._announce(f"connection lost ({describe_error(exc)}); next attempt in {delay:.1f} s", exc)
        finally:
            del exc  # else it would hold itself, by its traceback
        sleep(delay)
