"""A logger for what is done under a lock: its lines are written later, without the lock."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import replace
from logging import DEBUG
from typing import Any, TypeVar

from twoway.protocol import LoggerLike, Options

_Options = TypeVar("_Options", bound=Options)


class LateLogger:
    """
    Keep lines until they may be written: a handler may wait, and may even use the connection.

    Args:
        logger: Writes them.
    """

    __slots__ = ("_lines", "_logger")

    def __init__(self, logger: LoggerLike) -> None:
        self._logger = logger
        self._lines: deque[tuple[str, tuple[Any, ...]]] = deque()

    def isEnabledFor(self, level: int) -> bool:
        """
        Tell whether messages of a level are wanted.

        Args:
            level: As in ``logging``.

        Returns:
            What the logger says.
        """
        return self._logger.isEnabledFor(level)

    def debug(self, msg: str, *args: Any, **kwargs: Any) -> None:
        """
        Keep a line of level DEBUG, the only level at which a protocol logs.

        Args:
            msg: As in ``logging``.
            *args: As in ``logging``.
            **kwargs: As in ``logging``; not kept.
        """
        self._lines.append((msg, args))

    info = warning = error = debug

    def write(self) -> None:
        """Write the lines that are there; called without any lock of ours."""
        lines = self._lines
        with suppress(IndexError):  # another thread may take the last one
            while True:
                message, args = lines.popleft()
                self._logger.debug(message, *args)


def late_logger(options: _Options) -> _Options:
    """
    Give a connection a logger of its own, if the protocol has anything to log.

    Args:
        options: The settings; not changed.

    Returns:
        The same, or a copy with a `LateLogger`.
    """
    logger = options.logger
    if logger is None or not logger.isEnabledFor(DEBUG):
        return options
    return replace(options, logger=LateLogger(logger))
