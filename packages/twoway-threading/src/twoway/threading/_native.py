"""The compiled twin of what every message goes through, where `twoway.frames` uses compiled code."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING

from twoway.frames import get_twins

from ._path import ConnectionPath

__all__ = ["ConnectionPath"]

if not TYPE_CHECKING and sys.platform == "linux":  # where a call can be told not to wait
    _twins = get_twins("threading", ThreadingPath=ConnectionPath, clock=monotonic)
    ConnectionPath = _twins.get("ThreadingPath", ConnectionPath)
