"""How much memory something takes, of all that Python and zlib allocate."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable


def peak(function: Callable[[], object]) -> int:
    """Call something, and give how much more memory there was at its worst than before; bytes."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        function()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def growth(function: Callable[[], object], warm_up: int, times: int) -> int:
    """Call something again and again, and give how much more memory there is at the end; bytes."""
    for _ in range(warm_up):
        function()
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(times):
            function()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
