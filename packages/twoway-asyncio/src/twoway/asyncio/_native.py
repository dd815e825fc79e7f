"""The compiled twin of what every message goes through, where `twoway.frames` uses compiled code."""

from __future__ import annotations

import asyncio
from time import monotonic

from twoway.frames import get_twins

from ._descriptor import free_descriptor
from ._path import ConnectionPath

__all__ = ["ConnectionPath"]

_twins = get_twins(
    "asyncio",
    AsyncioPath=ConnectionPath,
    CancelledError=asyncio.CancelledError,
    current_task=asyncio.current_task,
    free_descriptor=free_descriptor,
    monotonic=monotonic,
)
# The twin has the same attributes, arguments, results and errors.
globals()["ConnectionPath"] = _twins.get("AsyncioPath", ConnectionPath)
