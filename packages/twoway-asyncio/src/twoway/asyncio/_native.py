"""The compiled twins of what every message goes through, where `twoway.frames` uses compiled code."""

from __future__ import annotations

import asyncio
from time import monotonic

from twoway.frames import get_twins

from ._descriptor import free_descriptor
from ._path import ConnectionPath
from ._socket_path import SocketPath

__all__ = ["ConnectionPath", "SocketPath"]

_twins = get_twins(
    "asyncio",
    AsyncioPath=ConnectionPath,
    CancelledError=asyncio.CancelledError,
    SocketPath=SocketPath,
    current_task=asyncio.current_task,
    free_descriptor=free_descriptor,
    monotonic=monotonic,
)
# The twins have the same attributes, arguments, results and errors.
globals()["ConnectionPath"] = _twins.get("AsyncioPath", ConnectionPath)
globals()["SocketPath"] = _twins.get("SocketPath", SocketPath)
