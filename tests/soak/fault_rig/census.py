"""What a process holds: threads, tasks, descriptors, memory, and objects of ours."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

# Has the C library give back to the system what is free; of glibc.
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def take(loop: asyncio.AbstractEventLoop | None) -> dict[str, Any]:
    """Count what this process holds; where the garbage collector is off, nothing may need it."""
    if not gc.isenabled():
        gc.freeze()  # then a collection collects nothing: it only empties what Python keeps to use again
    gc.collect()
    gc.unfreeze()
    if _trim is not None:
        _trim(0)
    objects = Counter(
        f"{type(thing).__module__}.{type(thing).__qualname__}"
        for thing in gc.get_objects()
        if type(thing).__module__.startswith("twoway.")
    )
    return {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "tasks": len(asyncio.all_tasks(loop)) if loop else 0,
        "descriptors": len(os.listdir("/proc/self/fd")) - 1,
        "resident": int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        "blocks": sys.getallocatedblocks(),
        "objects": objects,
    }
