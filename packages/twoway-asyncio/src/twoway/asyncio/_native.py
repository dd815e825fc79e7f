"""The compiled twins of what every message goes through, where `twoway.frames` uses compiled code."""

from __future__ import annotations

import asyncio
import sys
from asyncio import tasks
from time import monotonic

from twoway.frames import get_twins

from ._descriptor import free_descriptor
from ._path import ConnectionPath
from ._socket_path import SocketPath

__all__ = ["ConnectionPath", "SocketPath"]


class _NoLoop:
    """Be the loop of a future that is done."""

    def get_debug(self) -> bool:
        """Tell that nobody looks for mistakes."""
        return False


# What tasks are told is done: of a future of asyncio's own they take the result without a call.
_done: asyncio.Future[None] = asyncio.Future(loop=_NoLoop())  # type: ignore[arg-type]  # nothing else is asked of it
_done.set_result(None)

_twins = get_twins(
    "asyncio",
    AsyncioPath=ConnectionPath,
    CancelledError=asyncio.CancelledError,
    SocketPath=SocketPath,
    Task=asyncio.Task,
    # That of Python 3.11 is not compiled, and asked for each message.
    current_task=asyncio.current_task if sys.version_info >= (3, 12) else vars(tasks)["_current_tasks"].get,
    done=_done,
    free_descriptor=free_descriptor,
    monotonic=monotonic,
)
# The twins have the same attributes, arguments, results and errors.
globals()["ConnectionPath"] = _twins.get("AsyncioPath", ConnectionPath)
globals()["SocketPath"] = _twins.get("SocketPath", SocketPath)
