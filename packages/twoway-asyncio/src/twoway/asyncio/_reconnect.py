"""Connecting again and again: the iterator that does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from twoway.protocol import OWN_WISHES, Policy, Retries, describe_error

if TYPE_CHECKING:
    from ._client import ClientConnection, connect


class Reconnections(AsyncIterator["ClientConnection"]):
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

    async def __anext__(self) -> ClientConnection:
        """Close the connection that there is, and connect."""
        await self._leave()
        while True:
            try:
                self._connection = await self._connector._connect()
            except Exception as exc:
                delay = self._retries.failed(exc)
                if delay is None:
                    raise
                line = f"connecting failed ({describe_error(exc)}); next attempt in {delay:.1f} s"
                self._connector._announce(line, exc)
            else:
                self._retries.connected()
                return self._connection
            await asyncio.sleep(delay)

    async def aclose(self) -> None:
        """Close the connection that there is, and wait until it is closed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def __del__(self) -> None:
        if self._connection is not None:
            self._connection._close_in_background()

    async def _leave(self) -> None:
        """Close the connection; if it is not we who ended it, wait before the next one (RFC 6455 §7.2.3)."""
        connection = self._connection
        await self.aclose()
        if connection is None or connection.cause in OWN_WISHES:
            return
        exc = connection.protocol.close_exc
        del connection
        try:
            delay = self._retries.lost(exc.cause)
            if delay is None:
                raise exc
            line = f"connection lost ({describe_error(exc)}); next attempt in {delay:.1f} s"
            self._connector._announce(line, exc)
        finally:
            del exc  # else it would hold itself, by its traceback
        await asyncio.sleep(delay)
