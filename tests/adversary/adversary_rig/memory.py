"""How much memory something takes, of all that Python and zlib allocate."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable


def peak(function: Callable[[], object]) -> int:
    """Call something, and give how much more memory there was at its worst than before; bytes."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def growth(function: Callable[[], object], warm_up: int, times: int, allowed: int) -> int:
    """
    Call something again and again, and give how much more memory there is at the end; bytes.

    What ends by itself may take a moment for it, and what happens for the first time, such as an import on a path that
    is seldom taken, happens once: as long as more than `allowed` is left, this looks again, and then tries again.
    """
    for _ in range(warm_up):
        function()
    for _ in range(3):
        left = _growth(function, times, allowed)
        if left <= allowed:
            break
    return left


def _growth(function: Callable[[], object], times: int, allowed: int) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(times):
            function()
        until = time.monotonic() + 1
        while (left := _traced() - before) > allowed and time.monotonic() < until:
            time.sleep(0.05)
        return left
    finally:
        tracemalloc.stop()


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]
