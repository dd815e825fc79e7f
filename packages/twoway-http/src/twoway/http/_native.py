"""The compiled twins of what every handshake goes through, where `twoway.speedups` is installed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import ModuleType

from ._grammar import split_host
from ._head import KNOWN, split_fields, split_request
from ._upgrade import check_request

__all__ = ["check_request", "split_fields", "split_request"]

# Written by tools/versions.py: a compiled module of another version may differ in any rule.
VERSION = "0.1.0"

_ABSENT = ("twoway.speedups", "twoway.speedups._frames")
_REMEDY = "reinstall twoway-speedups with the version of twoway-http, or set TWOWAY_PURE=1 to go without it"


def load() -> ModuleType | None:
    """
    Import the compiled module and hand over what it needs.

    Returns:
        The module, or None where it is not wanted (``TWOWAY_PURE=1``), not installed or not compiled.

    Raises:
        ImportError: There is one, but it is broken or of another version: to be slow in silence would be worse.
    """
    if os.environ.get("TWOWAY_PURE") == "1":
        return None
    try:
        import twoway.speedups._frames as compiled
    except ImportError as exc:
        if isinstance(exc, ModuleNotFoundError) and exc.name in _ABSENT:
            return None
        raise ImportError(f"twoway.speedups is installed but cannot be used ({exc}): {_REMEDY}") from exc
    if compiled.VERSION != VERSION:
        raise ImportError(f"twoway.speedups is of version {compiled.VERSION}, not {VERSION}: {_REMEDY}")
    compiled.bind_http(KNOWN=KNOWN, check_request=check_request, split_host=split_host)
    return compiled


def find_twins(compiled: ModuleType | None) -> Mapping[str, object]:
    """
    Find what takes the place of the references, with the same arguments, results and errors.

    Args:
        compiled: Result of `load`.

    Returns:
        Twins by name; nothing where pure Python is used.
    """
    return {} if compiled is None else {name: getattr(compiled, name) for name in __all__}


globals().update(find_twins(load()))
