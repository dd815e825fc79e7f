"""The compiled twin of what every message goes through, where `twoway.frames` uses compiled code."""

from __future__ import annotations

import sys
from time import monotonic

from twoway.frames import get_twins

from ._path import ConnectionPath

__all__ = ["ConnectionPath"]

if sys.platform == "linux":  # where a call can be told not to wait
    _twins = get_twins("threading", ThreadingPath=ConnectionPath, clock=monotonic)
    # The twin has the same attributes, arguments, results and errors.
    globals()["ConnectionPath"] = _twins.get("ThreadingPath", ConnectionPath)
